"""genre-train slices: the measures of a model over parts of a split."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .figures import print_and_write
from .metrics import FEWEST_POSTERS, measure
from .predictions import Predictions, predict

MODE = "balanced"

COLUMNS = {
    "slice": "posters with",
    "posters": "posters",
    "genres": "genres counted",
    "macro_ap": "macro AP",
    "micro_f1": "micro F1",
    "first_precision": "first genre right",
    "named_precision": "precision of what is named",
}
"""Key in the rows -> heading, on a terminal and in the documents."""


def run_slices(
    *, model: Path, table: Path, posters: Path, output: Path | None, split: str, device: str
) -> None:
    """Measure every slice, print the table, and write the CSV file if one is named.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used.
    """
    predictions, dataset = predict(model, table, posters, split=split, device=device)
    rows = slice_rows(predictions, dataset)
    title = f"{predictions.model}: {len(predictions.labels)} posters of {split}"
    print_and_write(title, COLUMNS, rows, output, predictions.model)


def slice_rows(predictions: Predictions, dataset: Dataset) -> list[dict[str, Any]]:
    """Return a row for each slice with at least FEWEST_POSTERS posters.

    Args:
        predictions: A model's predictions.
        dataset: The posters that they are for, in the same order.
    """
    p, rows = predictions, []
    for name, chosen in _slices(predictions, dataset):
        if chosen.sum() < FEWEST_POSTERS:
            continue
        measured = measure(p.probabilities[chosen], p.labels[chosen], p.thresholds[MODE])
        counts = {key: int(measured[key]) for key in ("posters", "genres")}
        rows.append({"slice": name, **{key: measured[key] for key in list(COLUMNS)[1:]}, **counts})
    return rows


def _slices(predictions: Predictions, dataset: Dataset) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for domain in np.unique(predictions.domains):
        yield f"domain {domain}", predictions.domains == domain
    years = np.array([poster.year or 0 for poster in dataset.posters])
    for decade in np.unique(years[years > 0] // 10 * 10):
        yield f"year {decade} to {decade + 9}", years // 10 * 10 == decade
    counts = predictions.labels.sum(axis=1)
    for count in (1, 2, 3):
        yield f"{count} genre{'s' * (count > 1)} in the table", counts == count
    yield "4 genres or more in the table", counts >= 4
