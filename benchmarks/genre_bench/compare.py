"""The figures: accuracy of each system, and how far the exported ones are from the original."""

from typing import Any

import numpy as np

from genre_train import metrics
from genre_train.dataset import Dataset

from .systems import Answers

CLEAR_LEAD = 0.02  # the best two genres of a poster differ by more: the first one should stay


def accuracy_rows(systems: list[Answers], dataset: Dataset) -> list[dict[str, Any]]:
    """All measures of each system per domain, their mean and pooled, each at its own thresholds,
    and those of the constant baselines."""
    labels, domains = dataset.labels(), dataset.domains()
    rows = []
    half = np.full(len(dataset.genres), 0.5)
    constants = metrics.constant_baselines(dataset.genres, len(labels))
    systems = systems + [Answers(name, "", values, half) for name, values in constants.items()]
    for system in systems:
        scores = metrics.by_domain(system.probabilities, labels, domains, system.thresholds)
        rows += [{"system": system.name, "domain": d, **row} for d, row in scores.items()]
    return rows


def parity_row(system: Answers, original: Answers, dataset: Dataset) -> dict[str, Any]:
    """How far a system is from the original over all posters.

    Differences are of probabilities. Labels are compared at the original's thresholds for both, so
    that thresholds fitted anew do not count as differences.
    """
    ours, theirs = system.probabilities, original.probabilities
    difference = np.abs(ours - theirs)
    row = original.thresholds
    named, still = theirs >= row, ours >= row
    # A label may flip where the original itself is within the precision of its threshold.
    near = np.abs(theirs - row) <= 1e-4
    return {
        "system": system.name,
        "posters": len(ours),
        "largest": float(difference.max()),
        "percentile_99": float(np.quantile(difference, 0.99)),
        "mean": float(difference.mean()),
        "labels_agree": float((named == still).mean()),
        "labels_flipped_away_from_threshold": int(((named != still) & ~near).sum()),
        "named_labels_kept": float((named & still).sum() / max(named.sum(), 1)),
        "first_genre_kept": _first_kept(ours, theirs),
        **_ap_differences(ours, theirs, dataset),
    }


def _first_kept(ours: Any, theirs: Any) -> float:
    """Share of posters with the same first genre, of those with a clear lead in the original."""
    best = np.sort(theirs, axis=1)[:, ::-1]
    clear = best[:, 0] - best[:, 1] > CLEAR_LEAD
    return float((ours.argmax(axis=1) == theirs.argmax(axis=1))[clear].mean())


def _ap_differences(ours: Any, theirs: Any, dataset: Dataset) -> dict[str, float]:
    """Macro average precision less the original's, per domain."""
    labels, domains = dataset.labels(), dataset.domains()
    values = {}
    for domain in np.unique(domains):
        chosen = domains == domain
        ap = [metrics.headline(p[chosen], labels[chosen], domains[chosen]) for p in (ours, theirs)]
        values[f"macro_ap_change_{domain}"] = ap[0]["macro_ap"] - ap[1]["macro_ap"]
    return values
