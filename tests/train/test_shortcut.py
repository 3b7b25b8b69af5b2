"""genre-train shortcut: what is rewritten, and what is said of it."""

import csv
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sklearn.metrics import average_precision_score

from genre_infer.posters import load_poster
from genre_train import metrics
from genre_train import shortcut as shortcut_module
from genre_train.cli import main
from genre_train.dataset import Dataset
from genre_train.predictions import Predictions, open_predictor, predict
from genre_train.robustness import changed_pixels, recompressed
from genre_train.shortcut import ALL, Rewrite, compare


@pytest.fixture(scope="module")
def predicted(checkpoint: Path, collection: Any) -> tuple[Predictions, Dataset]:
    return predict(checkpoint, collection.table, collection.posters)


@pytest.fixture
def crawls(collection: Any, tmp_path: Path) -> Path:
    """The collection's table with the names of the two crawls."""
    text = collection.table.read_text().replace(",one\n", ",kaggle\n").replace(",two\n", ",kgp\n")
    (tmp_path / "films.csv").write_text(text)
    return tmp_path / "films.csv"


def shortcut(model: Path, table: Path, collection: Any, *args: str) -> Result:
    command = ["shortcut", str(model), "--table", str(table)]
    return CliRunner().invoke(main, [*command, "--posters", str(collection.posters), *args])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_both_directions(
    checkpoint: Path,
    crawls: Path,
    collection: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "FEWEST_POSTERS", 4)
    output = tmp_path / "new" / "shortcut.csv"
    options = ("-o", str(output), "--size", "40x60", "--quality", "10")
    result = shortcut(checkpoint, crawls, collection, *options)
    assert result.exit_code == 0, result.output
    rows = read(output)
    forms = {(row["domain"], row["size"], row["quality"]) for row in rows}
    assert forms == {("kgp", "40x60", "10"), ("kaggle", "300x442", "90")}
    for domain in ("kgp", "kaggle"):
        *genres, mean = [row for row in rows if row["domain"] == domain]
        assert [row["genre"] for row in genres] == ["Comedy", "Horror", "Western"]
        assert (mean["genre"], mean["support"]) == (ALL, "12")
        for name in ("ap_before", "ap_after", "difference"):
            values = [float(row[name]) for row in genres]
            assert float(mean[name]) == pytest.approx(np.mean(values), abs=2e-5)
        changes = [float(row["largest_change"]) for row in genres]
        assert float(mean["largest_change"]) == max(changes) > 0
        assert f"12 posters of {domain}" in result.output


def test_one_direction_without_kaggle(checkpoint: Path, collection: Any, tmp_path: Path) -> None:
    options = ("-o", str(tmp_path / "s.csv"), "--domain", "two", "--size", "40x60")
    result = shortcut(checkpoint, collection.table, collection, *options)
    assert result.exit_code == 0, result.output
    (row,) = read(tmp_path / "s.csv")  # no genre has 30 posters here
    assert (row["domain"], row["genre"], row["ap_before"]) == ("two", ALL, "")
    assert float(row["largest_change"]) >= float(row["mean_change"]) > 0


def test_a_domain_that_is_not_there(
    checkpoint: Path,
    predicted: tuple[Predictions, Dataset],
    collection: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shortcut_module, "predict", lambda *_, **__: predicted)
    result = shortcut(checkpoint, collection.table, collection)
    assert result.exit_code == 3
    assert "--domain kgp" in result.stderr
    assert "one, two" in result.stderr


def test_posters_are_really_rewritten(
    predicted: tuple[Predictions, Dataset], collection: Any
) -> None:
    _, dataset = predicted
    pixels = changed_pixels(dataset, np.array([5, 2]), recompressed(20, (32, 50)), "rewritten")
    picture = load_poster(collection.posters / dataset.posters[5].name)
    file = BytesIO()
    picture.resize((32, 50), Image.Resampling.BILINEAR).save(file, "JPEG", quality=20)
    with Image.open(file) as small:
        expected = np.asarray(small.resize((64, 96), Image.Resampling.BILINEAR))
    assert (pixels.shape, pixels.dtype) == ((2, 96, 64, 3), np.uint8)
    np.testing.assert_array_equal(pixels[0], expected)
    assert np.abs(pixels[1].astype(int) - dataset.pixels[2]).mean() > 2


def test_pixels_are_predicted_as_posters_are(
    checkpoint: Path, predicted: tuple[Predictions, Dataset]
) -> None:
    predictions, dataset = predicted
    with open_predictor(checkpoint, "cpu") as predictor:
        again = predictor.probabilities(dataset.pixels)
    np.testing.assert_array_equal(again, predictions.probabilities)


def test_compare_is_of_the_chosen_posters_and_supported_genres() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random((200, 3)) < [0.5, 0.4, 0.01]
    before = generator.random((200, 3)).astype(np.float32)
    predictions = Predictions(
        model="m",
        genres=["A", "B", "C"],
        imdb_ids=np.arange(200),
        domains=np.array(["x"] * 200),
        labels=labels,
        probabilities=before,
        thresholds={},
    )
    chosen = np.arange(20, 180)
    after = before[chosen].copy()
    after[:, 1] = labels[chosen, 1]  # B becomes perfect
    first, second, mean = compare(predictions, chosen, after, Rewrite("x", (32, 48), 50))
    assert (first["genre"], first["difference"], first["largest_change"]) == ("A", 0, 0)
    ap = average_precision_score(labels[chosen, 1], before[chosen, 1])
    assert second["ap_before"] == pytest.approx(ap)
    assert second["ap_after"] == 1
    assert mean["difference"] == pytest.approx((1 - ap) / 2)
    assert 0 < mean["low"] < mean["difference"] < mean["high"] < 0.5
    assert mean["largest_change"] == pytest.approx(np.abs(after - before[chosen]).max())
