"""The report beside every export: figures that were measured, and the same on the page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from genre_export import bounds
from genre_export.cli import main
from genre_export.compared import compared_posters
from genre_export.difference import compare
from genre_export.quantization.pair_sums import pair_sums
from genre_export.report import DEVICES, macro_ap
from genre_infer import Classifier, model_file
from genre_infer.model_file import load_model
from genre_train.checkpoint import Checkpoint


def command(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def model(exported: Callable[[str], Path]) -> Path:
    return exported("float32")


@pytest.fixture(scope="module")
def report(model: Path) -> dict[str, Any]:
    """What the export wrote beside the model. It has no speeds."""
    return load(model.with_name("float32.report.json"))


@pytest.fixture(scope="module")
def int8(exported: Callable[[str], Path]) -> Path:
    return exported("int8")


@pytest.fixture(scope="module")
def measured(
    int8: Path, checkpoint: Path, collection: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a report that the command wrote, with speeds."""
    folder = tmp_path_factory.mktemp("measured") / "page"
    args = ["--checkpoint", checkpoint, "--posters", collection.posters, "-o", folder]
    done = command("report", int8, *args)
    assert done.exit_code == 0, done.stderr
    return folder


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def test_it_names_the_file_that_it_is_about(
    report: dict[str, Any], model: Path, checkpoint: Path
) -> None:
    loaded = load_model(model)
    assert report["file"] == "float32.onnx"
    assert (report["sha256"], report["bytes"]) == (loaded.sha256, model.stat().st_size)
    assert (report["opset"], report["ir_version"]) == (18, 10)
    assert report["metadata"] == loaded.metadata.to_document()
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
    report: dict[str, Any], model: Path, stored: Checkpoint, collection: Any
) -> None:
    check_figures(report, model, stored, collection)
    assert all(row["posters_per_second"] is None for row in report["providers"])


@pytest.mark.slow
def test_the_figures_of_int8_are_those_of_the_file(
    measured: Path, int8: Path, stored: Checkpoint, collection: Any
) -> None:
    report = load(measured / "report.json")
    check_figures(report, int8, stored, collection)
    assert all(row["posters_per_second"] > 0 for row in report["providers"])


def check_figures(
    report: dict[str, Any], model: Path, original: Checkpoint, collection: Any
) -> None:
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
    assert row["missed"] == bounds.missed(bounds.RULES[report["metadata"]["precision"]], row)


def test_the_page_has_every_figure(report: dict[str, Any], model: Path) -> None:
    check_page(report, read_page(model.with_name("float32.report.md")))


@pytest.mark.slow
def test_the_page_of_int8_has_every_figure(measured: Path) -> None:
    report = load(measured / "report.json")
    text = read_page(measured / "README.md")
    check_page(report, text)
    for row in report["providers"]:
        rate = row["posters_per_second"]
        assert (f"| {rate:.4g} |" if rate < 10 else f"| {rate:.1f} |") in text
    sums = report["int8_weights"]
    assert f"{sums['smallest_pair_sum']} to {sums['largest_pair_sum']}" in text


def read_page(path: Path) -> str:
    """The page without the spaces that align its tables."""
    return re.sub(" +", " ", path.read_text("utf-8"))


def check_page(report: dict[str, Any], text: str) -> None:
    for part in (report["sha256"], str(report["bytes"]), "opset 18", report["bound"]):
        assert part in text
    for row in report["providers"]:
        assert f"| {row['provider']} | {row['largest']:.4g} |" in text
    for sentence in report["not_measured"]:
        assert sentence in text
    for genre in report["metadata"]["genres"]:
        assert f"| {genre} |" in text


def without_time(report: dict[str, Any]) -> dict[str, Any]:
    """What is of the file, and not of the moment: speeds, the machine's load, day and commit."""
    moment = ("date", "commit", "load_average")
    rows = [{k: v for k, v in row.items() if "second" not in k} for row in report["providers"]]
    return {k: v for k, v in report.items() if k not in moment} | {"providers": rows}


@pytest.mark.slow
def test_a_file_that_exists_is_measured_alike(measured: Path, int8: Path) -> None:
    again, first = load(measured / "report.json"), load(int8.with_name("int8.report.json"))
    assert (measured / "README.md").is_file()
    assert without_time(again) == without_time(first)


def test_a_file_of_another_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
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


def test_float_files_have_no_pair_sums(report: dict[str, Any]) -> None:
    assert report["int8_weights"] is None
    assert all(row["missed"] == [] for row in report["providers"])


@pytest.mark.slow
def test_without_posters_drawn_ones_are_reported(drawn: tuple[Path, str]) -> None:
    model, _ = drawn
    document = load(model.with_name("any name.report.json"))
    assert document["int8_weights"] is None
    assert document["posters"] == "drawn"
    assert document["original_macro_ap"] is None
    assert all(row["missed"] == [] for row in document["providers"])
    assert all(row["posters_per_second"] > 0 for row in document["providers"])
    assert "drawn from a seed" in model.with_name("any name.report.md").read_text("utf-8")


@pytest.mark.slow
def test_int8_says_how_it_was_calibrated(int8: Path) -> None:
    report = load(int8.with_name("int8.report.json"))
    assert report["metadata"]["details"]["int8"]["calibration_posters"] > 0
    assert report["int8_weights"] == pair_sums(onnx.load(int8))


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


def test_drafts_are_judged_too() -> None:
    good = {"percentile_99": 0.02, "labels_agree": 0.995, "macro_ap_change": -0.001}
    assert bounds.missed(bounds.DRAFT, good) == []
    assert bounds.unjudged(bounds.DRAFT, good) == []
    for bad in ({"percentile_99": 0.021}, {"labels_agree": 0.994}, {"macro_ap_change": 0.0011}):
        assert len(bounds.missed(bounds.DRAFT, good | bad)) == 1
    unmeasured = good | {"macro_ap_change": None}
    assert bounds.missed(bounds.DRAFT, unmeasured) == []
    assert len(bounds.unjudged(bounds.DRAFT, unmeasured)) == 1


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


@pytest.mark.slow
def test_a_rule_without_a_figure_is_named(int8: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Without posters there is no average precision, and the report says so."""
    args = ["report", int8, "--checkpoint", checkpoint, "-o", tmp_path / "page"]
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "README.md").write_text("mine")
    assert command(*args).exit_code == 2
    done = command(*args, "--force")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "page" / "README.md").read_text("utf-8")
    for text in (done.stderr, page):
        assert "CPUExecutionProvider, not judged for lack of posters: macro AP within 0.3" in text
    assert bounds.unjudged(bounds.RULES["int8"], GOOD["int8"]) == []
