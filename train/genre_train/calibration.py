"""Probabilities that mean what they say: per genre, sigmoid(slope x logit + intercept).

Platt scaling (Platt 1999), fitted on `valid`. It is two numbers a genre, so it can be written into
the exported graph, and it leaves the order of the posters, hence average precision, as it is.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

# A genre with few positives has a slope that is mostly noise. scikit-learn's L2 penalty of this
# weight, on the slope of the standardised logits, pulls it towards 0: towards saying the genre's
# share of the posters of every poster. Many positives outweigh it.
STRENGTH = 1.0


def fit_calibration(
    logits: NDArray[np.floating], labels: NDArray[np.bool_], genres: list[str]
) -> dict[str, tuple[float, float]]:
    """genre -> (slope, intercept) from logits [posters, genres] and bool labels.

    A genre without a positive or without a negative poster keeps (1, 0).
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
