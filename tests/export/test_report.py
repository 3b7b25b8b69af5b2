"""The report beside every export: figures that were measured, and the same on the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from genre_export import bounds
from genre_export.cli import main
from genre_export.difference import compare
from genre_export.quantization.pair_sums import pair_sums
from genre_export.report import DEVICES, macro_ap
from genre_infer import Classifier
from genre_infer.model_file import load_model


def command(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def model(checkpoint: Path, collection: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reported") / "tiny.onnx"
    args = ["--precision", "int8", "--equalisation", "0", "--posters", collection.posters]
    done = command(checkpoint, "-o", path, *args)
    assert done.exit_code == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def report(model: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(model.with_name("tiny.report.json").read_text("utf-8"))
    return document


def test_it_says_which_file_it_is_about(
    report: dict[str, Any], model: Path, checkpoint: Path
) -> None:
    loaded = load_model(model)
    assert report["file"] == "tiny.onnx"
    assert (report["sha256"], report["bytes"]) == (loaded.sha256, model.stat().st_size)
    assert (report["opset"], report["ir_version"]) == (18, 10)
    assert report["metadata"] == loaded.metadata.to_document()
    assert report["metadata"]["details"]["int8"]["calibration_posters"] > 0
    stored = json.loads((checkpoint / "checkpoint.json").read_text("utf-8"))
    assert report["metadata"]["checkpoint_sha256"] == stored["weights"]["sha256"]
    for key in ("processor", "date", "commit"):
        assert report[key]
    assert "numpy" in report["versions"]


def test_every_provider_is_there_or_named_as_missing(report: dict[str, Any]) -> None:
    measured = [row["device"] for row in report["providers"]]
    assert "cpu" in measured
    assert len(measured) + len(report["not_measured"]) == len(DEVICES)
    if "cuda" not in measured:
        assert any("cuda" in sentence for sentence in report["not_measured"])


def test_the_figures_are_those_of_the_file(
    report: dict[str, Any], model: Path, checkpoint: Path, collection: Any
) -> None:
    from genre_export.compared import compared_posters
    from genre_train.checkpoint import read_checkpoint

    original = read_checkpoint(checkpoint)
    compared = compared_posters(original, collection.posters)
    with Classifier(model, device="cpu") as classifier:
        given = np.concatenate([classifier.predict(p[None]) for p in compared.pixels])
    thresholds = original.document["thresholds"]["balanced"]
    expected = compare(compared.expected, given, original.genres, thresholds)
    row = next(row for row in report["providers"] if row["device"] == "cpu")
    assert (row["posters"], report["posters"]) == (24, "valid")
    for name in ("largest", "percentile_99", "labels_agree", "named_labels_kept"):
        assert row[name] == pytest.approx(getattr(expected, name), abs=1e-5), name
    assert row["macro_ap"] == pytest.approx(macro_ap(compared.labels, given), abs=1e-3)
    change = row["macro_ap"] - report["original_macro_ap"]
    assert row["macro_ap_change"] == pytest.approx(change)
    assert row["posters_per_second"] > 0
    assert row["missed"] == bounds.missed(bounds.RULES["int8"], row)


def test_the_page_has_every_figure(report: dict[str, Any], model: Path) -> None:
    text = model.with_name("tiny.report.md").read_text("utf-8")
    for part in (report["sha256"], str(report["bytes"]), "opset 18", report["bound"]):
        assert part in text
    for row in report["providers"]:
        assert f"| {row['provider']} | {row['largest']:.4g} |" in text
        rate = row["posters_per_second"]
        assert (f"| {rate:.4g} |" if rate < 10 else f"| {rate:.1f} |") in text
    for sentence in report["not_measured"]:
        assert sentence in text
    for genre in report["metadata"]["genres"]:
        assert f"| {genre} |" in text
    sums = report["int8_weights"]
    assert f"{sums['smallest_pair_sum']} to {sums['largest_pair_sum']}" in text


def without_time(report: dict[str, Any]) -> dict[str, Any]:
    """What is of the file, and not of the moment: speeds, the machine's load, day and commit."""
    moment = ("date", "commit", "load_average")
    rows = [{k: v for k, v in row.items() if "second" not in k} for row in report["providers"]]
    return {k: v for k, v in report.items() if k not in moment} | {"providers": rows}


def test_a_file_that_exists_is_measured_alike(
    report: dict[str, Any], model: Path, checkpoint: Path, collection: Any, tmp_path: Path
) -> None:
    args = ["--checkpoint", checkpoint, "--posters", collection.posters, "-o", tmp_path / "page"]
    done = command("report", model, *args)
    assert done.exit_code == 0, done.stderr
    again = json.loads((tmp_path / "page" / "report.json").read_text("utf-8"))
    assert (tmp_path / "page" / "README.md").is_file()
    assert without_time(again) == without_time(report)
    assert command("report", model, *args).exit_code == 2
    assert command("report", model, *args, "--force").exit_code == 0


