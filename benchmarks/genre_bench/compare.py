"""The figures: accuracy of each system, and how far the exported ones are from the original."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from genre_export import bounds
from genre_export.difference import difference_of
from genre_train import metrics
from genre_train.dataset import Dataset

from .systems import Answers, Probabilities


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
    changes = ap_changes(ours, theirs, dataset.labels(), dataset.domains())
    figures = {
        **dataclasses.asdict(difference_of(theirs, ours, original.thresholds)),
        **{f"{bounds.AP_CHANGE}_{domain}": change for domain, change in changes.items()},
    }
    rules = bounds.RULES[system.precision]
    return {"system": system.name, **figures, **judged(rules, figures)}


def judged(rules: Sequence[bounds.Rule], figures: dict[str, Any]) -> dict[str, str]:
    """bound: in words. met: yes, no, or in part, where a rule's figure could not be measured.
    missed: the rules that are, with their figures. All empty where there is no bound."""
    faults = bounds.missed(rules, figures)
    met = "no" if faults else "in part" if bounds.unjudged(rules, figures) else "yes"
    met = met if rules else ""
    return {"bound": bounds.bound(rules), "met": met, "missed": "; ".join(faults)}


def ap_changes(
    ours: Probabilities, theirs: Probabilities, labels: NDArray[np.bool_], domains: NDArray[np.str_]
) -> dict[str, float | None]:
    """domain -> macro average precision of ours less that of theirs, over the genres with posters
    enough; None where there is none."""
    changes: dict[str, float | None] = {}
    for domain in np.unique(domains):
        chosen = domains == domain
        columns = metrics.supported(labels[chosen])
        if not len(columns):
            changes[str(domain)] = None
            continue
        truth = labels[chosen][:, columns]
        ap = [average_precision_score(truth, p[chosen][:, columns]) for p in (ours, theirs)]
        changes[str(domain)] = float(ap[0] - ap[1])
    return changes
