"""genre-train results: a page of results, remade from stored predictions alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import click
import numpy as np

from genre_infer.errors import GenreInferError

from . import markdown, metrics, pictures
from .files import write_csv, write_whole
from .intervals import HEADLINE, RESAMPLES, Resampled, bootstrap, interval, interval_rows
from .metrics import MEAN, POOLED
from .predictions import Predictions, left_out_genres, score_rows
from .provenance import commit, processor, today

MODE = "balanced"  # the mode whose thresholds the measures use
Rows: TypeAlias = list[dict[str, Any]]

# Column of a table -> its heading on the page.
SCORES = {"domain": "domain", "system": "system", **metrics.TITLES}
INTERVALS = {name: name for name in ("domain", "measure", "value", "low", "high")}
MODES = {
    "mode": "mode",
    "named": "labels named",
    "precision": "precision",
    "recall": "recall",
    "never": "genres never named",
    "none": "posters without a label",
}
COMPARED = {
    "model": "model",
    "posters": "posters of both",
    "genres": "genres of both",
    "macro_ap": "macro AP (mean of domains)",
    "difference": "difference",
    "low": "low",
    "high": "high",
    "largest": "largest change of probability",
    "agree": "labels that agree",
}
GENRES = {
    "genre": "genre",
    "support": "posters",
    "chance": "chance",
    "ap": "AP",
    "auc": "AUC",
    "precision": "precision",
    "recall": "recall",
    "named": "named",
    "calibration_error": "calibration error",
}
PICTURES = {
    "average-precision.png": "Average precision of each genre, beside chance",
    "reliability.png": "Predicted probability against the share that is true",
    "precision-recall.png": "Precision over recall, with the thresholds of the mode balanced",
    "cooccurrence.png": "Which genres come together, actual and named",
    "learning.png": "The epochs of the training",
}


@dataclass
class Tables:
    """All tables of a page; each becomes a CSV file of its name, unless it is empty."""

    scores: Rows
    intervals: Rows
    modes: Rows
    genres: Rows
    compared: Rows
    epochs: Rows


def run_results(
    *,
    predictions: tuple[Path, ...],
    output: Path,
    checkpoint: Path | None,
    machine: str | None,
) -> None:
    """Write a page of results: README.md, CSV tables and pictures. The arguments are the options.

    Raises:
        GenreInferError: A file holds no predictions, or those of other posters.
    """
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
        "Commit": commit(Path(__file__)),
        "Date": today(),
        "Processor": machine or processor(),
    }
    for name, rows in vars(tables).items():
        path = output / f"{name}.csv"
        if rows:
            write_csv(path, rows)
        else:
            path.unlink(missing_ok=True)  # of an earlier page
    _draw(first, epochs, output)
    write_whole(output / "README.md", page(first, facts, tables))
    click.echo(f"Wrote {output / 'README.md'}.", err=True)


def _check(first: Predictions, others: list[Predictions], paths: tuple[Path, ...]) -> None:
    for one, path in zip((first, *others), paths, strict=True):
        if MODE not in one.thresholds:
            raise GenreInferError(
                f"{path} has no thresholds of the mode {MODE}, which the page needs. Store the "
                "predictions of a model trained with --labels all."
            )
        ours, theirs = _shared(first, one)
        if not ours.labels.size or not np.array_equal(ours.labels, theirs.labels):
            raise GenreInferError(
                f"{path} is of other posters or genres than {paths[0]}; give it a page of its own."
            )


def _shared(first: Predictions, other: Predictions) -> tuple[Predictions, Predictions]:
    """Return both for the posters and genres that they share.

    A model that was trained on fewer posters may lack rare genres, and one that was measured before
    a domain was added lacks its posters. A poster is known by its film and domain.
    """
    keys = [list(zip(p.imdb_ids.tolist(), p.domains.tolist(), strict=True)) for p in (first, other)]
    place = {key: position for position, key in enumerate(keys[1])}
    pairs = [(i, place[key]) for i, key in enumerate(keys[0]) if key in place]
    ours, theirs = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    genres = [genre for genre in first.genres if genre in other.genres]
    return first.of(ours).only(genres), other.of(theirs).only(genres)


def make_tables(first: Predictions, others: list[Predictions], epochs: Rows) -> Tables:
    """Compute every table of a page.

    Args:
        first: The predictions that the page is about.
        others: Predictions for the same posters, to compare with them.
        epochs: The records of a checkpoint's epochs, or nothing.
    """
    resampled = bootstrap(first, MODE)
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch))
    return Tables(
        scores=score_rows(first, MODE),
        intervals=interval_rows(first, resampled, MODE),
        modes=[_mode_row(first, mode) for mode in first.thresholds],
        genres=_genre_rows(first),
        compared=[_compare(first, resampled, other) for other in others],
        epochs=[{name: epoch.get(name, np.nan) for name in names} for epoch in epochs],
    )


def _mode_row(predictions: Predictions, mode: str) -> dict[str, Any]:
    """Count what a mode names, over all posters and labels.

    never: genres that no poster got. none: posters that got no genre.
    """
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


def _genre_rows(predictions: Predictions) -> Rows:
    """Measure the genres of each domain, beside chance: the genre's share of the posters."""
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


