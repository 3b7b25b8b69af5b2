"""Options that several of genre-bench's commands take."""

from pathlib import Path
from typing import Any

import click

from genre_train.options import FORCE, POSTERS, SPLIT, TABLE, Size, together

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
MODEL = click.argument("model", required=False, type=FILE)
DEVICES = click.option(
    "--device",
    "devices",
    multiple=True,
    type=click.Choice(["cpu", "openvino", "cuda", "tensorrt"]),
    help="Measure on this device. May be repeated. Default: every one of the first three that "
    "works here.",
)
CSV = click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the figures to this file."
)


def checkpoint(text: str, *, required: bool) -> Any:
    """Return the option --checkpoint with this help."""
    return click.option("--checkpoint", required=required, type=FOLDER, help=text)


def repeats(default: int) -> Any:
    """Return the option --repeats with this default."""
    return click.option(
        "--repeats",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="Number of turns. Figures are medians over them.",
    )


SPLIT_OF_POSTERS = together(
    click.argument("models", nargs=-1, type=FILE),
    checkpoint("Checkpoint folder that the models were exported from.", required=True),
    *(TABLE, POSTERS, SPLIT, DEVICES, CSV, FORCE),
)


ANY_POSTERS = click.option(
    "--posters", type=FOLDER, help="Folder of posters to measure on. Default: draw posters."
)
COUNT = click.option(
    "--count",
    type=click.IntRange(1),
    help="Number of posters: the first ones of the folder (default: all), or drawn ones (default: "
    "256). Where there are fewer, they are linked again.",
)
SIZE = click.option("--size", type=Size(), help="Size of drawn JPEGs. Default: 182x268.")
MODEL_FILE = click.option(
    "--model", type=FILE, help="Model made by genre-export. Default: the packaged one."
)
ORIGINAL = checkpoint(
    "Checkpoint folder that the model was exported from, for the original in fastai.",
    required=False,
)
FASTAI = together(
    click.option(
        "--fastai/--no-fastai",
        default=True,
        show_default=True,
        help="Whether to measure the original too, which is slow.",
    ),
    click.option(
        "--fastai-device",
        type=click.Choice(["cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help="Device of the original.",
    ),
)
THREADS = click.option(
    "--threads", type=click.IntRange(1), help="Cores to use. Default: all allowed."
)
BATCH = click.option(
    "--batch-size", type=click.IntRange(1, 1024), help="Posters per batch. Default: the runtime's."
)
