"""The commands of genre-train that measure a model."""

from pathlib import Path
from typing import Any

import click

from .options import (
    CSV,
    DOMAIN,
    FORCE,
    MEASURED,
    MODEL,
    MODEL_DEVICE,
    POSTERS,
    SPLIT,
    TABLE,
    Size,
    needs_extra,
    refuse_existing,
)


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
@MODEL
@TABLE
@POSTERS
@CSV
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


@click.command()
@MEASURED
def robustness(force: bool, **options: Any) -> None:
    """Measure how far the headline falls when posters look a little different.

    Every poster of the split is scaled, recompressed, cropped, turned and made grey, and predicted
    again.
    """
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .robustness import run_robustness
    run_robustness(**options)


@click.command()
@MODEL
@TABLE
@POSTERS
@CSV
@FORCE
@MODEL_DEVICE
def modes(force: bool, **options: Any) -> None:
    """Compare rules for the thresholds of the mode balanced.

    They are fitted on the split valid and measured on the split test.
    """
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .modes import run_modes
    run_modes(**options)


@click.command()
@MEASURED
def slices(force: bool, **options: Any) -> None:
    """Measure parts of a split: domains, decades, and how many genres a poster has.

    Decades need a column 'year' in the table.
    """
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .slices import run_slices
    run_slices(**options)


@click.command()
@click.argument(
    "checkpoints",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@CSV
@FORCE
def runs(force: bool, **options: Any) -> None:
    """Say of each of CHECKPOINTS what its run of fit was, cost and gave."""
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .runs import run_runs
    run_runs(**options)
