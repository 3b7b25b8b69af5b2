"""Bootstrap intervals (Efron 1979): how far measures would move with other posters.

Films are drawn with replacement, each with all its posters. What another training run would change
is not in these intervals.

A resample is a row of counts, and measures are computed from counts, so that posters are sorted
once for all resamples. scikit-learn's measures with sample_weight give the same values, but sort
for each resample, which takes ten times as long.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .metrics import MEAN, Labels, Probabilities
from .predictions import Predictions

RESAMPLES = 1000
LEVEL = 0.95
MEASURES = ("macro_ap", "macro_auc", "macro_f1", "micro_f1", "calibration_error")
HEADLINE = "macro_ap"

Counts: TypeAlias = NDArray[np.float32]  # whole numbers: float32 adds them exactly up to 2^24
Resampled: TypeAlias = dict[str, dict[str, NDArray[np.float64]]]
"""Domain (and MEAN) -> measure -> its value in each resample, float64 [resamples]."""


def interval_rows(
    predictions: Predictions, resampled: Resampled, mode: str
) -> list[dict[str, Any]]:
    """Return rows of domain, measure, value, low and high: the headline first, then each domain's.

    Args:
        predictions: The model's predictions.
        resampled: Their bootstrap().
        mode: The mode of thresholds that bootstrap() used.
    """
    values = metrics.by_domain(
        predictions.probabilities,
        predictions.labels,
        predictions.domains,
        predictions.thresholds[mode],
    )
    rows = []
    for domain in (MEAN, *(name for name in resampled if name != MEAN)):
        for measure in (HEADLINE,) if domain == MEAN else MEASURES:
            low, high = interval(resampled[domain][measure])
            value = values[domain][measure]
            rows.append(
                {"domain": domain, "measure": measure, "value": value, "low": low, "high": high}
            )
    return rows


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the percentiles that hold LEVEL of resampled values, NaN if one of them is NaN."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap(
    predictions: Predictions, mode: str, resamples: int = RESAMPLES, seed: int = 0
) -> Resampled:
    """Compute all MEASURES of resampled posters.

    The macro averages are over the genres that are supported in the posters themselves.

    Args:
        predictions: The model's predictions.
        mode: The mode of thresholds for F1.
        resamples: How many resamples.
        seed: The seed. Resamples depend only on it and on the posters' films, so the values of two
            models for the same posters are paired.
    """
    p = predictions
    resampled: Resampled = {}
    counts = resample(p.imdb_ids, resamples, seed)
    for domain in np.unique(p.domains):
        chosen = p.domains == domain
        resampled[str(domain)] = measures(
            p.probabilities[chosen], p.labels[chosen], p.thresholds[mode], counts[:, chosen]
        )
    parts = list(resampled.values())
    resampled[MEAN] = {
        measure: np.mean([part[measure] for part in parts], axis=0) for measure in MEASURES
    }
    return resampled


def headlines(predictions: Predictions, counts: Counts) -> NDArray[np.float64]:
    """Compute the headline alone of each resample.

    Args:
        predictions: A model's predictions.
        counts: [resamples, posters], from resample().

    Returns:
        float64 [resamples]; NaN if a domain has no supported genre.
    """
    p = predictions
    parts = []
    for domain in np.unique(p.domains):
        chosen = p.domains == domain
        labels, probabilities, drawn = p.labels[chosen], p.probabilities[chosen], counts[:, chosen]
        ranked = [
            ranking(probabilities[:, column], labels[:, column], drawn)[0]
            for column in metrics.supported(labels)
        ]
        parts.append(np.mean(ranked, axis=0) if ranked else np.full(len(counts), np.nan))
    return np.mean(parts, axis=0)


def resample(imdb_ids: NDArray[np.int64], resamples: int, seed: int) -> Counts:
    """Draw as many films as there are, with replacement, each with all its posters.

    Args:
        imdb_ids: The film of each poster, [posters].
        resamples: How often to draw.
        seed: The seed.

    Returns:
        How often each poster is drawn, [resamples, posters].
    """
    films, film_of_poster = np.unique(imdb_ids, return_inverse=True)
    shares = np.full(len(films), 1 / len(films))
    drawn = np.random.default_rng(seed).multinomial(len(films), shares, size=resamples)
    return drawn.astype(np.float32)[:, film_of_poster]


def measures(
    probabilities: Probabilities, labels: Labels, thresholds: NDArray[np.float64], counts: Counts
) -> dict[str, NDArray[np.float64]]:
    """Compute MEASURES of each resample of one domain.

    Args:
        probabilities: [posters, genres], 0 to 1.
        labels: bool [posters, genres].
        thresholds: [genres].
        counts: [resamples, posters], from resample().

    Returns:
        Measure -> float64 [resamples]. Macro averages are NaN if no genre is supported.
    """
    columns = metrics.supported(labels)
    ranked = [ranking(probabilities[:, c], labels[:, c], counts) for c in columns]
    macro_f1, micro_f1 = _f1(probabilities >= thresholds, labels, counts, columns)
    missing = np.full(len(counts), np.nan)
    return {
        "macro_ap": np.mean([ap for ap, _ in ranked], axis=0) if ranked else missing,
        "macro_auc": np.mean([auc for _, auc in ranked], axis=0) if ranked else missing,
        "macro_f1": macro_f1 if ranked else missing,
        "micro_f1": micro_f1,
        "calibration_error": _calibration_errors(probabilities, labels, counts),
    }


def ranking(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], counts: Counts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute average precision and ROC-AUC of one genre for each resample.

    As in scikit-learn, the order of posters with the same score does not matter.

    Args:
        scores: [posters].
        truth: bool [posters].
        counts: [resamples, posters], from resample().

    Returns:
        Average precision and AUC, each float64 [resamples]; NaN where no positive (or, for the
        AUC, no negative) poster was drawn.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    drawn = counts[:, order]
    named = np.cumsum(drawn, axis=1)[:, ends]
    hits = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    misses = named - hits
    gained, lost = np.diff(hits, axis=1, prepend=0), np.diff(misses, axis=1, prepend=0)
    positives, negatives = hits[:, -1].astype(np.float64), misses[:, -1].astype(np.float64)
    precision = hits / np.maximum(named, 1)
    with np.errstate(invalid="ignore"):
        ap = (gained * precision).sum(axis=1, dtype=np.float64) / positives
        # A negative poster counts the positive ones above it, and half of those with its score.
        above = (lost * (hits - gained / 2)).sum(axis=1, dtype=np.float64)
        return ap, above / (positives * negatives)


def _f1(
    named: Labels, labels: Labels, counts: Counts, columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hits = (counts @ (named & labels).astype(np.float32)).astype(np.float64)
    both = (counts @ (named.astype(np.float32) + labels)).astype(np.float64)
    by_genre = 2 * hits / np.maximum(both, 1)  # F1 = 2 TP / (named + positives)
    macro = by_genre[:, columns].mean(axis=1) if len(columns) else np.full(len(counts), np.nan)
    return macro, 2 * hits.sum(axis=1) / np.maximum(both.sum(axis=1), 1)


def _calibration_errors(
    probabilities: Probabilities, labels: Labels, counts: Counts
) -> NDArray[np.float64]:
    """Compute metrics.calibration_error of each resample."""
    order = np.argsort(probabilities, axis=None, kind="stable")
    gaps = (probabilities.astype(np.float64) - labels).ravel()[order]
    posters, bins = order // labels.shape[1], metrics.BINS
    errors = np.empty(len(counts))
    for row, drawn in enumerate(counts.astype(np.float64)):
        weights = drawn[posters]
        ranks = np.cumsum(weights)
        pairs = int(ranks[-1])
        sizes = np.full(bins, pairs // bins)
        sizes[: pairs % bins] += 1  # as numpy.array_split cuts
        ends = np.cumsum(sizes)
        summed = np.cumsum(weights * gaps)
        last = np.searchsorted(ranks, ends)  # the pair in which a bin ends, however often drawn
        upto = summed[last] - (ranks[last] - ends) * gaps[last]
        errors[row] = np.abs(np.diff(upto, prepend=0)).sum() / pairs
    return errors
