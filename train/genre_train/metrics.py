"""All measures of the project.

Average precision, ROC-AUC and ranking average precision are scikit-learn's. F1 and coverage error
are computed here with the same results, because scikit-learn takes a single genre for a binary
problem. The headline is the mean over domains of macro average precision: pooling the domains would
reward telling the crawls apart.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

Probabilities = NDArray[np.floating]
Labels = NDArray[np.bool_]

FEWEST_POSTERS = 30  # a genre with fewer positives in a domain is left out of its macro averages
BINS = 15
POOLED, MEAN = "pooled", "mean of domains"
EARLIER = ("kaggle", "kgp")
EARLIER_MEAN = "mean of kaggle and kgp"
"""The headline over the domains that all figures before the third one are about."""

TITLES = {
    "macro_ap": "macro AP",
    "macro_auc": "macro AUC",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "calibration_error": "calibration error",
    "accuracy_multi": "accuracy_multi (degenerate)",
}
"""Measure -> its title in tables for people."""


def supported(labels: Labels) -> NDArray[np.int64]:
    """Return the columns with at least FEWEST_POSTERS positives and as many negatives."""
    positives = labels.sum(axis=0)
    enough = (positives >= FEWEST_POSTERS) & (len(labels) - positives >= FEWEST_POSTERS)
    return np.flatnonzero(enough)


def threshold_row(thresholds: Mapping[str, float | None], genres: list[str]) -> NDArray[np.float64]:
    """Return one mode's thresholds as float64 [genres], infinity for a genre never named."""
    values = (thresholds[genre] for genre in genres)
    return np.array([np.inf if value is None else value for value in values])


def measure(
    probabilities: Probabilities, labels: Labels, thresholds: NDArray[np.float64]
) -> dict[str, float]:
    """Compute all measures of one set of posters.

    The measures named macro_ average over the supported genres, and are NaN if there are none; all
    others are over all genres.

    Args:
        probabilities: [posters, genres], 0 to 1.
        labels: bool [posters, genres].
        thresholds: [genres].

    Returns:
        Measure -> value.
    """
    named = probabilities >= thresholds
    columns = supported(labels)
    truth, scores = labels[:, columns], probabilities[:, columns]
    some, nan = len(columns) > 0, float("nan")
    first = probabilities.argmax(axis=1)
    values = {
        "macro_ap": sk.average_precision_score(truth, scores, average="macro") if some else nan,
        "macro_auc": sk.roc_auc_score(truth, scores, average="macro") if some else nan,
        "macro_f1": f1_scores(truth, named[:, columns], axis=0).mean() if some else nan,
        "micro_ap": sk.average_precision_score(labels, probabilities, average="micro"),
        "micro_f1": f1_scores(labels, named, axis=None),
        "samples_f1": f1_scores(labels, named, axis=1).mean(),
        "ranking_ap": sk.label_ranking_average_precision_score(labels, probabilities),
        "coverage_error": coverage_error(probabilities, labels),
        "brier": np.mean((probabilities - labels) ** 2),
        "calibration_error": calibration_error(probabilities, labels),
        "first_precision": labels[np.arange(len(labels)), first].mean(),
        "named_precision": (labels & named).sum() / named.sum() if named.any() else nan,
        "accuracy_multi": np.mean((probabilities > 0.5) == labels),
        "genres": len(columns),
        "posters": len(labels),
    }
    return {name: float(value) for name, value in values.items()}


def f1_scores(labels: Labels, named: Labels, axis: int | None) -> NDArray[np.float64]:
    """Compute F1 = 2 TP / (named + positives), which is 0 where it is undefined.

    Args:
        labels: bool [posters, genres].
        named: bool [posters, genres].
        axis: 0 for one score per genre, 1 for one per poster, None for one over all.
    """
    hits = (labels & named).sum(axis=axis)
    both = labels.sum(axis=axis) + named.sum(axis=axis)
    return np.asarray(2 * hits / np.maximum(both, 1))


def coverage_error(probabilities: Probabilities, labels: Labels) -> float:
    """Compute how far down the ranked genres one has to read to find all of a poster's.

    It is the mean over posters, where a poster without a genre counts as 0.
    """
    lowest = np.where(labels, probabilities, np.inf).min(axis=1, keepdims=True)
    return float((probabilities >= lowest).sum(axis=1).mean())


