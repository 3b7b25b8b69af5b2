"""docs/results/packaged reports on the packaged model, and its figures hold."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from genre_export.bounds import RULES, bound, missed, unjudged
from genre_export.quantization.pair_sums import pair_sums
from genre_export.report_page import page
from genre_infer import model_file
from genre_infer.model_file import load_model

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "results" / "packaged"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "report.json").read_text("utf-8"))
    return document


def test_it_is_about_this_file(report: dict[str, Any]) -> None:
    data = model_file.PACKAGED_PATH.read_bytes()
    assert report["file"] == model_file.PACKAGED_PATH.name
    assert report["sha256"] == model_file.PACKAGED_SHA256 == hashlib.sha256(data).hexdigest()
    assert report["bytes"] == len(data)
    model = onnx.load_from_string(data)  # read by the onnx package, not by our reader
    opsets = {entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")}
    assert opsets == {report["opset"]}
    assert model.ir_version == report["ir_version"]


def test_the_report_has_the_metadata_of_the_file(report: dict[str, Any]) -> None:
    """Name, version, precision, genres, thresholds, licences, calibration: all of it."""
    assert report["metadata"] == load_model().metadata.to_document()
    assert report["metadata"]["name"] == model_file.PACKAGED_NAME
    assert report["metadata"]["version"] == model_file.PACKAGED_VERSION


def test_it_was_made_from_the_checkpoint_in_this_repository(report: dict[str, Any]) -> None:
    weights = ROOT / "train" / "checkpoint" / "weights.safetensors"
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert report["metadata"]["checkpoint_sha256"] == sha256


def test_no_sum_of_two_products_overflows(report: dict[str, Any]) -> None:
    """Measured again on the file's own weights."""
    found = pair_sums(onnx.load(model_file.PACKAGED_PATH))
    assert found is not None
    assert found == report["int8_weights"]
    assert found["fits_16_bits"]
    assert found["layers"] >= 30


def test_it_was_measured_on_valid_posters_and_judged_by_the_bounds(report: dict[str, Any]) -> None:
    rules = RULES[report["metadata"]["precision"]]
    assert (report["posters"], report["posters_missing"]) == ("valid", 0)
    checkpoint = ROOT / "train" / "checkpoint" / "checkpoint.json"
    valid = json.loads(checkpoint.read_text("utf-8"))["valid"]
    assert report["bound"] == bound(rules)
    assert {"cpu", "openvino"} <= {row["device"] for row in report["providers"]}
    for row in report["providers"]:
        assert row["posters"] == len(valid)
        assert row["missed"] == missed(rules, row) == []
        assert unjudged(rules, row) == []
        assert row["posters_per_second"] > 0
        assert row["macro_ap"] == pytest.approx(report["original_macro_ap"], abs=0.02)


@pytest.mark.parametrize("path", sorted(FOLDER.parent.glob("parity*.csv")), ids=lambda p: p.stem)
def test_every_bound_is_met_in_the_stored_parity(path: Path) -> None:
    """77x1000 alone may not: Pillow 13 resizes its rows first, which the graph does not imitate."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        if row["bound"] and row.get("size") != "77x1000":
            assert row["met"] == "yes", row


def test_the_page_is_the_report(report: dict[str, Any]) -> None:
    assert (FOLDER / "README.md").read_text("utf-8") == page(report)
