"""The command genre-train."""

from pathlib import Path
from typing import Any

import click

from genre_infer import __version__
from genre_infer.cli_common import CommandGroup

from .cli_measures import evaluate, modes, results, robustness, runs, shortcut, show, slices
from .options import (
    CHECKPOINT,
    DEVICE,
    DOMAIN,
    FORCE,
    LICENCE,
    POSTERS,
    SEED,
    TABLE,
    Size,
    needs_extra,
)


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="genre-train")
def main() -> None:
    """Train a multi-label ResNet on film posters, and measure it."""


@main.command()
@TABLE
@POSTERS
@CHECKPOINT
@click.option(
    "--recipe",
    type=click.Choice(["standard", "seed"]),
    default="standard",
    show_default=True,
    help="standard: augments, keeps the best epoch. seed: the hobby notebook's, keeps the last.",
)
@click.option(
    "--labels",
    type=click.Choice(["all", "first"]),
    default="all",
    show_default=True,
    help="first: a single-label classifier of each film's first genre, as the hobby notebook's.",
)
@click.option(
    "--architecture",
    type=click.Choice(["resnet18", "resnet34", "resnet50"]),
    default="resnet34",
    show_default=True,
    help="torchvision's network, under fastai's head.",
)
@click.option("--frozen", is_flag=True, help="Train only the head, on features computed once.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|PATH",
    help="Where the network starts: fastai's download, untrained, torchvision's weights in a "
    "safetensors file, or a checkpoint folder.",
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
    help="Leave out genres with fewer train posters.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="auto: bfloat16 if the device has units for it.",
)
@DOMAIN
@SEED
@DEVICE
@click.option("--name", help="The model's name; default: the output folder's.")
@click.option("--model-version", default="0", show_default=True, help="The model's version.")
@LICENCE
@click.option(
    "--set",
    "changes",
    type=(str, float),
    multiple=True,
    metavar="SETTING NUMBER",
    help="Change a setting of the recipe, e.g. average 0.99. May be repeated.",
)
@click.option(
    "--fraction",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Train on one film in N, always the same ones: for trials.",
)
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@click.option("--force", is_flag=True, help="Start over in a folder that holds an earlier run.")
def fit(**options: Any) -> None:
    """Train on a table and a folder of posters, and write a checkpoint folder.

    If the table has no column 'split', the seed draws 80 % of the films for training (train), 10 %
    to choose epoch and thresholds (valid), and 10 % to measure (test).
    """
    with needs_extra("train"):
        from .fit import run_fit
    run_fit(**options)


@main.command()
@TABLE
@POSTERS
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the genres' folders.",
)
@click.option(
    "--link", "mode", flag_value="link", help="Make relative symbolic links (the default)."
)
@click.option("--copy", "mode", flag_value="copy", help="Copy the posters.")
@click.option("--move", "mode", flag_value="move", help="Move the posters out of their folder.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def sort(mode: str | None, **options: Any) -> None:
    """Put posters into one folder per first genre of their row.

    Nothing is ever overwritten: a poster that is already there is left as it is, and another file
    in its place is reported and left alone.
    """
    with needs_extra("train"):
        from .sort import run_sort
    run_sort(mode=mode or "link", **options)


@main.command()
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@TABLE
@POSTERS
@CHECKPOINT
@click.option("--size", type=Size(), help="Another input size.")
@click.option("--name", help="Another name for the model.")
@click.option("--model-version", help="Another version for the model.")
@LICENCE
@DOMAIN
@DEVICE
@FORCE
def calibrate(**options: Any) -> None:
    """Fit calibration and thresholds of the checkpoint MODEL anew, and measure it.

    Its weights stay as they are. For another input size, or for a collection of your own.
    """
    with needs_extra("train"):
        from .calibrate import run_calibrate
    run_calibrate(**options)


for command in (evaluate, show, results, runs, modes, robustness, slices, shortcut):
    main.add_command(command)
