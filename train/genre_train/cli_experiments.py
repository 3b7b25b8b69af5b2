"""The commands of genre-train beside fit and evaluate."""

from pathlib import Path
from typing import Any

import click

from genre_infer.cli_common import needs_extra

from .options import (
    DOMAIN,
    FORCE,
    MODEL,
    MODEL_DEVICE,
    POSTERS,
    SPLIT,
    TABLE,
    Size,
    refuse_existing,
)


def register(group: click.Group) -> None:
    """Add this module's commands to the group genre-train."""
    for command in (sort, show, results, shortcut):
        group.add_command(command)


@click.command()
@TABLE
@POSTERS
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to make the genres' folders in.",
)
@click.option(
    "--link", "mode", flag_value="link", help="Make relative symbolic links (the default)."
)
@click.option("--copy", "mode", flag_value="copy", help="Copy the posters.")
@click.option("--move", "mode", flag_value="move", help="Move the posters out of their folder.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def sort(mode: str | None, **options: Any) -> None:
    """Put posters into one folder per first genre of their row.

    Nothing is ever overwritten: a poster that is there already is left as it is, and another file
    in its place is named and left alone.
    """
    with needs_extra("train"):
        from .sort import run_sort
    run_sort(mode=mode or "link", **options)


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
@click.option("--mode", default="balanced", show_default=True, help="Operating point.")
@DOMAIN
@click.option("--seed", default=0, show_default=True, help="Seed of the choice of posters.")
@FORCE
@MODEL_DEVICE
def show(force: bool, **options: Any) -> None:
    """Draw random posters with actual genres above and predicted genres below.

    Green: the table has the genre; red: it has not. All posters of the split are predicted.
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
    help="Folder of the page: README.md, CSV tables and pictures.",
)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also show the epochs of this checkpoint.",
)
@click.option("--machine", metavar="TEXT", help="What predicted; default: this processor.")
def results(**options: Any) -> None:
    """Remake a results page from PREDICTIONS, stored by evaluate --predictions.

    The page is about the first file; further ones, of the same posters, are compared with it.
    """
    with needs_extra("train"):
        from .results import run_results
    run_results(**options)


@click.command()
@MODEL
@TABLE
@POSTERS
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="CSV to write."
)
@click.option(
    "--size", type=Size(), default="182x268", show_default=True, help="Size of the rewritten."
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=82,
    show_default=True,
    help="JPEG quality of the rewritten posters.",
)
@click.option(
    "--domain", default="kgp", show_default=True, metavar="NAME", help="Whose posters to rewrite."
)
@SPLIT
@FORCE
@MODEL_DEVICE
def shortcut(force: bool, **options: Any) -> None:
    """Measure how much a model leans on the files' size and compression.

    Posters of one domain are rewritten as the other's are and scored again. Where the table has
    the domain kaggle, its posters are also rewritten the other way round: 300x442, quality 90.
    """
    refuse_existing(force, options["output"])
    with needs_extra("train"):
        from .shortcut import run_shortcut
    run_shortcut(**options)
