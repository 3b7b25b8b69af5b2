"""genre-bench accuracy: how well the original and model files name the genres of a split."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from genre_train import metrics
from genre_train.dataset import Dataset

from .systems import Answers, Devices, Models, file_answers, original_answers, refuse_others
from .tables import print_and_write


def run_accuracy(
    *,
    models: Models,
    checkpoint: Path,
    table: Path,
    posters: Path,
    split: str,
    devices: tuple[str, ...],
    csv_file: Path | None,
) -> None:
    """Print and write the accuracy of all systems.

    Args:
        models: The files; none is the packaged model.
        checkpoint: The folder that all of them were exported from.
        table: CSV of films.
        posters: Folder of posters.
        split: The posters to measure on.
        devices: See systems.Devices.
        csv_file: Where the rows go.

    Raises:
        GenreInferError: A model, the checkpoint, the table or a device cannot be used.
    """
    models = models or (None,)
    refuse_others(models, checkpoint)
    original, dataset = original_answers(checkpoint, table, posters, split)
    click.echo(dataset.report(), err=True)
    systems = [file_answers(c, dataset) for c in Devices(devices).classifiers(models)]
    rows = accuracy_rows([original, *systems], dataset)
    title = f"Accuracy over {len(dataset.posters)} posters of {split}"
    print_and_write("accuracy", title, rows, csv_file)


def accuracy_rows(systems: list[Answers], dataset: Dataset) -> list[dict[str, Any]]:
    """Measure each system at its own thresholds, and four constant baselines at 0.5.

    Returns:
        A row for each system and domain, for the mean of the domains, and for all posters pooled.
    """
    labels, domains = dataset.labels(), dataset.domains()
    half = np.full(len(dataset.genres), 0.5)
    constants = metrics.constant_baselines(dataset.genres, len(labels))
    systems = systems + [Answers(name, "", values, half) for name, values in constants.items()]
    return [
        {"system": system.name, "domain": domain, **scores}
        for system in systems
        for domain, scores in metrics.by_domain(
            system.probabilities, labels, domains, system.thresholds
        ).items()
    ]
