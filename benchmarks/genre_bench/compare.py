"""The figures: accuracy of each system, and how far the exported ones are from the original."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from genre_export import bounds
from genre_export.verify import parity
from genre_train import metrics
from genre_train.dataset import Dataset

from .systems import Answers


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
    """How far a system is from the original over all posters, and whether that is within the bound
    of its precision.

    Differences are of probabilities. Labels are compared at the original's thresholds for both, so
    that thresholds fitted anew do not count as differences.
    """
    ours, theirs = system.probabilities, original.probabilities
    figures = {
        **dataclasses.asdict(parity(theirs, ours, original.thresholds)),
        **_ap_differences(ours, theirs, dataset),
    }
    rules = bounds.RULES[system.precision]
    return {"system": system.name, **figures, **judged(rules, figures)}


def judged(rules: Sequence[bounds.Rule], figures: dict[str, Any]) -> dict[str, str]:
    """bound: in words. met: yes or no. missed: the rules that are, with their figures. All empty
    where there is no bound."""
    faults = bounds.missed(rules, figures)
    met = "" if not rules else "no" if faults else "yes"
    return {"bound": bounds.bound(rules), "met": met, "missed": "; ".join(faults)}


def _ap_differences(ours: Any, theirs: Any, dataset: Dataset) -> dict[str, float]:
    """Macro average precision less the original's, per domain."""
    labels, domains = dataset.labels(), dataset.domains()
    values = {}
    for domain in np.unique(domains):
        chosen = domains == domain
        ap = [metrics.headline(p[chosen], labels[chosen], domains[chosen]) for p in (ours, theirs)]
        values[f"macro_ap_change_{domain}"] = ap[0]["macro_ap"] - ap[1]["macro_ap"]
    return values
