"""genre-train fit: from a table and posters to a checkpoint folder."""

import hashlib
import platform
import time
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from genre_infer import __version__

from .backbone import check_weights
from .calibrate import calibrate_and_measure, valid_posters
from .checkpoint import (
    DOCUMENT,
    MEAN,
    STD,
    read_document,
    read_network,
    save_document,
    save_weights,
)
from .dataset import Dataset, load_dataset
from .finetune import fine_tune
from .first_genre import first_genre_only, measure_first_genre
from .head import BATCH_SIZE, EPOCHS, LEARNING_RATE, train_head
from .learner import RECIPES, Recipe, choose_device, choose_precision, decoded_size
from .provenance import device_name, today
from .resume import RESUME
from .table import SPLITS, TableError

CALIBRATION_POSTERS = 512
"""How many train posters the document names for int8 calibration: the exporter knows no splits."""

MEASURED = ("valid", "test")

LICENCES = {"code": "Apache-2.0"}  # only the user knows those of posters, labels and backbone


def run_fit(
    *,
    table: Path,
    posters: Path,
    output: Path,
    recipe: str,
    architecture: str,
    labels: str,
    frozen: bool,
    weights: str,
    size: tuple[int, int] | None,
    epochs: int | None,
    batch_size: int,
    learning_rate: float | None,
    changes: tuple[tuple[str, float], ...],
    fraction: int,
    min_posters: int,
    precision: str,
    domains: tuple[str, ...],
    seed: int,
    device: str,
    name: str | None,
    model_version: str,
    licences: tuple[tuple[str, str], ...],
    resume: bool,
    force: bool,
) -> None:
    """Train a network, and write the checkpoint folder `output`. The arguments are the options.

    Raises:
        GenreInferError: The table, the posters, the weights or the device cannot be used.
        UsageError: The run would overwrite earlier work.
    """
    _check_output(output, frozen, resume, force)
    started = time.monotonic()
    device = choose_device(device)
    precision = choose_precision(precision, device)
    check_weights(weights, architecture)
    first_genre = labels == "first"
    size = size or ((128, 128) if first_genre else (182, 268))
    settings = adjusted(RECIPES[recipe], changes, epochs, learning_rate)
    decoded = size if frozen else decoded_size(size, settings)
    dataset = load_dataset(
        table, posters, decoded, seed=seed, min_posters=min_posters, domains=domains
    )
    if fraction > 1:
        dataset = dataset.thinned(fraction)
    if first_genre:
        dataset = first_genre_only(dataset, min_posters)
    _report_and_check(dataset)
    click.echo(f"Training on {device_name(device)} in {precision}.", err=True)
    # fastai drops the last batch if it is not full: a larger one would leave nothing to learn from.
    largest = min(batch_size, len(dataset.indices("train")))
    arguments: dict[str, Any] = {
        "table": table.name,
        "posters": posters.name,
        "recipe": recipe,
        "architecture": architecture,
        "labels": labels,
        "frozen": frozen,
        "weights": Path(weights).name,
        "size": f"{size[0]}x{size[1]}",
        "epochs": epochs or (EPOCHS if frozen else settings.epochs),
        "batch_size": BATCH_SIZE if frozen else largest,
        "learning_rate": learning_rate or (LEARNING_RATE if frozen else settings.learning_rate),
        "settings": {} if frozen else asdict(settings),
        "fraction": fraction,
        "min_posters": min_posters,
        "precision": precision,
        "domains": list(domains),
        "seed": seed,
        "device": device,
    }
    run = {**arguments, "dataset": dataset.fingerprint()}
    torch.manual_seed(seed)  # the head's first weights
    if frozen:
        network, records = train_head(dataset, settings, run, weights)
    else:
        network, records = fine_tune(dataset, size, settings, run, weights, output, resume=resume)
    document = {
        "name": name or output.resolve().name,
        "version": model_version,
        **_document(dataset, size, arguments, run["dataset"]),
        "seconds": round(time.monotonic() - started),
        "epochs": records,
        "valid": valid_posters(dataset),
        "calibration_posters": _calibration_posters(dataset),
    }
    if Path(weights).is_dir():
        document["started_from"] = _origin(Path(weights))
    document["licences"] |= dict(licences)
    if decoded != size:  # measured as users' posters are seen: squished to the input size at once
        dataset = load_dataset(
            table, posters, size, seed=seed, domains=domains, splits=MEASURED, genres=dataset.genres
        )
    _write_checkpoint(output, network, document, dataset, arguments)
    click.echo(f"Wrote {output}.", err=True)


