"""What the tests of the runtime share: a kilobyte of a model that really computes."""

import hashlib
from pathlib import Path

import pytest
from write_onnx import toy_model

from genre_infer.model_file import sidecar


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model, for tests that need any model but not ours."""
    path = tmp_path_factory.mktemp("toy") / "toy.onnx"
    path.write_bytes(toy_model())
    sidecar(path).write_text(hashlib.sha256(path.read_bytes()).hexdigest() + "\n")
    return path


@pytest.fixture
def cpu(toy: Path) -> list[str]:
    """Options of the command: the small model on onnxruntime's processor."""
    return ["--device", "cpu", "--model", str(toy)]
