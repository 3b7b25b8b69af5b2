"""The command genre-bench. Each command's work is in the module of its name."""

from pathlib import Path
from typing import Any

import click

from genre_infer import __version__
from genre_infer.cli_common import CommandGroup
from genre_train.options import (
    FORCE,
    POSTERS,
    SEED,
    SPLIT,
    TABLE,
    needs_extra,
    refuse_existing,
    together,
)

from .cli_options import (
    ANY_POSTERS,
    BATCH,
    COUNT,
    CSV,
    DEVICES,
    FASTAI,
    FILE,
    MODEL,
    MODEL_FILE,
    ORIGINAL,
    SIZE,
    SPLIT_OF_POSTERS,
    THREADS,
    checkpoint,
    repeats,
)


@click.group(cls=CommandGroup)
@click.version_option(__version__, prog_name="genre-bench")
def main() -> None:
    """Measure exported models against the original, the checkpoint in float32 in PyTorch."""


def _beside(csv_file: Path | None, suffix: str) -> Path | None:
    """Name the file of a command's second table: FILE-suffix.csv."""
    return csv_file and csv_file.with_name(f"{csv_file.stem}-{suffix}{csv_file.suffix}")


# Commands that measure answers: they take a table of films and the folder of its posters.


@main.command()
@SPLIT_OF_POSTERS
def accuracy(force: bool, **options: Any) -> None:
    """Measure how well MODELS (default: the packaged one) name genres.

    The original and four constant baselines are measured on the same split, per domain.
    """
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .accuracy import run_accuracy
    run_accuracy(**options)


@main.command()
@SPLIT_OF_POSTERS
def parity(force: bool, **options: Any) -> None:
    """Measure how far MODELS are from the original, from file to probability, on every device.

    Default: the packaged model, and float32 and float16 files that are exported from the
    checkpoint. A second table is about pictures of other sizes: 64 posters of the split, resized
    from 0.5 to 8 times the input size and to odd ratios. With --csv FILE.csv it goes to
    FILE-sizes.csv. Each row says which bound applies and whether it is met.
    """
    csv_file: Path | None = options["csv_file"]
    sizes_file = _beside(csv_file, "sizes")
    refuse_existing(force, csv_file, sizes_file)
    with needs_extra("bench"):
        from .parity import run_parity
    run_parity(sizes_file=sizes_file, **options)


@main.command()
@click.argument("models", nargs=-1, required=True, type=FILE)
@together(TABLE, POSTERS, SPLIT, DEVICES, repeats(5), CSV, FORCE)
def sizes(force: bool, **options: Any) -> None:
    """Measure accuracy against cost, for MODELS of several input sizes.

    genre-train calibrate CHECKPOINT --size makes a checkpoint of another size.
    """
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .sizes import run_sizes
    run_sizes(**options)


@main.command()
@together(MODEL, TABLE, POSTERS, SPLIT)
@click.option(
    "--device", default="auto", show_default=True, help="Device, as for genre-infer --device."
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="Number of posters, chosen at random.",
)
@together(SEED, CSV, FORCE)
def draft(force: bool, **options: Any) -> None:
    """Measure what decoding large JPEGs at a fraction of their size changes.

    genre-infer does so unless --exact is given. Posters of a split are enlarged 4 to 20 times,
    sharpened, and given grain. They go through MODEL (default: the packaged one) both ways, and
    once more with noise of one level. Exit status 1: the drafts miss the bound (99th percentile of
    the difference 0.02, 99.5 % of labels agree, macro average precision within 0.001).
    """
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .draft import run_draft
    raise SystemExit(0 if run_draft(**options) else 1)


@main.command()
@checkpoint("Checkpoint folder to quantize.", required=True)
@together(TABLE, POSTERS)
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="valid",
    show_default=True,
    help="Split to measure on. Settings are chosen on valid.",
)
@click.option(
    "--count", type=click.IntRange(1), help="Number of posters, chosen at random. Default: all."
)
@click.option("--variant", "names", multiple=True, help="Only this variant. May be repeated.")
@together(SEED, DEVICES, CSV, FORCE)
def int8(force: bool, names: tuple[str, ...], **options: Any) -> None:
    """Measure what each step of the int8 export is worth.

    The checkpoint is quantized in several ways, and each is compared with the original.
    """
    refuse_existing(force, options["csv_file"])
    with needs_extra("bench"):
        from .int8 import VARIANTS, run_int8
    if unknown := [name for name in names if name not in VARIANTS]:
        raise click.UsageError(f"No variant {unknown[0]!r}; choose from: {', '.join(VARIANTS)}.")
    run_int8(names=names or tuple(VARIANTS), **options)


