"""Models that are packages of their own: found by name, never imported, checked as any other."""

import dataclasses
import hashlib
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pretend import device_is
from write_onnx import model_bytes

from genre_infer import Classifier, ModelError
from genre_infer.cli import faster_model, main
from genre_infer.model_file import find_model, installed_name, load_model


def install(site: Path, name: str, module: str, data: bytes = b"", sha256: str = "") -> Path:
    """Lay out what pip would: a package with a model, and its entry point."""
    package, info = site / module, site / f"{module}-1.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('a model was imported')")
    data = data or model_bytes()
    (package / "m.onnx").write_bytes(data)
    (package / "m.onnx.sha256").write_text(sha256 or hashlib.sha256(data).hexdigest())
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[genre_infer.models]\n{name} = {module}\n")
    return package / "m.onnx"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_model_is_found_by_its_name_and_nothing_is_imported(site: Path) -> None:
    file = install(site, "test-float16", "made_model")
    assert find_model("test-float16") == file
    assert load_model(find_model("test-float16")).metadata.name == "test"
    assert "made_model" not in sys.modules
    done = CliRunner().invoke(main, ["info", "--json", "test-float16"])
    assert (done.exit_code, '"name": "test"' in done.stdout) == (0, True)


def test_a_path_that_exists_wins(site: Path, tmp_path: Path) -> None:
    install(site, "test-float16", "made_model")
    (tmp_path / "test-float16").write_bytes(b"mine")
    assert find_model("test-float16") == Path("test-float16")
    with pytest.raises(ModelError, match="not an ONNX model"):
        Classifier("test-float16")


def test_an_unknown_name_says_what_is_installed(site: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing-int8.*none is installed.*pip install"):
        Classifier("nothing-int8")
    install(site, "b-float16", "made_b")
    install(site, "a-int8", "made_a")
    with pytest.raises(ModelError, match="installed are: a-int8, b-float16"):
        Classifier("nothing-int8")
    for path in ("gone.onnx", "folder/gone"):
        with pytest.raises(ModelError, match="cannot be read"):
            Classifier(path)


def test_an_installed_model_is_held_to_its_hash(site: Path) -> None:
    file = install(site, "test-float16", "made_model")
    file.write_bytes(model_bytes(metadata={"name": "other"}))
    with pytest.raises(ModelError, match=r"was changed.*install both again"):
        Classifier("test-float16")
    file.with_name("m.onnx.sha256").unlink()
    with pytest.raises(ModelError, match="incomplete"):
        Classifier("test-float16")


def test_two_packages_with_one_name_are_refused(site: Path) -> None:
    install(site, "test-float16", "made_a")
    install(site, "test-float16", "made_b")
    with pytest.raises(ModelError, match="pip uninstall made_"):
        Classifier("test-float16")


def test_names() -> None:
    assert installed_name("My Posters_2", "int8") == "my-posters-2-int8"


def test_the_runtime_says_when_another_file_would_be_faster(site: Path) -> None:
    slow = load_model(find_model(Path(install(site, "x", "made_x")))).metadata
    assert slow.precision == "float32"
    said = faster_model("cuda", slow)
    assert said is not None
    assert "--precision float16" in said
    assert "genre-export wheel" in said
    install(site, "test-float16", "made_model")
    said = faster_model("cuda", slow)
    assert said is not None
    assert said.endswith("it is installed: --model test-float16")
    assert faster_model("cpu", slow) is faster_model("openvino", slow) is None
    assert faster_model("cuda", dataclasses.replace(slow, precision="float16")) is None


@pytest.mark.parametrize(("device", "says"), [("cuda", True), ("cpu", False)])
def test_the_summary_says_it(
    device: str, says: bool, folder: Path, cpu: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="needs an engine")
    device_is(device, monkeypatch)
    done = CliRunner().invoke(main, [str(folder / "1.jpg"), *cpu])
    assert done.exit_code == 0
    assert ("faster on a GPU" in done.stderr) == says
