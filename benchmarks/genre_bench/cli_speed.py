"""The commands of genre-bench that measure speed and memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from genre_infer.cli_common import needs_extra
from genre_train.options import FORCE, Size, refuse_existing

_FOLDER = click.option(
    "--posters",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of posters to measure on. Default: posters are drawn.",
)
_COUNT = click.option(
    "--count",
    type=click.IntRange(1),
    help="So many posters: the folder's first ones (all), or drawn ones (256); where there are "
    "fewer, links to them again.",
)
_SIZE = click.option("--size", type=Size(), help="Size of drawn JPEGs (182x268).")
_CHECKPOINT = click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The checkpoint folder that the model was exported from, for the original in fastai.",
)
_MODEL = click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A model made by genre-export, in place of the packaged one.",
)
_DEVICES = click.option(
    "--device",
    "devices",
    multiple=True,
    type=click.Choice(["cpu", "openvino", "cuda", "tensorrt"]),
    help="Measure here; may be repeated. Default: every one of the first three that is there.",
)
_FASTAI = click.option(
    "--fastai/--no-fastai",
    default=True,
    show_default=True,
    help="Measure the original too; it is slow.",
)
_FASTAI_DEVICE = click.option(
    "--fastai-device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the original computes.",
)
_THREADS = click.option(
    "--threads", type=click.IntRange(1), help="Cores to use; default: all allowed."
)
_BATCH = click.option(
    "--batch-size", type=click.IntRange(1, 1024), help="Posters a batch; default: the runtime's."
)
_CSV = click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the figures here."
)


def _repeats(default: int) -> Any:
    return click.option(
        "--repeats",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="Turns of every contender; figures are medians over them.",
    )


def _options(*options: Any) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def register(group: click.Group) -> None:
    """Add this module's commands to the group genre-bench."""
    for command in (throughput, latency, start, memory):
        group.add_command(command)


def _check(options: dict[str, Any]) -> None:
    """Raises UsageError for options that do not go together."""
    refuse_existing(options.pop("force"), options["csv_file"])
    if options.get("posters") and options.get("size"):
        raise click.UsageError("--size is of drawn posters; leave it or --posters out.")
    if options.get("fastai") and not options["checkpoint"]:
        raise click.UsageError(
            "The original is made from --checkpoint; name it, or leave the original out with "
            "--no-fastai."
        )


@click.command()
@_options(_FOLDER, _COUNT, _SIZE, _CHECKPOINT, _MODEL)
@click.option(
    "--float32",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The float32 model that int8 is measured against. Default: exported from --checkpoint "
    "for the time of the run.",
)
@_options(_DEVICES, _FASTAI, _FASTAI_DEVICE, _repeats(3), _THREADS, _BATCH, _CSV, FORCE)
def throughput(**options: Any) -> None:
    """Measure a folder of posters to rows against fastai's get_preds on the same files.

    In the same run: decoding alone, the network alone, and how near the whole comes to what the
    two allow together.
    """
    _check(options)
    with needs_extra("bench"):
        from .throughput import run_throughput
    run_throughput(**options)


@click.command()
@_options(_FOLDER, _COUNT, _SIZE, _CHECKPOINT, _MODEL)
@_options(_DEVICES, _FASTAI, _FASTAI_DEVICE, _repeats(3), _THREADS, _CSV, FORCE)
def latency(**options: Any) -> None:
    """Measure one poster, warm, from file to result, against fastai's predict."""
    _check(options)
    with needs_extra("bench"):
        from .latency import run_latency
    run_latency(**options)


@click.command()
@_options(_FOLDER, _CHECKPOINT, _MODEL)
@_options(_DEVICES, _FASTAI, _FASTAI_DEVICE, _repeats(7), _THREADS, _CSV, FORCE)
def start(**options: Any) -> None:
    """Measure whole processes: nothing, the import, --version, one poster, one poster in fastai."""
    _check(options)
    with needs_extra("bench"):
        from .start import run_start
    run_start(**options)


class Counts(click.ParamType[tuple[int, ...]]):
    """Numbers of posters, separated by commas."""

    name = "N,N…"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """'1000,100000' -> (1000, 100000)."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is not numbers of posters, as 1000,100000.", param, ctx)
        return tuple(dict.fromkeys(int(part) for part in parts))


@click.command()
@_options(_FOLDER, _COUNT, _SIZE)
@click.option(
    "--counts",
    type=Counts(),
    default="1000,100000",
    show_default=True,
    help="Numbers of posters, all links to the same few.",
)
@_options(_MODEL)
@click.option(
    "--stand-in",
    is_flag=True,
    help="In place of a model one of next to nothing: what the pipeline needs, in minutes.",
)
@_options(_DEVICES, _THREADS, _BATCH, _CSV, FORCE)
def memory(**options: Any) -> None:
    """Measure the peak memory of whole genre-infer processes, for few posters and for many."""
    _check(options)
    if options["model"] and options["stand_in"]:
        raise click.UsageError("--stand-in takes the place of a model; leave it or --model out.")
    with needs_extra("bench"):
        from .memory import run_memory
    run_memory(**options)
