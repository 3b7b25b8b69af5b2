"""The command genre-bench."""

from pathlib import Path
from typing import Any

import click

from genre_infer import __version__
from genre_infer.cli_common import CommandGroup, needs_extra
from genre_train.options import FORCE, POSTERS, SEED, SPLIT, TABLE, refuse_existing

from . import cli_speed


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="genre-bench")
def main() -> None:
    """Compare exported models with the original: the checkpoint in float32, in PyTorch."""


cli_speed.register(main)

_MODEL = click.argument(
    "model", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_DEVICES = click.option(
    "--device",
    "devices",
    multiple=True,
    type=click.Choice(["cpu", "openvino", "cuda", "tensorrt"]),
    help="Run here; may be repeated. Default: every one of the first three that is there.",
)
_CSV = click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the figures here."
)


def _beside(csv_file: Path | None, what: str) -> Path | None:
    """The file of a command's second table: FILE-what.csv."""
    return csv_file and csv_file.with_name(f"{csv_file.stem}-{what}{csv_file.suffix}")


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
    for option in reversed([models, checkpoint, TABLE, POSTERS, SPLIT, _DEVICES, _CSV, FORCE]):
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
    """Measure how far MODELS are from the original, from file to probability, on every device.

    Default: the packaged model, and float32 and float16 files exported from the checkpoint for the
    occasion. A second table is about pictures of other sizes, 64 posters of the split resized from
    0.5 to 8 times the input size and to odd ratios; with --csv FILE.csv it goes to FILE-sizes.csv.
    Rows say which bound applies and whether it is met.
    """
    csv_file: Path | None = options["csv_file"]
    sizes_file = _beside(csv_file, "sizes")
    refuse_existing(force, csv_file, sizes_file)
    with needs_extra("bench"):
        from .run import run_parity
    run_parity(sizes_file=sizes_file, **options)


@main.command()
@_MODEL
@TABLE
@POSTERS
@SPLIT
@click.option("--device", default="auto", show_default=True, help="As genre-infer's.")
@click.option("--count", type=click.IntRange(1), default=400, show_default=True)
@SEED
@_CSV
@FORCE
def draft(force: bool, **options: Any) -> None:
    """Measure what decoding large JPEGs at a fraction of their size (genre-infer without --exact)
    changes: --count posters of a split, enlarged 4 to 20 times, sharpened and with grain, go
    through MODEL (default: the packaged one) both ways, and once more with one level of noise.
    Exit status 1: the drafts do not keep the bound (99th percentile of the difference 0.02, 99.5 %
    of labels agree, macro average precision within 0.001)."""
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .draft import run_draft
    raise SystemExit(0 if run_draft(**options) else 1)


@main.command()
@click.option(
    "--checkpoint",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The checkpoint folder to quantize.",
)
@TABLE
@POSTERS
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="valid",
    show_default=True,
    help="Which posters to measure on; settings are chosen on valid.",
)
@click.option("--count", type=click.IntRange(1), help="So many of them, at random. Default: all.")
@click.option("--variant", "names", multiple=True, help="This way alone; may be repeated.")
@SEED
@_DEVICES
@_CSV
@FORCE
def int8(force: bool, names: tuple[str, ...], **options: Any) -> None:
    """Quantize a checkpoint in several ways and measure each against the original: what every step
    of the int8 export is worth."""
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .int8 import VARIANTS, run_int8
    if strange := [name for name in names if name not in VARIANTS]:
        raise click.UsageError(f"No variant {strange[0]!r}; there are: {', '.join(VARIANTS)}.")
    run_int8(names=names or tuple(VARIANTS), **options)


@main.command()
@_MODEL
@_DEVICES
@click.option("--repeats", type=click.IntRange(1), default=7, show_default=True)
@_CSV
@FORCE
def resize(force: bool, **options: Any) -> None:
    """Compare the resize inside the graph of MODEL (default: the packaged one) with Pillow's, and
    measure what it costs posters that have the input size already. With --csv, the cost is in a
    file of its own, named …-cost.csv."""
    csv_file = options["csv_file"]
    cost_file = _beside(csv_file, "cost")
    refuse_existing(force, csv_file, cost_file)
    with needs_extra("bench"):
        from .resize import run_resize
    run_resize(**options, cost_file=cost_file)
