"""genre-bench parity: how far the exported model is from the original, and its bounds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genre_bench import parity


@pytest.fixture(autouse=True, scope="module")
def few_posters_at_other_sizes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "SAMPLE", 3)
        yield


@pytest.fixture(scope="module")
def figures(
    model: Path,
    split: tuple[str, ...],
    bench: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The file of a run on the CPU."""
    target = tmp_path_factory.mktemp("parity") / "parity.csv"
    done = bench("parity", model, *split, "--device", "cpu", "--csv", target)
    assert done.exit_code == 0, done.stderr
    return target


def test_parity(figures: Path, read_rows: Callable[..., Any]) -> None:
    (row,) = read_rows(figures)
    assert row["system"] == "float32, CPUExecutionProvider"
    assert row["posters"] == "24"
    assert float(row["largest"]) <= 1e-4
    assert float(row["labels_agree"]) == float(row["named_labels_kept"]) == 1
    assert (row["met"], row["missed"]) == ("yes", "")
    assert "1e-4" in row["bound"]


def test_parity_at_other_sizes(figures: Path, read_rows: Callable[..., Any]) -> None:
    found = read_rows(figures.with_name("parity-sizes.csv"))
    names = ["0.5x (32x48)", "1.5x (96x144)", "2x (128x192)", "3.3x (211x317)", "8x (512x768)"]
    names += ["1000x77", "77x1000", "1x1"]
    assert [(r["size"], r["shrunk_by"]) for r in found] == [
        (size, way) for size in names for way in ("graph", "host")
    ]
    for row in found:
        assert row["posters"] == "3"
        assert (row["met"] == "no") == bool(row["missed"])
        # Pillow 13 resizes the rows of this one first; the difference is bounded, not removed.
        tall = (row["size"], row["shrunk_by"]) == ("77x1000", "graph")
        assert float(row["largest"]) <= (2e-2 if tall else 5e-3)
        if row["shrunk_by"] == "host":  # the very pixels that the original got
            assert float(row["largest"]) <= 1e-4
    assert any(float(row["largest"]) > 1e-6 for row in found if row["shrunk_by"] == "graph")


def test_existing_files_are_not_replaced(
    figures: Path, model: Path, split: tuple[str, ...], bench: Callable[..., Any], tmp_path: Path
) -> None:
    done = bench("parity", model, *split, "--csv", figures)
    assert done.exit_code == 2
    (tmp_path / "parity-sizes.csv").touch()
    done = bench("parity", model, *split, "--csv", tmp_path / "parity.csv")
    assert done.exit_code == 2
    assert "parity-sizes.csv exists" in done.stderr


@pytest.mark.slow
def test_without_models_all_three_precisions_are_measured(
    checkpoint: Path,
    collection: Any,
    split: tuple[str, ...],
    bench: Callable[..., Any],
    read_rows: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from genre_export.model import make_model
    from genre_export.quantization.qdq import Settings
    from genre_infer import model_file
    from genre_train.checkpoint import read_checkpoint

    path = tmp_path / "packaged.onnx"
    settings = Settings(equalisation=0, rounding=False, posters=16)
    made = make_model(read_checkpoint(checkpoint), "int8", collection.posters, settings)
    path.write_bytes(made.data)
    options = [*split, "--device", "cpu", "--csv", tmp_path / "all.csv"]
    done = bench("parity", *options)
    assert done.exit_code == 3
    assert "The packaged model was not exported from this --checkpoint" in done.stderr
    monkeypatch.setattr(model_file, "PACKAGED_PATH", path)
    monkeypatch.setattr(model_file, "PACKAGED_SHA256", model_file.load_model(path).sha256)
    done = bench("parity", *options)
    assert done.exit_code == 0, done.stderr
    found = read_rows(tmp_path / "all.csv")
    names = [f"{p}, CPUExecutionProvider" for p in ("int8", "float32", "float16")]
    assert [row["system"] for row in found] == names
    assert [float(row["largest"]) <= 5e-3 for row in found[1:]] == [True, True]
    assert float(found[0]["largest"]) > float(found[1]["largest"])
    for row in found:
        assert (row["met"] == "no") == bool(row["missed"])
        assert (f"{row['system']} misses: {row['missed']}" in done.stderr) == (row["met"] == "no")
    others = read_rows(tmp_path / "all-sizes.csv")
    assert [sum(row["system"] == name for row in others) for name in names] == [16, 16, 16]
    assert {row["met"] for row in others if row["system"] != names[1]} == {""}


@pytest.mark.slow
def test_a_missed_bound_and_missing_devices_are_reported_and_are_no_error(
    model: Path,
    split: tuple[str, ...],
    bench: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from genre_export import bounds

    rule = bounds.Rule("largest", "less than nothing", most=-1.0)
    monkeypatch.setitem(bounds.RULES, "float32", (rule,))
    done = bench("parity", model, *split)
    assert done.exit_code == 0
    assert "float32, CPUExecutionProvider misses: less than nothing (" in done.stderr
    assert done.stderr.count("Not measured: The device cuda") == 1