def test_a_file_of_another_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    from genre_infer import model_file

    done = command("report", model_file.PACKAGED_PATH, "--checkpoint", checkpoint, "-o", tmp_path)
    assert done.exit_code == 3
    assert "was not exported from" in done.stderr


def quantized(weights: np.ndarray, axis: int, scales: int) -> onnx.ModelProto:
    node = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"], axis=axis)
    tensors = [
        numpy_helper.from_array(weights.astype(np.int8), "w"),
        numpy_helper.from_array(np.ones(scales, np.float32), "s"),
        numpy_helper.from_array(np.zeros(scales, np.int8), "z"),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, weights.shape)
    return helper.make_model(helper.make_graph([node], "g", [], [output], tensors))


@pytest.mark.parametrize("axis", [0, 1])
def test_pair_sums_are_over_any_two_weights_of_a_channel(axis: int) -> None:
    weights = np.random.default_rng(axis).integers(-64, 65, (3, 4, 5))
    channels = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    pairs = [255 * (int(a) + int(b)) for c in channels for i, a in enumerate(c) for b in c[:i]]
    found = pair_sums(quantized(weights, axis, weights.shape[axis]))
    assert found is not None
    assert (found["largest_pair_sum"], found["smallest_pair_sum"]) == (max(pairs), min(pairs))
    assert found["fits_16_bits"]
    assert found["largest_weight"] == np.abs(weights).max()


@pytest.mark.parametrize(("pair", "fits"), [((64, 64), True), ((64, 65), False)])
def test_where_sixteen_bits_end(pair: tuple[int, int], fits: bool) -> None:
    for sign in (1, -1):
        found = pair_sums(quantized(sign * np.array([[*pair, 0], [1, 2, 3]]), 0, 2))
        assert found is not None
        assert found["fits_16_bits"] == (fits or sign * 255 * sum(pair) == -32_768)


def test_float_files_have_no_pair_sums(checkpoint: Path, tmp_path: Path) -> None:
    assert command(checkpoint, "-o", tmp_path / "x.onnx").exit_code == 0
    document = json.loads((tmp_path / "x.report.json").read_text("utf-8"))
    assert document["int8_weights"] is None
    assert document["posters"] == "drawn"
    assert document["original_macro_ap"] is None
    assert all(row["missed"] == [] for row in document["providers"])
    assert "drawn from a seed" in (tmp_path / "x.report.md").read_text("utf-8")


GOOD = {
    "float32": {"largest": 1e-4, "labels_flipped_away_from_threshold": 0},
    "float16": {"largest": 5e-3},
    "int8": {
        "labels_agree": 0.99,
        "named_labels_kept": 0.95,
        "first_genre_kept": 0.97,
        "macro_ap_change_kaggle": -0.003,
        "macro_ap_change_kgp": 0.003,
    },
}
BAD = [
    ("float32", "largest", 1.1e-4),
    ("float32", "labels_flipped_away_from_threshold", 1),
    ("float16", "largest", 5.1e-3),
    ("float16", "largest", float("nan")),
    ("int8", "labels_agree", 0.9899),
    ("int8", "named_labels_kept", 0.949),
    ("int8", "first_genre_kept", 0.969),
    ("int8", "macro_ap_change_kgp", -0.0031),
    ("int8", "macro_ap_change_kaggle", 0.0031),
]


@pytest.mark.parametrize("precision", GOOD)
def test_figures_at_the_bound_meet_it(precision: str) -> None:
    assert bounds.missed(bounds.RULES[precision], GOOD[precision]) == []
    assert (
        bounds.missed(bounds.RULES[precision], GOOD[precision] | {"first_genre_kept": None}) == []
    )


@pytest.mark.parametrize(("precision", "figure", "value"), BAD)
def test_each_rule_is_judged(precision: str, figure: str, value: float) -> None:
    (rule,) = bounds.missed(bounds.RULES[precision], GOOD[precision] | {figure: value})
    assert f"{value:.4g}" in rule
    assert ("kgp" in figure) == ("kgp" in rule)


def test_a_rule_without_a_figure_is_named(model: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Without posters there is no average precision, and the report says so."""
    done = command("report", model, "--checkpoint", checkpoint, "-o", tmp_path / "page")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "page" / "README.md").read_text("utf-8")
    for text in (done.stderr, page):
        assert "CPUExecutionProvider, not judged for want of posters: macro AP within 0.3" in text
    assert bounds.unjudged(bounds.RULES["int8"], GOOD["int8"]) == []
