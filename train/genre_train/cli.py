"""The command genre-train."""

from pathlib import Path
from typing import Any

import click

from genre_infer import __version__
from genre_infer.cli_common import CommandGroup

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
    needs_extra,
    refuse_existing,
)


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="genre-train")
def main() -> None:
    """Train a multi-label ResNet on film posters, and measure it."""


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
    metavar="imagenet|none|FILE",
    help="Where the body starts: fastai's download, untrained, or torchvision's weights of this "
    "architecture in a safetensors file.",
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
@click.option(
    "--licence",
    "licences",
    type=(str, str),
    multiple=True,
    metavar="WHAT LICENCE",
    help="A licence for the checkpoint, e.g. backbone CC0-1.0. May be repeated.",
)
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

    A table without a column 'split' is split as it was for MODEL's training.
    """
    refuse_existing(force, options["csv_file"], options["predictions"])
    with needs_extra("train"):
        from .evaluate import run_evaluate
    run_evaluate(**options)


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
@MODEL
@TABLE
@POSTERS
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG to write.",
)
@click.option("--count", type=click.IntRange(1, 200), default=12, show_default=True)
@click.option("--columns", type=click.IntRange(1, 12), default=4, show_default=True)
@SPLIT
@click.option("--mode", default="balanced", show_default=True, help="Mode of thresholds.")
@DOMAIN
@click.option("--seed", default=0, show_default=True, help="Seed that draws the posters.")
@FORCE
@MODEL_DEVICE
def show(force: bool, **options: Any) -> None:
    """Draw random posters with actual genres above and predicted genres below.

    Green: the table has the genre; red: it does not. All posters of the split are predicted.
    """
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .show import run_show
    run_show(**options)


@main.command()
@click.argument(
    "predictions",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write: README.md, CSV tables and pictures.",
)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also show this checkpoint's epochs.",
)
@click.option(
    "--machine", metavar="TEXT", help="Processor or GPU that predicted; default: this processor."
)
def results(**options: Any) -> None:
    """Remake a results page from PREDICTIONS, stored by evaluate --predictions.

    The page is about the first file. Further files, for the same posters, are compared with it.
    """
    with needs_extra("train"):
        from .results import run_results
    run_results(**options)


@main.command()
@MODEL
@TABLE
@POSTERS
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="CSV to write."
)
@click.option(
    "--size",
    type=Size(),
    default="182x268",
    show_default=True,
    help="Size of the rewritten posters.",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=82,
    show_default=True,
    help="JPEG quality of the rewritten posters.",
)
@click.option(
    "--domain",
    default="kgp",
    show_default=True,
    metavar="NAME",
    help="Domain of the posters to rewrite.",
)
@SPLIT
@FORCE
@MODEL_DEVICE
def shortcut(force: bool, **options: Any) -> None:
    """Measure how much a model relies on the size and compression of the files.

    Posters of one domain are rewritten like the other's and measured again. If the table has the
    domain kaggle, its posters are also rewritten the other way round: 300x442, quality 90.
    """
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .shortcut import run_shortcut
    run_shortcut(**options)
