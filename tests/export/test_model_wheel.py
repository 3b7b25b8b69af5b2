"""genre-export wheel: a model as a package of data, used by its name after pip install."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from genre_export.cli import main
from genre_infer.model_file import load_model

NAME = "tiny-float16"


def wheel(model: Path, folder: Path, *args: str) -> Result:
    return CliRunner().invoke(main, ["wheel", str(model), "-o", str(folder), *args])


@pytest.fixture(scope="module")
def model(drawn: tuple[Path, str]) -> Path:
    return drawn[0]


@pytest.fixture(scope="module")
def built(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    done = wheel(model, folder)
    assert done.exit_code == 0, done.stderr
    (path,) = folder.iterdir()
    assert f"genre-infer --model {NAME}" in done.stderr
    return path


@pytest.mark.slow
def test_what_is_in_it(built: Path, model: Path) -> None:
    assert built.name == "genre_infer_model_tiny_float16-0.9-py3-none-any.whl"
    package = "genre_infer_model_tiny_float16"
    with zipfile.ZipFile(built) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        files = ("__init__.py", "README.md", f"{NAME}.onnx", f"{NAME}.onnx.sha256")
        assert names == {f"{package}/{file}" for file in files}
        assert archive.read(f"{package}/{NAME}.onnx") == model.read_bytes()
        assert load_model(model).sha256 in archive.read(f"{package}/README.md").decode()
        code = archive.read(f"{package}/__init__.py").decode()
        assert len(code.splitlines()) == 1  # a docstring: data only


@pytest.mark.slow
def test_built_twice_it_is_the_same_to_the_byte(built: Path, model: Path, tmp_path: Path) -> None:
    earlier = os.umask(0o077)
    try:
        assert wheel(model, tmp_path).exit_code == 0
    finally:
        os.umask(earlier)
    assert (tmp_path / built.name).read_bytes() == built.read_bytes()
    assert wheel(model, tmp_path).exit_code == 2
    assert wheel(model, tmp_path, "--force").exit_code == 0


@pytest.mark.slow
def test_installed_it_is_used_by_its_name(built: Path, model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 96), "orange").save(tmp_path / "1.png")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", site, built], check=True)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])

    def infer(*args: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "genre_infer", *args],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    document = json.loads(infer("info", "--json", NAME).stdout)
    assert (document["name"], document["precision"]) == ("tiny", "float16")
    assert document["sha256"] == load_model(model).sha256
    by_name, by_path = (infer("1.png", "--device", "cpu", "--model", m) for m in (NAME, model))
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == by_path.stdout
    missing = infer("1.png", "--model", "tiny-int8")
    assert missing.returncode == 3
    assert f"installed are: {NAME}" in missing.stderr
    (installed,) = site.glob("*/*.onnx")
    installed.write_bytes(installed.read_bytes()[:-1] + b"\x00")
    changed = infer("info", NAME)
    assert changed.returncode == 3
    assert "was changed" in changed.stderr


def test_what_the_runtime_would_refuse_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("text")
    done = wheel(tmp_path / "x.onnx", tmp_path / "out")
    assert done.exit_code == 3
    assert "not an ONNX model" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_version_that_no_package_can_have(model: Path, tmp_path: Path) -> None:
    import onnx

    changed = onnx.load(model)
    document = json.loads(changed.metadata_props[0].value) | {"version": "the newest"}
    del document["content_sha256"]
    onnx.helper.set_model_props(changed, {"genre_infer": json.dumps(document)})
    onnx.save(changed, tmp_path / "x.onnx")
    done = wheel(tmp_path / "x.onnx", tmp_path / "out")
    assert done.exit_code == 3
    assert "'the newest'" in done.stderr