def _compare(first: Predictions, resampled: Resampled, other: Predictions) -> dict[str, Any]:
    """Compare another model with the first, over the posters and the genres of both.

    The row has the other's headline, the difference with its paired interval, and how far the two
    agree.
    """
    ours, other = _shared(first, other)
    if ours.labels.shape != first.labels.shape:
        first, resampled = ours, bootstrap(ours, MODE)
    resampled_other = bootstrap(other, MODE)
    low, high = interval(resampled_other[MEAN][HEADLINE] - resampled[MEAN][HEADLINE])
    reference, value = (
        metrics.by_domain(p.probabilities, p.labels, p.domains, p.thresholds[MODE])[MEAN][HEADLINE]
        for p in (first, other)
    )
    named_first, named = (p.probabilities >= p.thresholds[MODE] for p in (first, other))
    return {
        "model": other.model,
        "posters": len(other.labels),
        "genres": len(other.genres),
        "macro_ap": value,
        "difference": value - reference,
        "low": low,
        "high": high,
        "largest": float(np.abs(other.probabilities - first.probabilities).max()),
        "agree": float((named == named_first).mean()),
    }


def _draw(predictions: Predictions, epochs: Rows, output: Path) -> None:
    pictures.ap_picture(predictions, output / "average-precision.png")
    pictures.reliability_picture(predictions, output / "reliability.png")
    pictures.precision_recall_picture(predictions, output / "precision-recall.png", MODE)
    pictures.cooccurrence_picture(predictions, output / "cooccurrence.png", MODE)
    (output / "learning.png").unlink(missing_ok=True)  # of an earlier page
    if epochs:
        pictures.learning_picture(epochs, output / "learning.png")


def page(predictions: Predictions, facts: dict[str, str], tables: Tables) -> str:
    """Return the page as Markdown; templates/results.md has its text.

    Args:
        predictions: The predictions that the page is about.
        facts: Name -> value, for the list at the top.
        tables: All tables.
    """
    pooled = {POOLED: f"{POOLED} (shown, never a goal)"}
    domains = list(dict.fromkeys(row["domain"] for row in tables.scores))
    scores = sorted(tables.scores, key=lambda row: domains.index(row["domain"]))
    left_out = left_out_genres(predictions)
    return markdown.render(
        "genre_train",
        "results.md.jinja",
        model=predictions.model,
        facts=facts,
        headline=tables.intervals[0],
        scores=[{**row, "domain": pooled.get(row["domain"], row["domain"])} for row in scores],
        accuracy={r["system"]: r["accuracy_multi"] for r in scores if r["domain"] == MEAN},
        intervals=[{**r, "measure": metrics.TITLES[r["measure"]]} for r in tables.intervals],
        resamples=RESAMPLES,
        left_out=left_out,
        genre_count=len(predictions.genres),
        fewest=metrics.FEWEST_POSTERS,
        modes=tables.modes,
        compared=tables.compared,
        pictures={k: v for k, v in PICTURES.items() if tables.epochs or k != "learning.png"},
        epochs=tables.epochs,
        epoch_columns={name: name for name in (tables.epochs or [{}])[0]},
        mode=MODE,
        genres_by_domain={
            domain: [row for row in tables.genres if row["domain"] == domain] for domain in left_out
        },
        files=[name for name, rows in vars(tables).items() if rows],
        score_columns=SCORES,
        interval_columns=INTERVALS,
        mode_columns=MODES,
        compared_columns=COMPARED,
        genre_columns=GENRES,
    )
