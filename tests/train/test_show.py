"""genre-train show: which posters, which genres, in which colours."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.colors import to_hex
from PIL import Image

from genre_train import show as show_module
from genre_train.cli import main
from genre_train.dataset import Dataset
from genre_train.pictures import GREY, save
from genre_train.predictions import Predictions, predict
from genre_train.show import RIGHT, WRONG, Shown, captions, choose, look_up, sheet

POSTER = Image.new("RGB", (64, 96), "navy")


def show(model: Path, collection: Any, output: Path, *args: str) -> Result:
    command = ["show", str(model), "--table", str(collection.table)]
    command += ["--posters", str(collection.posters), "-o", str(output)]
    return CliRunner().invoke(main, [*command, *args])


@pytest.fixture(scope="module")
def predicted(checkpoint: Path, collection: Any) -> tuple[Predictions, Dataset]:
    return predict(checkpoint, collection.table, collection.posters)


def test_a_sheet_is_written_and_depends_on_the_seed(
    checkpoint: Path,
    predicted: tuple[Predictions, Dataset],
    collection: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(show_module, "predict", lambda *_, **__: predicted)
    data = []
    for name, seed in (("a/grid.png", "0"), ("b.png", "0"), ("c.png", "1")):
        options = ("--count", "4", "--columns", "2", "--seed", seed)
        result = show(checkpoint, collection, tmp_path / name, *options)
        assert result.exit_code == 0, result.stderr
        assert "4 of 24 posters" in result.stderr
        data.append((tmp_path / name).read_bytes())
    with Image.open(tmp_path / "b.png") as picture:
        assert (picture.format, picture.width) == ("PNG", 750)
    assert data[0] == data[1] != data[2]


def test_domains_and_more_posters_than_there_are(
    checkpoint: Path, collection: Any, tmp_path: Path
) -> None:
    options = ("--domain", "two", "--count", "200", "--columns", "6")
    result = show(checkpoint, collection, tmp_path / "grid.png", *options)
    assert "12 of 12 posters" in result.stderr


def test_an_unknown_mode_is_named_with_the_known(
    checkpoint: Path,
    predicted: tuple[Predictions, Dataset],
    collection: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(show_module, "predict", lambda *_, **__: predicted)
    result = show(checkpoint, collection, tmp_path / "grid.png", "--mode", "bold")
    assert result.exit_code == 3
    assert "'bold'" in result.stderr
    assert "balanced, high-precision, high-recall" in result.stderr
    assert not (tmp_path / "grid.png").exists()


def test_named_genres_are_those_at_or_above_their_thresholds(
    predicted: tuple[Predictions, Dataset],
) -> None:
    predictions, dataset = deepcopy(predicted)
    predictions.probabilities[3] = [0.2, 0.9, 0.5]
    at_its_threshold = predictions.probabilities[3, 1]
    predictions.thresholds["own"] = np.array([np.inf, at_its_threshold, 0.4])
    shown = look_up(predictions, dataset, "own", 3)
    assert [genre for genre, _ in shown.named] == ["Horror", "Western"]
    assert shown.actual == dataset.posters[3].genres
    assert shown.picture.size == (64, 96)


def test_right_genres_are_green_and_wrong_ones_red() -> None:
    one = Shown(POSTER, ("Drama", "War"), [("War", 0.9), ("Comedy", 0.4)])
    assert captions(one) == [("✓ War 0.90", RIGHT), ("✗ Comedy 0.40", WRONG)]
    assert captions(Shown(POSTER, ("War",), [])) == [("no genre named", GREY)]
    many = [(f"Genre {i}", 0.5) for i in range(9)]
    assert captions(Shown(POSTER, (), many))[-1] == ("and 3 more", GREY)


def test_the_sheet_carries_genres_and_colours(tmp_path: Path) -> None:
    shown = [
        Shown(POSTER, ("Drama", "War"), [("War", 0.9), ("Comedy", 0.4)]),
        Shown(POSTER, ("Horror",), []),
        Shown(POSTER, ("Comedy",), [("Comedy", 0.7)]),
    ]
    figure = save(sheet(shown, 2, "a model"), tmp_path / "sheet.png")
    assert len(figure.axes) == 4
    first, _, third, empty = figure.axes
    assert first.get_title() == "Drama, War"
    texts = [(text.get_text(), to_hex(text.get_color())) for text in first.texts]
    assert texts == [("✓ War 0.90", RIGHT.lower()), ("✗ Comedy 0.40", WRONG.lower())]
    assert [to_hex(text.get_color()) for text in third.texts] == [RIGHT.lower()]
    assert not empty.texts
    assert not empty.images
    lowest = min(text.get_window_extent().y0 for text in first.texts)
    assert lowest > third.title.get_window_extent().y1  # rows do not run into one another


@pytest.mark.parametrize("count", [1, 5, 50])
def test_choosing(count: int) -> None:
    chosen = choose(20, count, 0)
    assert len(set(chosen.tolist())) == min(count, 20)
    assert set(chosen.tolist()) <= set(range(20))
