"""The command genre-train."""

from pathlib import Path
from typing import Any

import click

from genre_infer import __version__
from genre_infer.cli_common import CommandGroup, needs_extra

from . import cli_experiments
from .options import (
    DEVICE,
    DOMAIN,
    FORCE,
    MODEL,
    MODEL_DEVICE,
    POSTERS,
    SEED,
    SPLIT,
    TABLE,
    Size,
    refuse_existing,
)


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="genre-train")
def main() -> None:
    """Train a multi-label ResNet-34 on film posters, and measure it."""


@main.command()
@TABLE
@POSTERS
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Checkpoint folder to write.",
)
@click.option(
    "--recipe",
    type=click.Choice(["standard", "seed"]),
    default="standard",
    show_default=True,
    help="standard: augmented, best epoch kept. seed: the hobby notebook's, last epoch kept.",
)
@click.option(
    "--labels",
    type=click.Choice(["all", "first"]),
    default="all",
    show_default=True,
    help="first: the seed's single-label classifier of each film's first genre.",
)
@click.option(
    "--architecture",
    type=click.Choice(["resnet18", "resnet34", "resnet50"]),
    default="resnet34",
    show_default=True,
    help="torchvision's network below fastai's head.",
)
@click.option("--frozen", is_flag=True, help="Only the head learns, from features computed once.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|FILE",
    help="Where the body starts: fastai's download, nothing, or a safetensors file.",
)
@click.option(
    "--size", type=Size(), help="Input size; default: 182x268, with --labels first 128x128."
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs; default: the recipe's.")
@click.option("--batch-size", type=click.IntRange(2), default=64, show_default=True)
@click.option("--learning-rate", type=float, help="Highest learning rate; default: the recipe's.")
@click.option(
    "--min-posters",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Genres with fewer train posters are left out.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="auto: bfloat16 where the device has units for it.",
)
@DOMAIN
@SEED
@DEVICE
@click.option("--name", help="The model's name; default: the output folder's.")
@click.option("--model-version", default="0", show_default=True, help="The model's version.")
@click.option(
    "--licence",
    "licences",
    type=(str, str),
    multiple=True,
    metavar="WHAT LICENCE",
    help="A licence for the checkpoint, e.g. backbone CC0-1.0. May be repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--force", is_flag=True, help="Begin anew in a folder that holds an earlier run.")
def fit(**options: Any) -> None:
    """Train on a table and a folder of posters, and write a checkpoint folder.

    Without a column 'split' in the table, 80 % of the films train, 10 % choose epoch and
    thresholds (valid), 10 % are kept for the measurement (test), drawn by the seed.
    """
    with needs_extra("train"):
        from .fit import run_fit
    run_fit(**options)


@main.command()
@MODEL
@TABLE
@POSTERS
@SPLIT
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the table here.",
)
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Store labels and probabilities (npz).",
)
@FORCE
@DOMAIN
@MODEL_DEVICE
def evaluate(force: bool, **options: Any) -> None:
    """Measure MODEL, a checkpoint folder or an exported ONNX file, on a split.

    A table without a column 'split' is split as it was when MODEL was trained.
    """
    refuse_existing(force, options["csv_file"], options["predictions"])
    with needs_extra("train"):
        from .evaluate import run_evaluate
    run_evaluate(**options)


cli_experiments.register(main)
