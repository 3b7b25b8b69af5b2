"""What is in the wheel and what is not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools writes beside its sources; not into ours
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source]
    subprocess.run(command, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_carries_all_packages_the_model_and_the_licence(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    for package in ("genre_infer", "genre_export", "genre_train", "genre_bench"):
        assert f"{package}/cli.py" in names
    assert "genre_infer/model/genre-infer.onnx" in names
    assert "genre_infer/model/README.md" in names
    assert "genre_infer/py.typed" in names
    assert "genre_train/templates/results.md.jinja" in names
    assert "genre_export/templates/report.md.jinja" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert top - {name for name in top if name.endswith(".dist-info")} == {
        "genre_infer", "genre_export", "genre_train", "genre_bench",
    }  # fmt: skip
    assert not [name for name in wheel.namelist() if "safetensors" in name or "samples" in name]
    assert sum(item.compress_size for item in wheel.infolist()) < 25_000_000


def test_no_engine_is_a_base_dependency(wheel: zipfile.ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith("METADATA"))
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in wheel.read(name).decode().splitlines()
        if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    names = {r.partition(">")[0].partition("<")[0].partition(" ")[0] for r in required}
    assert names == {"numpy", "pillow", "click", "click-default-group", "rich"}
