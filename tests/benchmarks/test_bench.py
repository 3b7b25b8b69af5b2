"""genre-bench: the exported model beside the original, from files to figures."""

import csv
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from genre_bench.cli import main


def bench(command: str, model: Path, checkpoint: Path, collection: Any, *args: str) -> Result:
    options = ["--checkpoint", str(checkpoint), "--table", str(collection.table)]
    options += ["--posters", str(collection.posters), *args]
    return CliRunner().invoke(main, [command, str(model), *options])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_parity(model: Path, checkpoint: Path, collection: Any, tmp_path: Path) -> None:
    target = tmp_path / "parity.csv"
    args = ("--device", "cpu", "--csv", str(target))
    done = bench("parity", model, checkpoint, collection, *args)
    assert done.exit_code == 0, done.stderr
    (row,) = rows(target)
    assert row["system"] == "float32, CPUExecutionProvider"
    assert row["posters"] == "24"
    assert float(row["largest"]) <= 1e-4
    assert float(row["labels_agree"]) == float(row["named_labels_kept"]) == 1
    assert row["processor"]
    assert row["date"]
    assert row["commit"]


def test_accuracy(model: Path, checkpoint: Path, collection: Any, tmp_path: Path) -> None:
    target = tmp_path / "accuracy.csv"
    args = ("--device", "cpu", "--csv", str(target))
    done = bench("accuracy", model, checkpoint, collection, *args)
    assert done.exit_code == 0, done.stderr
    found = {(row["system"], row["domain"]): row for row in rows(target)}
    assert len(found) == 6 * 4
    original = found["original, PyTorch", "pooled"]
    exported = found["float32, CPUExecutionProvider", "pooled"]
    assert float(original["micro_ap"]) == pytest.approx(float(exported["micro_ap"]), abs=1e-4)
    assert float(original["micro_ap"]) > float(found["everything", "pooled"]["micro_ap"])


def test_a_named_device_that_is_not_there_is_an_error(
    model: Path, checkpoint: Path, collection: Any
) -> None:
    done = bench("parity", model, checkpoint, collection, "--device", "cuda")
    assert done.exit_code == 3
    assert "genre-infer[gpu]" in done.stderr


def test_devices_that_are_not_there_are_named(
    model: Path, checkpoint: Path, collection: Any
) -> None:
    done = bench("parity", model, checkpoint, collection)
    assert done.exit_code == 0
    assert "Not measured: The device cuda" in done.stderr


def test_a_model_of_another_checkpoint_is_refused(checkpoint: Path, collection: Any) -> None:
    from genre_infer import packaged

    done = bench("parity", packaged.PATH, checkpoint, collection, "--device", "cpu")
    assert done.exit_code == 3
    assert "not exported from this --checkpoint" in done.stderr
