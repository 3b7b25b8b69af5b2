"""genre-train calibrate, and what fit does after training: calibration and thresholds on valid.

Calibration makes probabilities mean what they say: per genre, sigmoid(slope * logit + intercept).
This is Platt scaling (Platt 1999). Its two numbers per genre can be written into the exported
graph, and it keeps the order of the posters and so average precision.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import nn

from . import metrics
from .checkpoint import (
    DOCUMENT,
    calibrated,
    predict_logits,
    read_checkpoint,
    read_network,
    save_document,
    save_weights,
)
from .dataset import Dataset, load_dataset
from .learner import choose_device
from .table import TableError
from .thresholds import fit_thresholds

# The slope of a genre with few positives is mostly noise. scikit-learn's L2 penalty of this weight,
# on the slope for standardised logits, pulls it towards 0: every poster then gets the genre's share
# of the posters as its probability. With many positives the penalty hardly matters.
STRENGTH = 1.0


def run_calibrate(
    *,
    model: Path,
    table: Path,
    posters: Path,
    output: Path,
    size: tuple[int, int] | None,
    name: str | None,
    model_version: str | None,
    licences: tuple[tuple[str, str], ...],
    domains: tuple[str, ...],
    device: str,
    force: bool,
) -> None:
    """Write a checkpoint with the same weights, and calibration and thresholds of its own.

    Raises:
        GenreInferError: The checkpoint, the table, the posters or the device cannot be used.
        UsageError: The output holds a checkpoint.
    """
    if (output / DOCUMENT).exists() and not force:
        raise click.UsageError(f"{output} holds a checkpoint; --force replaces it.")
    device = choose_device(device)
    checkpoint = read_checkpoint(model)
    checkpoint.require_multi_label()
    width, height = size or checkpoint.size
    document = {
        **checkpoint.document,
        "name": name or checkpoint.document["name"],
        "version": model_version or checkpoint.document["version"],
        "licences": {**checkpoint.document["licences"], **dict(licences)},
        "input": checkpoint.document["input"] | {"width": width, "height": height},
        "calibration": {},
        "thresholds": {},
        "metrics": {},
        "calibrated": {"table": table.name, "posters": posters.name, "size": f"{width}x{height}"},
    }
    dataset = load_dataset(
        table,
        posters,
        (width, height),
        seed=document["arguments"]["seed"],
        domains=domains,
        splits=("valid", "test"),
        genres=checkpoint.genres,
    )
    click.echo(dataset.report(), err=True)
    if not len(dataset.indices("valid")):
        raise TableError("No poster is left in the split valid; give more posters.")
    document["valid"] = valid_posters(dataset)
    save_weights(output, checkpoint.network)
    stored = read_network(output, checkpoint.architecture, len(checkpoint.genres))
    calibrate_and_measure(stored, document, dataset, device)
    save_document(output, document)
    click.echo(f"Wrote {output}.", err=True)


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


def valid_posters(dataset: Dataset) -> dict[str, list[str]]:
    """Return file -> genres of the valid posters. The exporter fits thresholds to them."""
    return {
        dataset.posters[i].name: list(dataset.posters[i].genres) for i in dataset.indices("valid")
    }


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
