"""The command genre-export."""

from pathlib import Path

import click

from genre_infer import __version__
from genre_infer.cli_common import CommandGroup
from genre_infer.model_file import sidecar
from genre_train.options import needs_extra, refuse_existing

CHECKPOINT = click.Path(exists=True, path_type=Path)  # of a file, the reader says more
MODEL = click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(cls=CommandGroup, default="model")
@click.version_option(__version__, prog_name="genre-export")
def main() -> None:
    """Turn a checkpoint into one ONNX file: raw RGB pixels in, genre probabilities out."""


@main.command()
@click.argument("checkpoint", type=CHECKPOINT)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="ONNX file to write. Its hash, FILE.sha256, and its report, .report.json and .report.md, "
    "are written beside it.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8"]),
    default="float32",
    show_default=True,
    help="float16 suits GPUs, int8 suits processors.",
)
@click.option(
    "--posters",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that the checkpoint was trained on. Its posters calibrate int8, set the "
    "thresholds and are compared. Without it drawn pictures are compared.",
)
@click.option(
    "--calibration",
    "method",
    type=click.Choice(["minmax", "percentile", "entropy"]),
    default="minmax",
    show_default=True,
    help="How the ranges of int8 are found.",
)
@click.option(
    "--equalisation",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="How far int8 evens out the ranges of channels. 0 leaves them as they are, which suits a "
    "body that was never trained.",
)
@click.option(
    "--licence",
    "licences",
    type=(str, str),
    multiple=True,
    metavar="WHAT LICENCE",
    help="A licence for the metadata, e.g. backbone CC0-1.0. May be repeated.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
def model(
    checkpoint: Path,
    output: Path,
    precision: str,
    posters: Path | None,
    method: str,
    equalisation: float,
    licences: tuple[tuple[str, str], ...],
    force: bool,
) -> None:
    """Export CHECKPOINT, a folder written by genre-train fit.

    The file is compared with the PyTorch model first. If it does not answer as the checkpoint does,
    it is not written.
    """
    report = _report_files(output)
    refuse_existing(force, output, sidecar(output), *report)
    with needs_extra("export"):
        from .model import export_model
        from .quantization.qdq import Settings
    settings = Settings(method=method, equalisation=equalisation)
    export_model(checkpoint, output, report, precision, posters, settings, licences)


@main.command()
@MODEL
@click.option(
    "--checkpoint",
    required=True,
    type=CHECKPOINT,
    help="The checkpoint folder that MODEL was exported from.",
)
@click.option(
    "--posters",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that the checkpoint was trained on. Without it drawn pictures are compared.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write report.json and README.md into. Default: .report.json and .report.md "
    "beside MODEL.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
def report(
    model: Path, checkpoint: Path, posters: Path | None, output: Path | None, force: bool
) -> None:
    """Measure MODEL, a file written by genre-export, on every available provider.

    The report has its distance from the original, accuracy, size, speed, format, calibration and
    hashes.
    """
    files = (output / "report.json", output / "README.md") if output else _report_files(model)
    refuse_existing(force, *files)
    with needs_extra("export"):
        from .report import print_summary, report_on, write_report
    measured = report_on(model, checkpoint, posters)
    write_report(measured, *files)
    print_summary(measured)
    click.echo(f"Wrote {files[0]} and {files[1]}.", err=True)


def _report_files(model: Path) -> tuple[Path, Path]:
    """Return where a model's report is written, as JSON and as a page: beside it."""
    stem = model.name.removesuffix(".onnx")
    return model.with_name(f"{stem}.report.json"), model.with_name(f"{stem}.report.md")


@main.command()
@MODEL
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the wheel into.",
)
@click.option("--force", is_flag=True, help="Replace an existing wheel.")
def wheel(model: Path, output: Path, force: bool) -> None:
    """Pack MODEL, a file written by genre-export, into a data-only wheel.

    Once it is installed with pip, it is used by its name: genre-infer --model NAME.
    """
    with needs_extra("export"):
        from .wheel import make_wheel

        written, name = make_wheel(model, output, force=force)
    click.echo(
        f"Wrote {written}. After pip install {written}: genre-infer --model {name}", err=True
    )