def calibration_error(probabilities: Probabilities, labels: Labels, bins: int = BINS) -> float:
    """Compute the expected calibration error over all poster-genre pairs, in bins of equal mass.

    It is the mean over bins of |mean probability - share that is true| (Naeini et al. 2015, with
    equal-mass bins as in Nguyen and O'Connor 2015).
    """
    order = np.argsort(probabilities, axis=None, kind="stable")
    predicted, true = probabilities.ravel()[order], labels.ravel()[order]
    gaps = [
        abs(part.mean() - truth.mean()) * len(part)
        for part, truth in zip(
            np.array_split(predicted, bins), np.array_split(true, bins), strict=True
        )
        if len(part)
    ]
    return float(np.sum(gaps) / len(predicted))


def by_domain(
    probabilities: Probabilities,
    labels: Labels,
    domains: NDArray[np.str_],
    thresholds: NDArray[np.float64],
) -> dict[str, dict[str, float]]:
    """Measure each domain, their mean (MEAN), and all posters together (POOLED).

    With further domains beside the EARLIER ones, their mean has a row too (EARLIER_MEAN).

    Args:
        probabilities: [posters, genres], 0 to 1.
        labels: bool [posters, genres].
        domains: str [posters].
        thresholds: [genres].

    Returns:
        Domain -> measure -> value, as of measure().
    """
    rows: dict[str, dict[str, float]] = {}
    for domain in np.unique(domains):
        chosen = domains == domain
        rows[str(domain)] = measure(probabilities[chosen], labels[chosen], thresholds)
    parts = list(rows.values())
    rows[MEAN] = _mean(parts)
    if set(EARLIER) < set(rows) - {MEAN}:
        rows[EARLIER_MEAN] = _mean([rows[domain] for domain in EARLIER])
    rows[POOLED] = measure(probabilities, labels, thresholds)
    return rows


def _mean(parts: list[dict[str, float]]) -> dict[str, float]:
    mean = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    return mean | {"posters": sum(part["posters"] for part in parts)}


def headline(
    probabilities: Probabilities, labels: Labels, domains: NDArray[np.str_]
) -> dict[str, float]:
    """Compute the measures that choose an epoch: means over domains of macro AP and macro AUC.

    Args:
        probabilities: [posters, genres], or logits: only their order counts.
        labels: bool [posters, genres].
        domains: str [posters].

    Returns:
        macro_ap and macro_auc, 0 if no genre has both positives and negatives.
    """
    values: dict[str, list[float]] = {"macro_ap": [], "macro_auc": []}
    for domain in np.unique(domains):
        chosen = domains == domain
        columns = supported(labels[chosen])
        if not len(columns):  # a small collection: noisy measures are better than none
            positives = labels[chosen].sum(axis=0)
            columns = np.flatnonzero((positives > 0) & (positives < chosen.sum()))
        if not len(columns):
            continue
        truth, scores = labels[chosen][:, columns], probabilities[chosen][:, columns]
        values["macro_ap"].append(float(sk.average_precision_score(truth, scores)))
        values["macro_auc"].append(float(sk.roc_auc_score(truth, scores)))
    return {name: float(np.mean(parts)) if parts else 0.0 for name, parts in values.items()}


def constant_baselines(genres: list[str], posters: int) -> dict[str, Any]:
    """Return predictions that ignore the poster: name -> [posters, genres] of 0 and 1."""
    answers = {
        "nothing": [],
        "always Drama": ["Drama"],
        "Drama + Comedy": ["Drama", "Comedy"],
        "everything": genres,
    }
    return {
        name: np.tile([float(genre in answer) for genre in genres], (posters, 1))
        for name, answer in answers.items()
    }


def genre_table(
    probabilities: Probabilities, labels: Labels, genres: list[str], thresholds: NDArray[np.float64]
) -> list[dict[str, float | str]]:
    """Measure each genre: support, AP, AUC, precision, recall and calibration error.

    Args:
        probabilities: [posters, genres], 0 to 1.
        labels: bool [posters, genres].
        genres: The names of the columns.
        thresholds: [genres], for precision and recall.

    Returns:
        One row per genre. Measures are NaN where a genre has no positive or no negative poster.
    """
    rows: list[dict[str, float | str]] = []
    for column, genre in enumerate(genres):
        truth, scores = labels[:, column], probabilities[:, column]
        named = scores >= thresholds[column]
        mixed = 0 < truth.sum() < len(truth)
        hits = float((named & truth).sum())
        rows.append(
            {
                "genre": genre,
                "support": int(truth.sum()),
                "ap": float(sk.average_precision_score(truth, scores)) if mixed else np.nan,
                "auc": float(sk.roc_auc_score(truth, scores)) if mixed else np.nan,
                "precision": hits / named.sum() if named.any() else np.nan,
                "recall": hits / truth.sum() if truth.any() else np.nan,
                "named": int(named.sum()),
                "calibration_error": calibration_error(scores, truth),
            }
        )
    return rows
