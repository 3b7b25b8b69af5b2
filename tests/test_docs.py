"""The documents: help texts and examples are those of the commands, and examples run."""

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "samples").glob("*.md")]


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "remake.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + "\nrun: python docs/remake.py"


def test_figures_of_all_processors_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")  # where it is run from, its neighbours are there
    spec = importlib.util.spec_from_file_location("remake", ROOT / "docs" / "remake.py")
    assert spec is not None
    assert spec.loader is not None
    remake = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(remake)
    monkeypatch.setattr(remake, "RESULTS", tmp_path)
    assert "Not measured yet." in remake.figures("speed/*/memory")
    for kind in ("one", "two"):
        (tmp_path / "speed" / kind).mkdir(parents=True)
        (tmp_path / "speed" / kind / "memory.csv").write_text(
            "system,posters,poster_size,peak_mb,growth_mb,posters_per_s,engine,processor,date,"
            f"commit\nCPU,1000,182x268,123.456,,98.76,onnx 1,{kind},2026-01-01,abc\n"
        )
    both = re.sub(" +", " ", remake.figures("speed/*/memory"))
    assert both.count("| CPU | 1000 | 182x268 | 123 | 98.8 | onnx 1 |") == 2  # no empty column
    assert both.index("`genre-bench memory`, one, 2026-01-01, commit abc.") < both.index(", two, ")
    with pytest.raises(FileNotFoundError):
        remake.figures("speed/three/memory")


def test_every_command_is_documented() -> None:
    from genre_bench.cli import main as bench
    from genre_export.cli import main as export
    from genre_infer.cli import main as infer
    from genre_train.cli import main as train

    commands = (ROOT / "docs" / "commands.md").read_text("utf-8")
    groups = {
        "genre-infer": infer,
        "genre-export": export,
        "genre-train": train,
        "genre-bench": bench,
    }
    for program, group in groups.items():
        for name in group.commands:
            assert f"<!-- help: {program} {name} -->" in commands


def test_ci_runs_the_readme_s_test_command_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands[:2] == ["set -euo pipefail", 'cd "$(dirname "$0")/.."']
    assert len(commands) == 3
    assert f"```sh\n{commands[2]}\n```" in README


def examples() -> list[object]:
    """The Python examples of the documents for users, each with a name."""
    return [
        pytest.param(code, id=f"{path.stem}-{number}")
        for path in (ROOT / "README.md", ROOT / "docs" / "python.md")
        for number, code in enumerate(
            re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL), 1
        )
    ]


@pytest.mark.parametrize("code", examples())
def test_the_documents_python_runs(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_signature_in_the_documents_is_the_classifier_s() -> None:
    from genre_infer import Classifier

    text = " ".join((ROOT / "docs" / "python.md").read_text("utf-8").split())
    documented = re.search(r"`Classifier\((model=.*?)\)`", text)
    assert documented
    parameters = list(inspect.signature(Classifier).parameters.values())
    written = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    assert documented[1].replace("'", '"') == ", ".join([written[0], "*", *written[1:]]).replace(
        "'", '"'
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text("utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_documents_name_all_statuses_and_modes() -> None:
    from genre_infer.result import STATUSES
    from genre_train.calibrate import MODES

    formats = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for name in (*STATUSES, *MODES):
        assert f"`{name}`" in formats
