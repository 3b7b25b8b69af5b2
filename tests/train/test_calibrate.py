"""genre-train calibrate, modes, robustness and slices, over a small checkpoint."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from genre_train import metrics, slices
from genre_train.cli import main
from genre_train.modes import answers
from genre_train.predictions import Predictions
from genre_train.robustness import CHANGES
from genre_train.thresholds import RULES


def run(command: str, model: Path, collection: Any, *args: str) -> Result:
    command_line = [command, str(model), "--table", str(collection.table)]
    return CliRunner().invoke(main, [*command_line, "--posters", str(collection.posters), *args])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_calibrate_for_another_size(checkpoint: Path, collection: Any, tmp_path: Path) -> None:
    output = tmp_path / "larger"
    done = run("calibrate", checkpoint, collection, "-o", str(output), "--size", "80x120")
    assert done.exit_code == 0, done.stderr
    before, after = (
        json.loads((folder / "checkpoint.json").read_text()) for folder in (checkpoint, output)
    )
    assert (after["input"]["width"], after["input"]["height"]) == (80, 120)
    assert after["weights"]["sha256"] == before["weights"]["sha256"]
    assert after["calibration"] != before["calibration"]
    assert after["metrics"]["test"]["pooled"]["posters"] == 24
    assert after["valid"] == before["valid"]
    again = run("calibrate", checkpoint, collection, "-o", str(output))
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_calibrate_at_the_same_size_changes_nothing(
    checkpoint: Path, collection: Any, tmp_path: Path
) -> None:
    assert run("calibrate", checkpoint, collection, "-o", str(tmp_path / "same")).exit_code == 0
    before, after = (
        json.loads((folder / "checkpoint.json").read_text())
        for folder in (checkpoint, tmp_path / "same")
    )
    for key in ("calibration", "thresholds", "metrics", "valid", "calibration_posters"):
        assert after[key] == before[key]


def test_robustness_measures_every_change(
    checkpoint: Path, collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "FEWEST_POSTERS", 4)
    output = tmp_path / "robustness.csv"
    done = run("robustness", checkpoint, collection, "-o", str(output))
    assert done.exit_code == 0, done.stderr
    first, *rows = read(output)
    assert (first["change"], float(first["difference"]), first["agree"]) == ("as they are", 0, "1")
    assert [row["change"] for row in rows] == list(CHANGES)
    for row in rows:
        expected = float(row["macro_ap"]) - float(first["macro_ap"])
        assert float(row["difference"]) == pytest.approx(expected, abs=2e-5)
        assert 0 <= float(row["agree"]) <= 1


def test_changes_are_what_they_say() -> None:
    across = np.linspace(0, 255, 100).astype(np.uint8)
    poster = Image.fromarray(np.stack([np.tile(across, (150, 1))] * 3, axis=2)).convert("RGB")
    sizes = {name: change(poster).size for name, change in CHANGES.items()}
    assert sizes["half the size"] == (50, 75)
    assert sizes["8 times the size"] == (800, 1200)
    assert sizes["5 % cut off each side"] == (90, 134)
    turned = np.asarray(CHANGES["turned by 2 degrees"](poster))
    assert turned.shape == (150, 100, 3)
    assert turned[0, -1].sum() == 0  # a corner of the scanner's lid
    colour = Image.new("RGB", (20, 30), (200, 40, 90))
    assert len(set(CHANGES["grey"](colour).getpixel((3, 3)))) == 1


def test_modes_compares_every_rule(checkpoint: Path, collection: Any, tmp_path: Path) -> None:
    output = tmp_path / "modes.csv"
    done = run("modes", checkpoint, collection, "-o", str(output))
    assert done.exit_code == 0, done.stderr
    names = [row["rule"] for row in read(output)]
    assert names[: len(RULES)] == list(RULES)
    assert names[-1] == "(the model's high-recall)"


def test_runs_are_told_from_checkpoints(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "runs.csv"
    done = CliRunner().invoke(main, ["runs", str(checkpoint), str(checkpoint), "-o", str(output)])
    assert done.exit_code == 0, done.stderr
    row, again = read(output)
    assert row == again
    assert (row["run"], row["size"], row["posters"]) == ("tiny", "64x96", "72")
    assert row["changed"] == "only the head"
    document = json.loads((checkpoint / "checkpoint.json").read_text())
    expected = document["metrics"]["test"]["mean of domains"]["macro_ap"]
    assert float(row["test"] or "nan") == pytest.approx(expected or float("nan"), nan_ok=True)


def test_slices_are_parts_of_the_split(
    checkpoint: Path, collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "FEWEST_POSTERS", 4)
    lines = collection.table.read_text().splitlines()
    years = ["year", *(str(1970 + number % 20) for number in range(len(lines) - 1))]
    table = tmp_path / "films.csv"
    table.write_text("\n".join(f"{line},{year}" for line, year in zip(lines, years, strict=True)))
    output = tmp_path / "slices.csv"
    command = ["slices", str(checkpoint), "--table", str(table), "-o", str(output)]
    done = CliRunner().invoke(main, [*command, "--posters", str(collection.posters)])
    assert done.exit_code == 0, done.stderr
    counts = {row["slice"]: int(row["posters"]) for row in read(output)}
    assert counts["domain one"] + counts["domain two"] == 24
    assert counts["year 1970 to 1979"] + counts["year 1980 to 1989"] == 24
    assert sum(count for name, count in counts.items() if "in the table" in name) == 24


def test_answers_by_hand() -> None:
    labels = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=bool)
    probabilities = np.array([[0.9, 0.2, 0.6], [0.7, 0.5, 0.1], [0.3, 0.1, 0.2]], np.float32)
    names = np.array(["all"] * 3)
    predictions = Predictions("m", ["A", "B", "C"], np.arange(3), names, labels, probabilities, {})
    found = answers(predictions, np.array([0.5, 0.4, 0.5]))
    assert found["named"] == pytest.approx(4 / 3)  # A and C, A and B, none
    assert (found["precision"], found["recall"]) == (0.5, 0.5)
    assert found["samples_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert (found["first"], found["none"]) == (0.5, pytest.approx(1 / 3))
