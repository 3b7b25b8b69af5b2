"""Operating points: per genre, the probability from which a poster is said to have it.

They are fitted on a validation split, through the very model that will use them, and travel in the
model's metadata as mode -> genre -> threshold, or None for a genre that is never named.
"""

import numpy as np
from numpy.typing import NDArray

Threshold = float | None

MODES = ("balanced", "high-precision", "high-recall")
PRECISION = 0.8  # what high-precision asks of a genre on the validation split
RECALL = 0.9  # what high-recall asks
FEWEST_NAMED = 10  # below this a precision of 0.8 on the validation split says too little
FEWEST_POSITIVES = 10  # below this no threshold of a genre is more than chance


def fit_thresholds(
    probabilities: NDArray[np.floating], labels: NDArray[np.bool_], genres: list[str]
) -> dict[str, dict[str, Threshold]]:
    """Fit all modes.

    probabilities: [posters, genres], 0 to 1. labels: bool, of the same shape.
    balanced: the threshold of the best F1. high-precision: the lowest threshold that names at least
    FEWEST_NAMED posters with a precision of at least 0.8, counted as (hits + 1) / (named + 2), else
    None. high-recall: the highest threshold with a recall of at least 0.9. A genre with fewer than
    FEWEST_POSITIVES posters is never named: its score is there, but nobody knows where to cut it.
    """
    fitted: dict[str, dict[str, Threshold]] = {mode: {} for mode in MODES}
    for column, genre in enumerate(genres):
        values = _fit_genre(probabilities[:, column].astype(np.float64), labels[:, column])
        for mode, value in zip(MODES, values, strict=True):
            fitted[mode][genre] = value
    return fitted


def _fit_genre(
    scores: NDArray[np.float64], truth: NDArray[np.bool_]
) -> tuple[Threshold, Threshold, Threshold]:
    positives = int(truth.sum())
    if positives < FEWEST_POSITIVES:
        return None, None, None
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    # Only between two different scores can a threshold lie; the last rank always counts.
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
    hits = np.cumsum(truth[order])[ends]
    named = ends + 1
    # The lowest of many thresholds that look precise is one that was lucky on these posters.
    # Laplace's rule of succession asks the more of it, the fewer posters it names.
    precision, recall = (hits + 1) / (named + 2), hits / positives
    # Halfway to the next lower score: a threshold at a score itself would hang on its last bit.
    below = np.append(ranked[1:], 0.0)[ends]
    thresholds = (ranked[ends] + below) / 2

    best = int(np.argmax(2 * hits / (named + positives)))  # F1 = 2 TP / (named + positives)
    precise = np.flatnonzero((precision >= PRECISION) & (named >= FEWEST_NAMED))
    complete = int(np.argmax(recall >= RECALL))
    return (
        _rounded(thresholds[best]),
        _rounded(thresholds[precise[-1]]) if len(precise) else None,
        _rounded(thresholds[complete]),
    )


def _rounded(threshold: float) -> float:
    return round(float(threshold), 6)
