"""genre-train modes: what a person would see with other rules for the mode balanced.

Each rule's thresholds are fitted on the valid posters and measured on the test posters.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .figures import print_and_write
from .predictions import Predictions, predict
from .thresholds import RULES, fit_thresholds

COLUMNS = {
    "rule": "rule",
    "named": "genres named per poster",
    "precision": "precision",
    "recall": "recall",
    "samples_f1": "F1 of a poster",
    "first": "first genre right",
    "none": "posters without a genre",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
}
"""Key in the rows -> heading, on a terminal and in the documents."""


def run_modes(*, model: Path, table: Path, posters: Path, output: Path | None, device: str) -> None:
    """Fit and measure every rule, print the table, and write the CSV file if one is named.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used.
    """
    valid, test = (
        predict(model, table, posters, split=split, device=device)[0] for split in ("valid", "test")
    )
    rows = mode_rows(valid, test)
    title = f"{test.model}: {len(test.labels)} test posters"
    print_and_write(title, COLUMNS, rows, output, test.model)


def mode_rows(valid: Predictions, test: Predictions) -> list[dict[str, Any]]:
    """Return a row for each rule, and for each of the model's own modes.

    Args:
        valid: The model's predictions for the posters to fit on.
        test: Its predictions for the posters to measure on.
    """
    rows = []
    for name, rule in RULES.items():
        fitted = fit_thresholds(valid.probabilities, valid.labels, valid.genres, rule)
        row = metrics.threshold_row(fitted["balanced"], valid.genres)
        rows.append({"rule": name, **answers(test, row)})
    own = [{"rule": f"(the model's {m})", **answers(test, t)} for m, t in test.thresholds.items()]
    return rows + own


def answers(predictions: Predictions, thresholds: NDArray[np.float64]) -> dict[str, float]:
    """Measure what is named over all posters.

    Args:
        predictions: A model's predictions.
        thresholds: [genres].

    Returns:
        named: genres per poster. precision, recall and micro_f1: over all labels. samples_f1: the
        mean over posters. macro_f1: the mean over supported genres. first: the share of posters, of
        those with a genre, whose first genre is right: of the genres that are named, the most
        probable. none: the share of posters without one.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    named = probabilities >= thresholds
    some = named.any(axis=1)
    first = np.where(named, probabilities, -1).argmax(axis=1)[some]
    measured = metrics.measure(probabilities, labels, thresholds)
    return {
        "named": float(named.sum(axis=1).mean()),
        "precision": measured["named_precision"],
        "recall": float((named & labels).sum() / labels.sum()) if labels.any() else np.nan,
        "samples_f1": measured["samples_f1"],
        "first": float(labels[some][np.arange(len(first)), first].mean()) if len(first) else np.nan,
        "none": float((~some).mean()),
        "micro_f1": measured["micro_f1"],
        "macro_f1": measured["macro_f1"],
    }