def adjusted(
    recipe: Recipe,
    changes: tuple[tuple[str, float], ...],
    epochs: int | None,
    learning_rate: float | None,
) -> Recipe:
    """Return a recipe with some of its settings changed.

    Raises:
        UsageError: A recipe has no such setting.
    """
    names = {field.name for field in fields(Recipe)} - {"keep", "epochs", "learning_rate"}
    settings: dict[str, Any] = {}
    for name, number in changes:
        if name not in names:
            raise click.UsageError(f"--set {name}: choose from {', '.join(sorted(names))}.")
        settings[name] = type(getattr(recipe, name))(number)
    settings |= {"epochs": epochs} if epochs else {}
    settings |= {"learning_rate": learning_rate} if learning_rate else {}
    return replace(recipe, **settings)


def _write_checkpoint(
    output: Path,
    network: nn.Module,
    document: dict[str, Any],
    dataset: Dataset,
    arguments: dict[str, Any],
) -> None:
    """Write the weights, measure them as they are stored, and write the document."""
    save_weights(output, network.float().cpu())
    stored = read_network(output, arguments["architecture"], len(dataset.genres))
    if arguments["labels"] == "first":
        measure_first_genre(output, stored, document, dataset, arguments["device"])
    else:
        calibrate_and_measure(stored, document, dataset, arguments["device"])
    save_document(output, document)
    (output / RESUME).unlink(missing_ok=True)


def _check_output(output: Path, frozen: bool, resume: bool, force: bool) -> None:
    if resume and frozen:
        raise click.UsageError("--frozen keeps nothing to --resume; leave one of them out.")
    if resume and force:
        raise click.UsageError("--resume continues and --force starts over; leave one of them out.")
    if resume and not (output / RESUME).is_file():
        raise click.UsageError(f"{output} has no {RESUME} to continue from; leave --resume out.")
    for name in (DOCUMENT, RESUME):
        if (output / name).exists() and not (resume or force):
            raise click.UsageError(
                f"{output} holds {name} of an earlier run; --force starts over, and --resume "
                "continues a run that was stopped."
            )


def _report_and_check(dataset: Dataset) -> None:
    click.echo(dataset.report(), err=True)
    if not len(dataset.indices("valid")):
        raise TableError("No poster is left in the split valid; give more posters.")
    if len(dataset.indices("train")) < 2:  # batch norm needs two
        raise TableError("Fewer than 2 posters are left in the split train; give more posters.")


def _document(
    dataset: Dataset, size: tuple[int, int], arguments: dict[str, Any], fingerprint: str
) -> dict[str, Any]:
    """Describe the network and its training; calibration, thresholds and metrics stay empty."""
    return {
        "architecture": f"{arguments['architecture']}, fastai head",
        "labels": arguments["labels"],
        "genres": dataset.genres,
        "input": {
            "width": size[0],
            "height": size[1],
            "resize": "squish, Pillow bilinear",
            "mean": list(MEAN),
            "std": list(STD),
        },
        "calibration": {},
        "thresholds": {},
        "metrics": {},
        "licences": dict(LICENCES),
        "dataset": {
            "fingerprint": fingerprint,
            "rows": dataset.rows,
            "posters": {split: len(dataset.indices(split)) for split in SPLITS},
            "left_out": dict(dataset.left_out),
            "rare_genres": dataset.rare_genres,
        },
        "arguments": arguments,
        "versions": _versions(),
        "machine": device_name(arguments["device"]),
        "date": today(),
    }


def _origin(folder: Path) -> dict[str, Any]:
    """Return how the checkpoint was trained that a run started from."""
    origin = read_document(folder)
    kept = ("name", "version", "weights", "arguments", "seconds", "epochs", "started_from")
    return {key: origin[key] for key in kept if key in origin}


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "fastai", "numpy", "pillow")
    return {
        "genre-infer": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _calibration_posters(dataset: Dataset) -> list[str]:
    """Return train posters, chosen by a hash of their film, to calibrate int8 with."""
    train = [poster for poster in dataset.posters if poster.split == "train"]
    train.sort(key=lambda poster: hashlib.sha256(str(poster.imdb_id).encode()).digest())
    return [poster.name for poster in train[:CALIBRATION_POSTERS]]
