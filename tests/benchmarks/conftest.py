"""What the tests of genre-bench share: a tiny model, and how a command is run."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from genre_bench.cli import main

Rows = list[dict[str, str]]


@pytest.fixture(scope="session")
def model(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint, exported in float32."""
    from genre_export.model import make_model
    from genre_train.checkpoint import read_checkpoint

    path = tmp_path_factory.mktemp("bench") / "model.onnx"
    path.write_bytes(make_model(read_checkpoint(checkpoint), "float32").data)
    return path


@pytest.fixture(scope="session")
def bench() -> Callable[..., Result]:
    """Runs genre-bench with these arguments."""
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="session")
def read_rows() -> Callable[[Path], Rows]:
    """Reads a CSV file of figures, and checks that each row names where it comes from."""

    def read(path: Path) -> Rows:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            assert row["processor"]
            assert row["date"]
            assert row["commit"]
        return rows

    return read


@pytest.fixture
def measured(
    bench: Callable[..., Result], read_rows: Callable[[Path], Rows], tmp_path: Path
) -> Callable[..., Rows]:
    """Runs genre-bench with these arguments, which must succeed, and returns its rows."""

    def run(*args: object) -> Rows:
        target = tmp_path / "figures.csv"
        done = bench(*args, "--csv", target)
        assert done.exit_code == 0, done.stderr
        assert "processor: " in done.stdout
        return read_rows(target)

    return run


@pytest.fixture(scope="session")
def number() -> Callable[[dict[str, str], str], Any]:
    """A figure of a row, to compare with: six digits are stored."""
    return lambda row, key: pytest.approx(float(row[key]), rel=1e-4)


@pytest.fixture(scope="session")
def split(checkpoint: Path, collection: Any) -> tuple[str, ...]:
    """The options that name the checkpoint, and the posters of its test split."""
    options = ("--checkpoint", checkpoint, "--table", collection.table)
    return tuple(str(part) for part in (*options, "--posters", collection.posters))
