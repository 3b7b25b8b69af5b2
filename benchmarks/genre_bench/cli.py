"""The command genre-bench."""

from pathlib import Path
from typing import Any

import click

from genre_infer import __version__
from genre_infer.commands import CommandGroup, needs_extra
from genre_train.options import FORCE, POSTERS, SEED, SPLIT, TABLE, refuse_existing

from . import cli_speed


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="genre-bench")
def main() -> None:
    """Compare exported models with the original: the checkpoint in float32, in PyTorch."""


cli_speed.register(main)


def _shared(command: Any) -> Any:
    """The arguments and options of both commands; those about posters are genre-train's own."""
    models = click.argument(
        "models", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path)
    )
    checkpoint = click.option(
        "--checkpoint",
        required=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The checkpoint folder that the models were exported from.",
    )
    devices = click.option(
        "--device",
        "devices",
        multiple=True,
        type=click.Choice(["cpu", "openvino", "cuda"]),
        help="Run the models here; may be repeated. Default: every device that is there.",
    )
    csv_file = click.option(
        "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the figures here."
    )
    for option in reversed([models, checkpoint, TABLE, POSTERS, SPLIT, devices, csv_file, FORCE]):
        command = option(command)
    return command


@main.command()
@_shared
def accuracy(force: bool, **options: Any) -> None:
    """Measure MODELS (default: the packaged one) and the original on a split, per domain, beside
    four constant baselines."""
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .run import run_accuracy
    run_accuracy(**options)


@main.command()
@_shared
def parity(force: bool, **options: Any) -> None:
    """Measure how far MODELS (default: the packaged one) are from the original, from file to
    probability, on every device."""
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .run import run_parity
    run_parity(**options)


@main.command()
@click.argument(
    "model", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@TABLE
@POSTERS
@SPLIT
@click.option("--device", default="auto", show_default=True, help="As genre-infer's.")
@click.option("--count", type=click.IntRange(1), default=400, show_default=True)
@SEED
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write the figures here.")
@FORCE
def draft(force: bool, **options: Any) -> None:
    """Measure what decoding large JPEGs at a fraction of their size (genre-infer without --exact)
    changes: --count posters of a split, enlarged 3 to 11 times, sharpened and with grain, go
    through MODEL (default: the packaged one) both ways, and once more with one level of noise.
    Exit status 1: the drafts do not keep the bound (99th percentile of the difference 0.02, 99.5 %
    of labels agree, macro average precision within 0.001)."""
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .draft import run_draft
    raise SystemExit(0 if run_draft(**options) else 1)
