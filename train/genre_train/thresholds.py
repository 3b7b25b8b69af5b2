"""Thresholds: from which probability a poster is said to have a genre.

They are fitted on the valid posters, to the probabilities of the very model that will use them, and
stored in its metadata as mode -> genre -> threshold, or None for a genre that is never named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Threshold = float | None
Probabilities = NDArray[np.float64]
Labels = NDArray[np.bool_]

MODES = ("balanced", "high-precision", "high-recall")
PRECISION = 0.8  # that high-precision requires of a genre on the valid posters
RECALL = 0.9  # that high-recall requires
FEWEST_NAMED = 10  # with fewer posters named, a precision of 0.8 on valid says too little
FEWEST_POSITIVES = 10  # with fewer positives, no threshold of a genre is better than chance
SWEEPS = 5  # over all genres, after which no threshold moves any more


@dataclass(frozen=True)
class Curve:
    """What a genre's possible thresholds name on the valid posters, from high to low.

    Attributes:
        thresholds: float64 [thresholds], halfway between two scores: one that is equal to a score
            would depend on its last bit.
        named: How many posters each names, int64 [thresholds].
        hits: How many of these have the genre, int64 [thresholds].
        positives: How many posters have the genre.
    """

    thresholds: NDArray[np.float64]
    named: NDArray[np.int64]
    hits: NDArray[np.int64]
    positives: int

    @staticmethod
    def of(scores: NDArray[np.float64], truth: Labels) -> "Curve":
        """Count for the scores and labels of one genre, both [posters]."""
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        # A threshold separates two different scores: only the last of equal ones is a candidate.
        ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
        below = np.append(ranked[1:], 0.0)[ends]
        thresholds = (ranked[ends] + below) / 2
        return Curve(
            thresholds, ends + 1, np.cumsum(truth[order], dtype=np.int64)[ends], int(truth.sum())
        )

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share that is right, counted as (hits + 1) / (named + 2), [thresholds].

        The lowest of many thresholds that look precise was probably lucky on these posters.
        Laplace's rule of succession is stricter the fewer posters a threshold names.
        """
        return (self.hits + 1) / (self.named + 2)

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of the genre's posters that are named, [thresholds]."""
        return self.hits / self.positives

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 = 2 TP / (named + positives), [thresholds]."""
        return 2 * self.hits / (self.named + self.positives)


Rule = Callable[[Probabilities, Labels], list[Threshold]]
"""A rule for the mode balanced: probabilities and labels [posters, genres] -> the thresholds of all
genres. Every genre has at least FEWEST_POSITIVES posters."""


def best_f1(probabilities: Probabilities, labels: Labels) -> list[Threshold]:
    """Take each genre's threshold with the best F1."""
    curves = map(Curve.of, probabilities.T, labels.T)
    return [float(curve.thresholds[curve.f1.argmax()]) for curve in curves]


def half_right(probabilities: Probabilities, labels: Labels) -> list[Threshold]:
    """Take each genre's best F1 among the thresholds with a precision of at least a half."""
    fitted: list[Threshold] = []
    for curve in map(Curve.of, probabilities.T, labels.T):
        good = np.flatnonzero((curve.precision >= 0.5) & (curve.named >= FEWEST_NAMED))
        best = good[curve.f1[good].argmax()] if len(good) else None
        fitted.append(None if best is None else float(curve.thresholds[best]))
    return fitted


def as_many(probabilities: Probabilities, labels: Labels) -> list[Threshold]:
    """Name each genre as often as it is there."""
    curves = map(Curve.of, probabilities.T, labels.T)
    return [float(c.thresholds[np.abs(c.named - c.positives).argmin()]) for c in curves]


def one_for_all(probabilities: Probabilities, labels: Labels) -> list[Threshold]:
    """Take the one threshold with which the posters' mean F1 is best."""
    steps = np.arange(0.05, 0.95, 0.005)
    f1 = [_samples_f1(probabilities >= threshold, labels) for threshold in steps]
    return [float(steps[int(np.argmax(f1))])] * labels.shape[1]


def best_per_poster(probabilities: Probabilities, labels: Labels) -> list[Threshold]:
    """Take thresholds with which the posters' mean F1 is best, found genre by genre in turn."""
    (start, *_) = one_for_all(probabilities, labels)
    assert start is not None
    thresholds = np.full(labels.shape[1], start)
    named = probabilities >= thresholds
    for _ in range(SWEEPS):
        for genre in range(labels.shape[1]):
            truth, scores = labels[:, genre], probabilities[:, genre]
            named[:, genre] = False
            hits = (named & labels).sum(axis=1)
            both = named.sum(axis=1) + labels.sum(axis=1)
            gain = 2 * (hits + truth) / (both + 1) - 2 * hits / np.maximum(both, 1)
            order = np.argsort(-scores, kind="stable")
            curve = Curve.of(scores, truth)
            thresholds[genre] = curve.thresholds[np.cumsum(gain[order])[curve.named - 1].argmax()]
            named[:, genre] = scores >= thresholds[genre]
    return [float(threshold) for threshold in thresholds]


def _samples_f1(named: Labels, labels: Labels) -> float:
    both = named.sum(axis=1) + labels.sum(axis=1)
    return float((2 * (named & labels).sum(axis=1) / np.maximum(both, 1)).mean())


RULES: Mapping[str, Rule] = {
    "best F1 of each genre": best_f1,
    "best F1 of a poster": best_per_poster,
    "one threshold, best F1 of a poster": one_for_all,
    "at least half right": half_right,
    "as often as it is there": as_many,
}
"""What the mode balanced could be; genre-train thresholds compares them."""


def fit_thresholds(
    probabilities: NDArray[np.floating],
    labels: Labels,
    genres: list[str],
    rule: Rule = one_for_all,
) -> dict[str, dict[str, Threshold]]:
    """Fit the thresholds of all modes.

    balanced: as the rule says; by default one threshold for all genres.
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
        rule: The rule of balanced.

    Returns:
        mode -> genre -> threshold. It is None in every mode for a genre with fewer than
        FEWEST_POSITIVES posters: too few to tell where to cut.
    """
    scores = probabilities.astype(np.float64)
    known = np.flatnonzero(labels.sum(axis=0) >= FEWEST_POSITIVES)
    balanced = rule(scores[:, known], labels[:, known]) if len(known) else []
    fitted: dict[str, dict[str, Threshold]] = {mode: dict.fromkeys(genres) for mode in MODES}
    for column, threshold in zip(known, balanced, strict=True):
        curve = Curve.of(scores[:, column], labels[:, column])
        values = (threshold, _precise(curve, threshold), _complete(curve, threshold))
        for mode, value in zip(MODES, values, strict=True):
            fitted[mode][genres[column]] = None if value is None else round(float(value), 6)
    return fitted


def _precise(curve: Curve, balanced: Threshold) -> Threshold:
    good = np.flatnonzero((curve.precision >= PRECISION) & (curve.named >= FEWEST_NAMED))
    if balanced is None or not len(good):
        return None
    return max(balanced, float(curve.thresholds[good[-1]]))


def _complete(curve: Curve, balanced: Threshold) -> Threshold:
    threshold = float(curve.thresholds[int(np.argmax(curve.recall >= RECALL))])
    return threshold if balanced is None else min(balanced, threshold)
