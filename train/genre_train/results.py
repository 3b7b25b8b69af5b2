"""A page of results, remade from stored predictions alone: tables, pictures and the page."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from genre_infer.errors import GenreInferError

from . import metrics, pictures
from .files import write_whole
from .intervals import HEADLINE, Resampled, bootstrap, interval, interval_rows
from .metrics import MEAN
from .page import MODE, PICTURES, Rows, Tables, page
from .predictions import Predictions, score_rows, write_csv
from .provenance import commit as machine_commit
from .provenance import processor, today


def run_results(
    *,
    predictions: tuple[Path, ...],
    output: Path,
    checkpoint: Path | None,
    machine: str | None,
) -> None:
    """genre-train results. Raises GenreInferError."""
    first, *others = (Predictions.load(path) for path in predictions)
    _check(first, others, predictions)
    epochs: Rows = []
    if checkpoint:
        from .checkpoint import read_document

        epochs = read_document(checkpoint)["epochs"]
    tables = make_tables(first, others, epochs)
    facts = {
        "Model": first.model,
        "Posters": str(len(first.labels)),
        "Commit": commit(),
        "Date": today(),
        "Processor": machine or processor(),
    }
    for name, rows in vars(tables).items():
        path = output / f"{name}.csv"
        if rows:
            write_csv(path, rows)
        else:
            path.unlink(missing_ok=True)  # of an earlier page
    drawn = draw(first, epochs, output)
    text = page(first, facts, tables, drawn)
    write_whole(output / "README.md", text)
    click.echo(f"Wrote {output / 'README.md'}.", err=True)


def _check(first: Predictions, others: list[Predictions], paths: tuple[Path, ...]) -> None:
    for one, path in zip((first, *others), paths, strict=True):
        if MODE not in one.thresholds:
            raise GenreInferError(
                f"{path} has no thresholds of the mode {MODE}: its model names no genres, and has "
                "no such page. Store the predictions of a model trained with --labels all."
            )
        same = np.array_equal(one.imdb_ids, first.imdb_ids)
        genres = _shared(first, one)
        labels, given = first.only(genres).labels, one.only(genres).labels
        if not (same and genres and np.array_equal(labels, given)):
            raise GenreInferError(
                f"{path} is of other posters or genres than {paths[0]}; give it a page of its own."
            )


def _shared(first: Predictions, other: Predictions) -> list[str]:
    """The genres of both: a model trained on fewer posters may lack rare ones."""
    return [genre for genre in first.genres if genre in other.genres]


def make_tables(first: Predictions, others: list[Predictions], epochs: Rows) -> Tables:
    """Compute every table of the page about `first`."""
    resampled = bootstrap(first, MODE)
    return Tables(
        scores=score_rows(first, MODE),
        intervals=interval_rows(first, resampled, MODE),
        modes=[mode_row(first, mode) for mode in first.thresholds],
        genres=genre_rows(first),
        compared=[compare(first, resampled, other) for other in others],
        epochs=[{name: epoch.get(name, np.nan) for name in _names(epochs)} for epoch in epochs],
    )


def _names(epochs: Rows) -> list[str]:
    return list(dict.fromkeys(name for epoch in epochs for name in epoch))


def mode_row(predictions: Predictions, mode: str) -> dict[str, Any]:
    """What an operating point names, over all posters: labels, their micro precision and recall,
    genres that no poster got, posters that got none."""
    named = predictions.probabilities >= predictions.thresholds[mode]
    hits = int((named & predictions.labels).sum())
    return {
        "mode": mode,
        "named": int(named.sum()),
        "precision": hits / int(named.sum()) if named.any() else np.nan,
        "recall": hits / int(predictions.labels.sum()) if predictions.labels.any() else np.nan,
        "never": int((~named.any(axis=0)).sum()),
        "none": int((~named.any(axis=1)).sum()),
    }


def genre_rows(predictions: Predictions) -> Rows:
    """metrics.genre_table of each domain, with chance: the genre's share of its posters."""
    p = predictions
    rows: Rows = []
    for domain in np.unique(p.domains):
        chosen = p.domains == domain
        table = metrics.genre_table(
            p.probabilities[chosen], p.labels[chosen], p.genres, p.thresholds[MODE]
        )
        for row in table:
            chance = int(row["support"]) / int(chosen.sum())
            rows.append({"domain": str(domain), **row, "chance": chance})
    return rows


def compare(first: Predictions, resampled: Resampled, other: Predictions) -> dict[str, Any]:
    """Another model, or another form of one, on the same posters: its headline, the difference to
    the first's with its paired bootstrap interval, and how far the two agree; all over the genres
    of both."""
    genres = _shared(first, other)
    if genres != first.genres:
        first = first.only(genres)
        resampled = bootstrap(first, MODE)
    other = other.only(genres)
    again = bootstrap(other, MODE)
    low, high = interval(again[MEAN][HEADLINE] - resampled[MEAN][HEADLINE])
    value, reference = (
        metrics.by_domain(p.probabilities, p.labels, p.domains, p.thresholds[MODE])[MEAN][HEADLINE]
        for p in (other, first)
    )
    named, said = (p.probabilities >= p.thresholds[MODE] for p in (other, first))
    return {
        "model": other.model,
        "genres": len(genres),
        "macro_ap": value,
        "difference": value - reference,
        "low": low,
        "high": high,
        "largest": float(np.abs(other.probabilities - first.probabilities).max()),
        "agree": float((named == said).mean()),
    }


def draw(predictions: Predictions, epochs: Rows, output: Path) -> list[str]:
    """Draw the page's pictures into `output`; returns their file names."""
    pictures.ap_picture(predictions, output / "average-precision.png")
    pictures.reliability_picture(predictions, output / "reliability.png")
    pictures.precision_recall_picture(predictions, output / "precision-recall.png", MODE)
    pictures.cooccurrence_picture(predictions, output / "cooccurrence.png", MODE)
    (output / "learning.png").unlink(missing_ok=True)
    if epochs:
        pictures.learning_picture(epochs, output / "learning.png")
    return [name for name in PICTURES if epochs or name != "learning.png"]


def commit() -> str:
    """The commit of this source; see genre_train.provenance."""
    return machine_commit(Path(__file__))
