"""genre-bench: the exported model beside the original, from files to figures."""

import csv
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from genre_bench import sizes
from genre_bench.cli import main


@pytest.fixture(autouse=True)
def few_posters_at_other_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "SAMPLE", 3)


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
    assert (row["met"], row["missed"]) == ("yes", "")
    assert "1e-4" in row["bound"]
    assert row["processor"]
    assert row["date"]
    assert row["commit"]


def test_parity_at_other_sizes(
    model: Path, checkpoint: Path, collection: Any, tmp_path: Path
) -> None:
    args = ("--device", "cpu", "--csv", str(tmp_path / "parity.csv"))
    done = bench("parity", model, checkpoint, collection, *args)
    assert done.exit_code == 0, done.stderr
    found = rows(tmp_path / "parity-sizes.csv")
    names = ["0.5x (32x48)", "1.5x (96x144)", "2x (128x192)", "3.3x (211x317)", "8x (512x768)"]
    names += ["1000x77", "77x1000", "1x1"]
    assert [(r["size"], r["shrunk_by"]) for r in found] == [
        (size, way) for size in names for way in ("graph", "host")
    ]
    for row in found:
        assert row["posters"] == "3"
        assert (row["met"] == "no") == bool(row["missed"])
        # Pillow 13 resizes the rows of this one first; that is bounded, not chased.
        tall = (row["size"], row["shrunk_by"]) == ("77x1000", "graph")
        assert float(row["largest"]) <= (2e-2 if tall else 5e-3)
        assert row["processor"]
        if row["shrunk_by"] == "host":  # the very pixels that the original got
            assert float(row["largest"]) <= 1e-4
    assert any(float(row["largest"]) > 1e-6 for row in found if row["shrunk_by"] == "graph")
    done = bench("parity", model, checkpoint, collection, *args)
    assert done.exit_code == 2
    (tmp_path / "parity.csv").unlink()
    done = bench("parity", model, checkpoint, collection, *args)
    assert done.exit_code == 2
    assert "parity-sizes.csv exists" in done.stderr


def test_without_models_all_three_precisions_are_measured(
    checkpoint: Path, collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genre_export.cli import main as export
    from genre_infer import model_file
    from genre_infer.model_file import load_model

    path = tmp_path / "packaged.onnx"
    args = [str(checkpoint), "-o", str(path), "--precision", "int8", "--equalisation", "0"]
    args += ["--posters"]
    assert CliRunner().invoke(export, [*args, str(collection.posters)]).exit_code == 0
    options = ["--checkpoint", str(checkpoint), "--table", str(collection.table), "--device"]
    options += ["cpu", "--posters", str(collection.posters), "--csv", str(tmp_path / "all.csv")]
    done = CliRunner().invoke(main, ["parity", *options])
    assert done.exit_code == 3
    assert "The packaged model was not exported from this --checkpoint" in done.stderr
    monkeypatch.setattr(model_file, "PACKAGED_PATH", path)
    monkeypatch.setattr(model_file, "PACKAGED_SHA256", load_model(path).sha256)
    done = CliRunner().invoke(main, ["parity", *options])
    assert done.exit_code == 0, done.stderr
    found = rows(tmp_path / "all.csv")
    names = [f"{p}, CPUExecutionProvider" for p in ("int8", "float32", "float16")]
    assert [row["system"] for row in found] == names
    assert [float(row["largest"]) <= 5e-3 for row in found[1:]] == [True, True]
    assert float(found[0]["largest"]) > float(found[1]["largest"])
    for row in found:
        assert (row["met"] == "no") == bool(row["missed"])
        assert (f"{row['system']} misses: {row['missed']}" in done.stderr) == (row["met"] == "no")
    others = rows(tmp_path / "all-sizes.csv")
    assert [sum(row["system"] == name for row in others) for name in names] == [16, 16, 16]
    assert {row["met"] for row in others if row["system"] != names[1]} == {""}


def test_a_missed_bound_is_said_and_is_no_error(
    model: Path, checkpoint: Path, collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genre_export import bounds

    rule = bounds.Rule("largest", "less than nothing", most=-1.0)
    monkeypatch.setitem(bounds.RULES, "float32", (rule,))
    done = bench("parity", model, checkpoint, collection, "--device", "cpu")
    assert done.exit_code == 0
    assert "float32, CPUExecutionProvider misses: less than nothing (" in done.stderr


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
    from genre_infer import model_file

    done = bench("parity", model_file.PACKAGED_PATH, checkpoint, collection, "--device", "cpu")
    assert done.exit_code == 3
    assert "not exported from this --checkpoint" in done.stderr
