"""What both ways of training do with an epoch: seed it, score it, report it."""

import random
from collections.abc import Callable
from typing import Any, TypeAlias

import click
import numpy as np
import torch
from fastai.learner import Learner
from numpy.typing import NDArray

from . import metrics
from .dataset import Dataset

Record: TypeAlias = dict[str, Any]
"""What checkpoint.json and the resume file say of one epoch: losses and measures by name."""

Scorer: TypeAlias = Callable[[NDArray[np.float32]], dict[str, float]]
"""Logits of the valid posters [posters, genres] -> measures, among them macro_ap."""


def valid_scorer(dataset: Dataset) -> Scorer:
    """Return the function that computes the measures by which the best epoch is chosen.

    It takes logits: average precision and AUC need only their order.
    """
    valid = dataset.indices("valid")
    labels, domains = dataset.labels()[valid], dataset.domains()[valid]

    def score(logits: NDArray[np.float32]) -> dict[str, float]:
        return metrics.headline(logits, labels, domains)

    return score


def seed_everything(learner: Learner, seed: int) -> None:
    """Seed Python, numpy, torch and the order of the train posters."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # fastai's augmentations draw from numpy's global generator
    torch.manual_seed(seed)
    learner.dls.train.rng = random.Random(seed)


def rounded(record: Record) -> Record:
    """Return an epoch's record with its floats rounded to five decimals."""
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in record.items()}


def print_record(record: Record) -> None:
    """Print an epoch's record on stderr, in one line."""
    parts = (
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in record.items()
    )
    click.echo("  ".join(parts), err=True)
