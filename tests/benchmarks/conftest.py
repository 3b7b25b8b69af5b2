"""What the tests of genre-bench share."""

from pathlib import Path

import pytest
from click.testing import CliRunner


@pytest.fixture(scope="session")
def model(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint, exported in float32."""
    from genre_export.cli import main as export

    path = tmp_path_factory.mktemp("bench") / "model.onnx"
    done = CliRunner().invoke(export, [str(checkpoint), "-o", str(path)])
    assert done.exit_code == 0, done.stderr
    return path