@main.command()
@together(MODEL, DEVICES, repeats(7), CSV, FORCE)
def resize(force: bool, **options: Any) -> None:
    """Compare the resize in the graph of MODEL (default: the packaged one) with Pillow's.

    A second table says what it costs posters that have the input size already. With --csv FILE.csv
    it goes to FILE-cost.csv.
    """
    csv_file: Path | None = options["csv_file"]
    cost_file = _beside(csv_file, "cost")
    refuse_existing(force, csv_file, cost_file)
    with needs_extra("bench"):
        from .resize import run_resize
    run_resize(**options, cost_file=cost_file)


# Commands that measure speed and memory: they take any folder of posters, or draw some.


def _check(options: dict[str, Any]) -> None:
    """Raise UsageError for options that exclude each other, and for a file that exists."""
    refuse_existing(options.pop("force"), options["csv_file"])
    if options.get("posters") and options.get("size"):
        raise click.UsageError("--size is for drawn posters; leave out --size or --posters.")
    if options.get("fastai") and not options["checkpoint"]:
        raise click.UsageError(
            "The original needs --checkpoint; name the folder, or leave the original out with "
            "--no-fastai."
        )


@main.command()
@together(ANY_POSTERS, COUNT, SIZE, ORIGINAL, MODEL_FILE)
@click.option(
    "--float32",
    type=FILE,
    help="Float32 model to compare int8 with. Default: exported from --checkpoint.",
)
@together(DEVICES, FASTAI, repeats(3), THREADS, BATCH, CSV, FORCE)
def throughput(**options: Any) -> None:
    """Measure a folder of posters to rows against fastai's get_preds on the same files.

    Decoding alone and the network alone are measured in the same run, and how close the whole comes
    to what the two allow together.
    """
    _check(options)
    with needs_extra("bench"):
        from .throughput import run_throughput
    run_throughput(**options)


@main.command()
@together(ANY_POSTERS, COUNT, SIZE, ORIGINAL, MODEL_FILE)
@together(DEVICES, FASTAI, repeats(3), THREADS, CSV, FORCE)
def latency(**options: Any) -> None:
    """Measure one poster, warm, from file to result, against fastai's predict."""
    _check(options)
    with needs_extra("bench"):
        from .latency import run_latency
    run_latency(**options)


@main.command()
@together(ANY_POSTERS, ORIGINAL, MODEL_FILE)
@together(DEVICES, FASTAI, repeats(7), THREADS, CSV, FORCE)
def start(**options: Any) -> None:
    """Measure whole processes: Python, the import, --version, one poster, one poster in fastai."""
    _check(options)
    with needs_extra("bench"):
        from .start import run_start
    run_start(**options)


def _numbers(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, ...]:
    """'1000,100000' -> (1000, 100000)."""
    parts = value.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 1000,100000.")
    return tuple(dict.fromkeys(int(part) for part in parts))


@main.command()
@together(ANY_POSTERS, COUNT, SIZE)
@click.option(
    "--counts",
    callback=_numbers,
    metavar="N,N…",
    default="1000,100000",
    show_default=True,
    help="Numbers of posters to compare, all links to the same few.",
)
@MODEL_FILE
@click.option(
    "--stand-in",
    is_flag=True,
    help="Use a model that computes almost nothing, to measure the pipeline alone, in minutes.",
)
@together(DEVICES, THREADS, BATCH, CSV, FORCE)
def memory(**options: Any) -> None:
    """Measure the peak memory of whole genre-infer processes, for few posters and for many."""
    _check(options)
    if options["model"] and options["stand_in"]:
        raise click.UsageError("--stand-in replaces the model; leave out --stand-in or --model.")
    with needs_extra("bench"):
        from .memory import run_memory
    run_memory(**options)
