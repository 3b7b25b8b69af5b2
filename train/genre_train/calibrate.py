"""What is fitted on the valid posters after training: calibration and thresholds.

Calibration makes probabilities mean what they say: per genre, sigmoid(slope * logit + intercept).
This is Platt scaling (Platt 1999). Its two numbers per genre can be written into the exported
graph, and it keeps the order of the posters and so average precision.

A genre's threshold is the probability from which a poster is said to have the genre. Thresholds are
fitted to the probabilities of the very model that will use them, and are stored in its metadata as
mode -> genre -> threshold, or None for a genre that is never named.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import nn

from . import metrics
from .checkpoint import calibrated, predict_logits
from .dataset import Dataset

Threshold = float | None

MODES = ("balanced", "high-precision", "high-recall")
PRECISION = 0.8  # that high-precision requires of a genre on the valid posters
RECALL = 0.9  # that high-recall requires
FEWEST_NAMED = 10  # with fewer posters named, a precision of 0.8 on valid says too little
FEWEST_POSITIVES = 10  # with fewer positives, no threshold of a genre is better than chance

# The slope of a genre with few positives is mostly noise. scikit-learn's L2 penalty of this weight,
# on the slope for standardised logits, pulls it towards 0: every poster then gets the genre's share
# of the posters as its probability. With many positives the penalty hardly matters.
STRENGTH = 1.0


def calibrate_and_measure(
    network: nn.Module, document: dict[str, Any], dataset: Dataset, device: str
) -> None:
    """Add calibration, thresholds and metrics to the document of a checkpoint.

    Args:
        network: The network as it was read back from the checkpoint: what its readers will have.
        document: The document, with genres and with empty metrics.
        dataset: Calibration and thresholds are fitted on its valid posters; valid and test posters
            are measured.
        device: 'cpu' or 'cuda'.
    """
    labels, domains = dataset.labels(), dataset.domains()
    logits = {}
    for split in ("valid", "test"):
        chosen = dataset.indices(split)
        if len(chosen):
            logits[split] = predict_logits(network, dataset.pixels[chosen], device)
    truth = labels[dataset.indices("valid")]
    document["calibration"] = fit_calibration(logits["valid"], truth, dataset.genres)
    probabilities = calibrated(logits["valid"], document)
    document["thresholds"] = fit_thresholds(probabilities, truth, dataset.genres)
    row = metrics.threshold_row(document["thresholds"]["balanced"], dataset.genres)
    for split, values in logits.items():
        chosen = dataset.indices(split)
        rows = metrics.by_domain(calibrated(values, document), labels[chosen], domains[chosen], row)
        document["metrics"][split] = _measures(rows)


def _measures(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        domain: {k: None if np.isnan(v) else round(v, 5) for k, v in row.items()}
        for domain, row in rows.items()
    }


def fit_calibration(
    logits: NDArray[np.floating], labels: NDArray[np.bool_], genres: list[str]
) -> dict[str, tuple[float, float]]:
    """Fit the calibration of every genre.

    Args:
        logits: [posters, genres].
        labels: bool [posters, genres].
        genres: The names of the columns.

    Returns:
        genre -> (slope, intercept); (1, 0) for a genre without a positive or without a negative.
    """
    fitted = {}
    for column, genre in enumerate(genres):
        truth = labels[:, column]
        if truth.all() or not truth.any():
            fitted[genre] = (1.0, 0.0)
            continue
        scores = logits[:, column].astype(np.float64)
        fitted[genre] = _platt(scores, truth)
    return fitted


def _platt(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    centre, spread = scores.mean(), scores.std() or 1.0
    model = LogisticRegression(C=1 / STRENGTH, max_iter=1000)
    model.fit(((scores - centre) / spread)[:, None], truth)
    slope = max(float(model.coef_[0, 0]) / spread, 1e-3)  # the order of posters must survive
    intercept = float(model.intercept_[0]) - slope * centre
    return round(slope, 6), round(float(intercept), 6)


def fit_thresholds(
    probabilities: NDArray[np.floating], labels: NDArray[np.bool_], genres: list[str]
) -> dict[str, dict[str, Threshold]]:
    """Fit the thresholds of all modes.

    balanced: the threshold with the best F1.
    high-precision: the lowest threshold that names at least FEWEST_NAMED posters with a precision
    of at least PRECISION, counted as (hits + 1) / (named + 2); None if there is no such threshold.
    high-recall: the highest threshold with a recall of at least RECALL.
    The modes are nested: a genre that one mode names is also named by the modes after it, in the
    order high-precision, balanced, high-recall. Where the rules above say otherwise, high-precision
    or high-recall takes the threshold of balanced.

    Args:
        probabilities: [posters, genres], 0 to 1.
        labels: bool [posters, genres].
        genres: The names of the columns.

    Returns:
        mode -> genre -> threshold. It is None in every mode for a genre with fewer than
        FEWEST_POSITIVES posters: too few to tell where to cut.
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
    # A threshold separates two different scores, so only the last of equal scores is a candidate.
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
    hits = np.cumsum(truth[order])[ends]
    named = ends + 1
    # The lowest of many thresholds that look precise was probably lucky on these posters. Laplace's
    # rule of succession is stricter the fewer posters a threshold names.
    precision, recall = (hits + 1) / (named + 2), hits / positives
    # Halfway to the next lower score: a threshold equal to a score would depend on its last bit.
    below = np.append(ranked[1:], 0.0)[ends]
    thresholds = (ranked[ends] + below) / 2

    best = int(np.argmax(2 * hits / (named + positives)))  # F1 = 2 TP / (named + positives)
    precise = np.flatnonzero((precision >= PRECISION) & (named >= FEWEST_NAMED))
    complete = int(np.argmax(recall >= RECALL))
    balanced = thresholds[best]
    return (
        _rounded(balanced),
        _rounded(max(balanced, thresholds[precise[-1]])) if len(precise) else None,
        _rounded(min(balanced, thresholds[complete])),
    )


def _rounded(threshold: float) -> float:
    return round(float(threshold), 6)
