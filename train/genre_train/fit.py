"""The work behind genre-train fit, from options to a checkpoint folder."""

import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from fastai.vision.learner import create_vision_model
from numpy.typing import NDArray
from torch import nn

from . import metrics
from .calibrate import fit_and_measure
from .checkpoint import (
    ARCHITECTURES,
    DOCUMENT,
    CheckpointError,
    load_body,
    new_network,
    read_network,
    save_document,
    save_weights,
)
from .dataset import Dataset, first_genre_only, load_dataset
from .document import describe_device, new_document
from .finetune import RESUME, fine_tune, stages
from .head import BATCH_SIZE, EPOCHS, body_features, fit_head
from .learner import (
    RECIPES,
    choose_device,
    choose_precision,
    data_loaders,
    make_learner,
)
from .table import TableError


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
    """Train, and write the checkpoint folder `output`. Raises GenreInferError, and UsageError where
    that would undo earlier work."""
    _check_output(output, frozen, resume, force)
    started = time.monotonic()
    first = labels == "first"
    settings = RECIPES[recipe]
    device = choose_device(device)
    precision = choose_precision(precision, device)
    _check_weights(weights)
    size = size or ((128, 128) if first else (182, 268))
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
        "batch_size": batch_size,
        "learning_rate": learning_rate or settings.learning_rate,
        "min_posters": min_posters,
        "precision": precision,
        "domains": list(domains),
        "seed": seed,
        "device": device,
    }
    dataset = load_dataset(
        table, posters, size, seed=seed, min_posters=min_posters, domains=domains
    )
    if first:
        dataset = first_genre_only(dataset, min_posters)
    _report(dataset, f"Training on {describe_device(device)} in {precision}.")
    # fastai drops the last batch where it is not full: a larger one would leave nothing to learn.
    fewest = min(batch_size, len(dataset.indices("train")))
    arguments["batch_size"] = BATCH_SIZE if frozen else fewest
    fingerprint = dataset.fingerprint()
    torch.manual_seed(seed)  # the head's first weights
    if frozen:
        network, records = _train_head(dataset, arguments, weights)
    else:
        run = {**arguments, "dataset": fingerprint}
        network, records = _fine_tune(dataset, run, weights, output, resume)
    document = new_document(
        dataset,
        size,
        name=name or output.resolve().name,
        model_version=model_version,
        arguments=arguments,
        records=records,
        fingerprint=fingerprint,
        device=device,
        seconds=round(time.monotonic() - started),
        licences=dict(licences),
    )
    save_weights(output, network.float().cpu())
    stored = read_network(output, architecture, len(dataset.genres))
    if first:
        _confusion(output, stored, document, dataset, device)
    else:
        fit_and_measure(stored, document, dataset, device)
    save_document(output, document)
    (output / RESUME).unlink(missing_ok=True)
    click.echo(f"Wrote {output}.", err=True)


def _check_output(output: Path, frozen: bool, resume: bool, force: bool) -> None:
    if resume and frozen:
        raise click.UsageError("--frozen keeps nothing to --resume; leave one of them out.")
    if resume and force:
        raise click.UsageError("--resume goes on and --force begins anew; leave one of them out.")
    if resume and not (output / RESUME).is_file():
        raise click.UsageError(f"{output} has no {RESUME} to go on from; leave --resume out.")
    for name in (DOCUMENT, RESUME):
        if (output / name).exists() and not (resume or force):
            raise click.UsageError(
                f"{output} holds {name} of an earlier run; --force begins anew, and --resume goes "
                "on with a run that was stopped."
            )


def _check_weights(weights: str) -> None:
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise CheckpointError(
            f"--weights: {weights} is neither imagenet, nor none, nor a file that is there."
        )


def _report(dataset: Dataset, device: str) -> None:
    click.echo(dataset.report(), err=True)
    if not len(dataset.indices("valid")):
        raise TableError("No poster is left in the split valid; give more posters.")
    if len(dataset.indices("train")) < 2:  # batch norm needs two
        raise TableError("Fewer than 2 posters are left in the split train; give more posters.")
    click.echo(device, err=True)


def _scorer(dataset: Dataset) -> Any:
    """From the valid posters' logits to the measures that choose an epoch; average precision needs
    only their order."""
    valid = dataset.indices("valid")
    truth, where = dataset.labels()[valid], dataset.domains()[valid]

    def score(logits: NDArray[np.float32]) -> dict[str, float]:
        return metrics.headline(logits, truth, where)

    return score


def _train_head(
    dataset: Dataset, arguments: dict[str, Any], weights: str
) -> tuple[nn.Sequential, list[dict[str, Any]]]:
    device, precision = arguments["device"], arguments["precision"]
    architecture = arguments["architecture"]
    if weights == "imagenet":
        body = ARCHITECTURES[architecture]
        network = create_vision_model(body, len(dataset.genres), pretrained=True)
    else:
        network = new_network(architecture, len(dataset.genres))
    if weights not in ("imagenet", "none"):
        load_body(network, architecture, Path(weights))
    train = dataset.indices("train")
    features = body_features(network, dataset.pixels, precision, device)
    labels = dataset.labels()
    if RECIPES[arguments["recipe"]].augment:  # a mirrored poster is the one that costs least
        mirrored = body_features(network, dataset.pixels[train, :, ::-1], precision, device)
        added = np.arange(len(labels), len(labels) + len(train))
        features = np.concatenate([features, mirrored])
        labels = np.concatenate([labels, labels[train]])
        train = np.concatenate([train, added])
    records = fit_head(
        network,
        features,
        labels,
        train,
        dataset.indices("valid"),
        epochs=arguments["epochs"],
        learning_rate=arguments["learning_rate"],
        seed=arguments["seed"],
        score=_scorer(dataset),
        report=lambda line: click.echo(line, err=True),
    )
    return network, records


def _fine_tune(
    dataset: Dataset, run: dict[str, Any], weights: str, output: Path, resume: bool
) -> tuple[nn.Sequential, list[dict[str, Any]]]:
    settings, first = RECIPES[run["recipe"]], run["labels"] == "first"
    loaders = data_loaders(
        dataset, run["batch_size"], run["device"], augment=settings.augment, first_genre=first
    )
    learner = make_learner(
        loaders, run["architecture"], weights, run["precision"], run["device"], first_genre=first
    )
    records = fine_tune(
        learner,
        stages(run["epochs"], run["learning_rate"]),
        output,
        run=run,
        seed=run["seed"],
        keep=settings.keep,
        score=_scorer(dataset),
        resume=resume,
    )
    return learner.model, records


def _confusion(
    output: Path, network: nn.Module, document: dict[str, Any], dataset: Dataset, device: str
) -> None:
    """The first-genre classifier's confusion matrix over the test posters (valid, where there are
    none), as CSV and as a picture, and its measures into the document."""
    from .confusion import write_confusion

    split = "test" if len(dataset.indices("test")) else "valid"
    document["metrics"][split] = write_confusion(output, network, dataset, split, device)
