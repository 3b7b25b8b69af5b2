"""genre-train results: tables, pictures, one page."""

import csv
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from by_hand import GENRES, make_predictions
from click.testing import CliRunner, Result
from PIL import Image
from sklearn.metrics import average_precision_score

from genre_train import first_genre, metrics, pictures
from genre_train import results as results_module
from genre_train.cli import main
from genre_train.metrics import MEAN
from genre_train.provenance import commit

PNG = {"average-precision", "reliability", "precision-recall", "cooccurrence"}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    make_predictions().save(tmp_path / "predictions.npz")
    return tmp_path / "predictions.npz"


def results(*args: object) -> Result:
    return CliRunner().invoke(main, ["results", *map(str, args)])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def page(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the epochs of a checkpoint, where an earlier page had a comparison."""
    root = tmp_path_factory.mktemp("results")
    make_predictions().save(root / "predictions.npz")
    output = root / "docs" / "page"
    output.mkdir(parents=True)
    (output / "compared.csv").write_text("of an earlier page")
    args = ("-o", output, "--checkpoint", checkpoint, "--machine", "an abacus")
    result = results(root / "predictions.npz", *args)
    assert result.exit_code == 0, result.output
    return output


def test_a_page_with_all_its_parts(page: Path) -> None:
    output = page
    assert {path.stem for path in output.glob("*.png")} == {*PNG, "learning"}
    tables = {path.stem for path in output.glob("*.csv")}
    assert tables == {"scores", "genres", "modes", "intervals", "epochs"}
    text = (output / "README.md").read_text("utf-8")
    for part in ("# drawn 0, by hand", "Posters: 300", "Processor: an abacus", "Commit: "):
        assert part in text
    assert "pooled (shown, never a goal)" in text
    assert "accuracy_multi is degenerate" in text
    assert "kaggle: macro averages over 3 genres." in text
    assert text.count("with or without it: News.") == 2
    for name in [path.name for path in output.iterdir() if path.name != "README.md"]:
        assert f"({name})" in text
    for picture in output.glob("*.png"):
        with Image.open(picture) as opened:
            assert opened.width == 1500


def test_the_tables_figures(page: Path) -> None:
    p = make_predictions()
    scores = {(r["system"], r["domain"]): r for r in read(page / "scores.csv")}
    assert len(scores) == 5 * 4
    parts = [float(scores["model", domain]["macro_ap"]) for domain in ("kaggle", "kgp")]
    assert float(scores["model", MEAN]["macro_ap"]) == pytest.approx(np.mean(parts), abs=1e-5)
    kaggle = p.domains == "kaggle"
    expected = average_precision_score(p.labels[kaggle][:, :3], p.probabilities[kaggle][:, :3])
    assert parts[0] == pytest.approx(expected, abs=1e-5)
    headline = read(page / "intervals.csv")[0]
    assert headline["value"] == scores["model", MEAN]["macro_ap"]

    balanced, precise = read(page / "modes.csv")
    named = p.probabilities >= [0.5, 0.5, 0.4, np.inf]
    assert (balanced["mode"], int(balanced["named"])) == ("balanced", named.sum())
    assert float(balanced["precision"]) == pytest.approx(p.labels[named].mean(), abs=1e-5)
    assert float(balanced["recall"]) == pytest.approx(named[p.labels].mean(), abs=1e-5)
    assert balanced["never"] == "1"
    assert int(balanced["none"]) == (~named.any(axis=1)).sum()
    assert float(precise["precision"]) > float(balanced["precision"])

    genres = read(page / "genres.csv")
    assert len(genres) == 2 * len(GENRES)
    assert sum(int(row["support"]) for row in genres) == p.labels.sum()


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    monkeypatch.setattr(results_module, "commit", lambda _: "abc1234")
    pages = []
    for name in ("a", "b"):
        assert results(stored, "-o", tmp_path / name).exit_code == 0
        pages.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert pages[0] == pages[1]
    assert b"Date: 1970-01-02\n" in pages[0]["README.md"]


@pytest.mark.slow
def test_further_predictions_are_compared(stored: Path, tmp_path: Path) -> None:
    better = make_predictions(seed=1, noise=0.2)
    better.save(tmp_path / "better.npz")
    output = tmp_path / "page"
    assert results(stored, stored, tmp_path / "better.npz", "-o", output).exit_code == 0
    same, other = read(output / "compared.csv")
    assert {same[k] for k in ("difference", "low", "high", "largest")} == {"0"}
    assert same["agree"] == "1"
    assert 0 < float(other["low"]) < float(other["difference"]) < float(other["high"])
    assert float(other["agree"]) < 1


@pytest.mark.slow
def test_a_model_with_fewer_genres_is_compared_over_those_of_both(
    stored: Path, tmp_path: Path
) -> None:
    make_predictions().only(["Drama", "Comedy"]).save(tmp_path / "fewer.npz")
    output = tmp_path / "page"
    assert results(stored, tmp_path / "fewer.npz", "-o", output).exit_code == 0
    (row,) = read(output / "compared.csv")
    assert row["genres"] == "2"
    assert {row[k] for k in ("difference", "low", "high", "largest")} == {"0"}
    predictions = make_predictions().only(["Comedy", "Drama"])
    expected = metrics.by_domain(
        predictions.probabilities,
        predictions.labels,
        predictions.domains,
        predictions.thresholds["balanced"],
    )[MEAN]["macro_ap"]
    assert float(row["macro_ap"]) == pytest.approx(expected, rel=1e-5)


def test_other_posters_are_refused(stored: Path, tmp_path: Path) -> None:
    other = make_predictions()
    other.imdb_ids = other.imdb_ids + 1
    other.save(tmp_path / "other.npz")
    result = results(stored, tmp_path / "other.npz", "-o", tmp_path / "page")
    assert result.exit_code == 3
    assert "other.npz" in result.stderr
    assert not (tmp_path / "page").exists()


def test_predictions_without_thresholds_are_refused(tmp_path: Path) -> None:
    bare = make_predictions()
    bare.thresholds = {}
    bare.save(tmp_path / "bare.npz")
    result = results(tmp_path / "bare.npz", "-o", tmp_path / "page")
    assert result.exit_code == 3
    assert "--labels all" in result.stderr


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert commit(Path(__file__)) == "unknown"


def test_average_precision_bars(tmp_path: Path) -> None:
    p = make_predictions()
    figure = pictures.ap_picture(p, tmp_path / "ap.png")
    assert [panel.get_title() for panel in figure.axes] == [
        "kaggle: 180 posters",
        "kgp: 120 posters",
    ]
    names, panel = figure.axes[0].get_yticklabels(), figure.axes[1]
    bars = {
        name.get_text(): bar.get_width() for name, bar in zip(names, panel.patches, strict=True)
    }
    chosen = p.domains == "kgp"
    truth, scores = p.labels[chosen], p.probabilities[chosen]
    for column, genre in enumerate(GENRES):
        expected = average_precision_score(truth[:, column], scores[:, column])
        assert bars[genre] == pytest.approx(expected)
    assert list(bars)[-1] == "Drama"  # the best on top
    (chance,) = panel.lines
    assert chance.get_xdata()[-1] == pytest.approx(truth[:, 2].mean())


def test_cooccurrence_shares() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    shares = pictures.cooccurrence(labels)
    expected = [[np.nan, 0.5, 0], [0.5, np.nan, 0], [np.nan, np.nan, np.nan]]
    np.testing.assert_array_equal(shares, expected)


def test_reliability_of_calibrated_probabilities(tmp_path: Path) -> None:
    p = make_predictions()
    figure = pictures.reliability_picture(p, tmp_path / "reliability.png")
    assert len(figure.axes) == 1 + pictures.MOST_FREQUENT
    diagonal, line = figure.axes[0].lines
    assert list(diagonal.get_xdata()) == [0, 1]
    assert len(line.get_xdata()) == metrics.BINS
    assert np.mean(line.get_ydata()) == pytest.approx(p.labels.mean(), abs=1e-3)
    titles = [panel.get_title() for panel in figure.axes[1:5]]
    assert titles == ["Drama", "Comedy", "Action", "News"]  # by frequency


def test_precision_recall_marks_the_thresholds(tmp_path: Path) -> None:
    p = make_predictions()
    figure = pictures.precision_recall_picture(p, tmp_path / "curves.png")
    action, _, _, news = figure.axes[:4]
    named = p.probabilities[:180, 0] >= 0.5
    truth = p.labels[:180, 0]
    dots = [line for line in action.lines if line.get_marker() == "o"]
    assert len(dots) == 2  # a domain each
    assert dots[0].get_xdata()[0] == pytest.approx((named & truth).sum() / truth.sum())
    assert dots[0].get_ydata()[0] == pytest.approx((named & truth).sum() / named.sum())
    assert not [line for line in news.lines if line.get_marker() == "o"]  # never named


def test_learning_curves_of_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    epochs = json.loads((checkpoint / "checkpoint.json").read_text("utf-8"))["epochs"]
    figure = pictures.learning_picture(epochs, tmp_path / "learning.png")
    loss, ap = figure.axes
    assert [line.get_label() for line in loss.lines] == ["train", "valid"]
    assert list(ap.lines[0].get_ydata()) == [epoch["macro_ap"] for epoch in epochs]
    for epoch in epochs:
        epoch["accuracy_multi"] = 0.9
    assert len(pictures.learning_picture(epochs, tmp_path / "learning.png").axes) == 3


def test_confusion_is_normalised_by_row(tmp_path: Path) -> None:
    actual, predicted = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    figure = first_genre.confusion_picture(actual, predicted, GENRES[:3], tmp_path / "c.png")
    panel = figure.axes[0]
    shares = np.asarray(panel.images[0].get_array())
    np.testing.assert_allclose(shares[:2], [[0.75, 0.25, 0], [0, 1, 0]])
    assert {text.get_text() for text in panel.texts} == {"75", "25", "100"}
    assert panel.get_yticklabels()[0].get_text() == "Action (4)"


def test_a_model_measured_before_a_domain_was_added_is_compared_over_the_others(
    tmp_path: Path,
) -> None:
    whole = make_predictions()
    kept = np.flatnonzero(whole.domains != np.unique(whole.domains)[0])
    for name, predictions in (("whole", whole), ("part", whole.of(kept))):
        predictions.save(tmp_path / f"{name}.npz")
    command = ["results", str(tmp_path / "whole.npz"), str(tmp_path / "part.npz")]
    done = CliRunner().invoke(main, [*command, "-o", str(tmp_path / "page")])
    assert done.exit_code == 0, done.stderr
    (row,) = csv.DictReader((tmp_path / "page" / "compared.csv").open())
    assert int(row["posters"]) == len(kept) < len(whole.labels)
    assert float(row["difference"]) == float(row["largest"]) == 0
    assert float(row["agree"]) == 1
