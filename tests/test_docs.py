"""The documents: short, up to date, with examples that run and links that lead somewhere."""

import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "samples").glob("*.md")]
PACKAGES = (
    "runtime/genre_infer",
    "train/genre_train",
    "export/genre_export",
    "benchmarks/genre_bench",
)


def programs() -> dict[str, click.Group]:
    """The commands of the project, by name."""
    from genre_bench.cli import main as bench
    from genre_export.cli import main as export
    from genre_infer.cli import main as infer
    from genre_train.cli import main as train

    return {
        "genre-infer": infer,
        "genre-export": export,
        "genre-train": train,
        "genre-bench": bench,
    }


def test_the_readme_is_read_in_a_minute() -> None:
    assert len(README.splitlines()) <= 130


@pytest.mark.slow
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
    monkeypatch.syspath_prepend(ROOT / "docs")  # it imports its neighbours, as when it is run
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
    commands = (ROOT / "docs" / "commands.md").read_text("utf-8")
    for program, group in programs().items():
        for name in group.commands:
            assert f"<!-- help: {program} {name} -->" in commands


def shell_commands(text: str) -> Iterator[list[str]]:
    """The words of every genre-… command in a document's shell blocks."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for start, word in enumerate(words):
                if Path(word).name in programs():
                    yield [Path(word).name, *words[start + 1 :]]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_in_the_documents_exist(document: Path) -> None:
    for program, *args in shell_commands(document.read_text("utf-8")):
        group = programs()[program]
        named = bool(args) and args[0] in group.commands
        default = {"genre-infer": "classify", "genre-export": "model"}.get(program, "")
        command = group.commands[args[0] if named else default]
        options = {name for parameter in command.params for name in parameter.opts}
        for arg in args:
            if arg.startswith("-"):
                assert arg in options, f"{program} {command.name} has no {arg}"


def test_ci_runs_the_readme_s_test_command_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands[:2] == ["set -euo pipefail", 'cd "$(dirname "$0")/.."']
    assert len(commands) == 3
    assert f"```sh\n{commands[2]}\n```" in README


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_both_test_speeds_are_documented(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert "`python -m pytest`" in text
    assert '`python -m pytest -m "not slow"`' in text


def house_map() -> list[Path]:
    """The paths in CONTRIBUTING.md's map; an indented line is inside the folder above it."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    block = re.search(r"## Map\n.*?```text\n(.*?)```", text, re.DOTALL)
    assert block
    found: list[Path] = []
    folders: list[tuple[int, Path]] = []
    for line in block[1].splitlines():
        indent = len(line) - len(line.lstrip())
        if not line.strip() or indent > 10:  # a description on a line of its own
            continue
        while folders and folders[-1][0] >= indent:
            folders.pop()
        parent = folders[-1][1] if folders else ROOT
        names = re.split(r"  +", line.strip())[0].split(", ")
        found += [parent / name for name in names]
        if names[0].endswith("/"):
            folders.append((indent, parent / names[0]))
    return found


def test_the_map_names_only_what_exists() -> None:
    assert not [str(path.relative_to(ROOT)) for path in house_map() if not path.exists()]


def test_the_map_leaves_no_module_out() -> None:
    """A folder without entries of its own, like quantization/, stands for all its modules."""
    named = set(house_map())
    opened = {path.parent for path in named}
    missing = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
        and path not in named
        and (path.parent in opened or path.parent not in named)
    ]
    assert not missing


def examples() -> list[object]:
    """The Python examples of the documents for users, each with a name."""
    return [
        pytest.param(code, id=f"{path.stem}-{number}")
        for path in (ROOT / "README.md", ROOT / "docs" / "python.md")
        for number, code in enumerate(
            re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL), 1
        )
    ]


@pytest.mark.slow
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


def sections(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text("utf-8")):
        if "://" in target:
            continue
        name, _, section = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), target
        assert not section or section in sections(path), target


def test_all_statuses_are_documented() -> None:
    from genre_infer.result import STATUSES

    formats = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for name in STATUSES:
        assert f"`{name}`" in formats


@pytest.mark.slow  # genre_train imports fastai
def test_all_modes_are_documented() -> None:
    from genre_train.thresholds import MODES

    formats = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for name in MODES:
        assert f"`{name}`" in formats


def test_the_tests_that_security_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text("utf-8")))
    files = (ROOT / "tests").rglob("test_*.py")
    written = {
        name
        for path in files
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)
    }
    assert len(named) > 10
    assert named <= written
