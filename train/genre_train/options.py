"""Options that several of genre-train's commands take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genre_infer.errors import GenreInferError

if TYPE_CHECKING:
    SizeType = click.ParamType[tuple[int, int]]
else:
    SizeType = click.ParamType  # not generic before click 8.4


class Size(SizeType):
    """WIDTHxHEIGHT in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Convert '182x268' to (182, 268)."""
        if isinstance(value, tuple):
            return value
        width, _, height = str(value).lower().partition("x")
        if not (width.isdigit() and height.isdigit() and int(width) >= 32 <= int(height)):
            self.fail(f"{value!r} is not WIDTHxHEIGHT of at least 32x32, as 182x268.", param, ctx)
        return int(width), int(height)


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Run imports that fail only where an extra is not installed, and say which one to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = f"This command needs the package {(error.name or '').partition('.')[0]}"
        install = f'pip install "genre-infer[{extra}]"'
        raise GenreInferError(f"{missing}; install it with: {install}") from None


def together(*options: Any) -> Callable[[Any], Any]:
    """Return several options as one decorator, in this order."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def refuse_existing(force: bool, *paths: Path | None) -> None:
    """Raise UsageError if a file exists that --force does not allow to replace."""
    for path in paths:
        if path and path.exists() and not force:
            raise click.UsageError(f"{path} exists; --force replaces it.")


TABLE = click.option(
    "--table",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of films: Kaggle's MovieGenre.csv as it is, or any with an IMDb id and genres.",
)
POSTERS = click.option(
    "--posters",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of posters named by imdbId (114709.jpg, tt0114709.webp …).",
)
DOMAIN = click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="NAME",
    help="Use only rows with this value in the table's column 'domain'. May be repeated.",
)
FORCE = click.option("--force", is_flag=True, help="Replace existing files.")
SEED = click.option("--seed", default=0, show_default=True, help="Seed of everything random.")
DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where PyTorch computes. A named device that is missing is an error.",
)
MODEL = click.argument("model", type=click.Path(exists=True, path_type=Path))
MODEL_DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu or cuda; for an ONNX file also openvino.",
)
SPLIT = click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    default="test",
    show_default=True,
    help="Which posters to measure.",
)
CSV = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="CSV to write."
)
LICENCE = click.option(
    "--licence",
    "licences",
    type=(str, str),
    multiple=True,
    metavar="WHAT LICENCE",
    help="A licence for the checkpoint, e.g. backbone CC0-1.0. May be repeated.",
)
CHECKPOINT = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Checkpoint folder to write.",
)
MEASURED = together(MODEL, TABLE, POSTERS, CSV, SPLIT, FORCE, MODEL_DEVICE)
