"""The command genre-infer."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .cli_common import CommandGroup, ended_by_ctrl_c
from .model_file import PACKAGED_NAME, PACKAGED_VERSION

if TYPE_CHECKING:
    from .classifier import Classifier
    from .discover import Discovery
    from .result import Result
    from .rows import Output


class Finite(click.FloatRange):
    """A number in a range; not a number is in none."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Refuse nan, which click's own comparison lets through."""
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return number


MODEL = click.option(
    "--model",
    metavar="FILE|NAME",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A model made by genre-export, or the name of an installed one, in place of the packaged "
    "one.",
)


def _hash(_context: Any, _parameter: Any, value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise click.BadParameter("a sha256 has 64 hexadecimal digits.")
    return value


SHA256 = click.option(
    "--sha256",
    metavar="HEX",
    callback=_hash,
    help="Refuse a model whose bytes have another hash. A file MODEL.sha256 beside it is checked "
    "in any case.",
)


@click.group(cls=CommandGroup, default="classify")
@click.version_option(
    __version__,
    prog_name="genre-infer",
    message=f"%(prog)s %(version)s, model {PACKAGED_NAME} {PACKAGED_VERSION}",
)
def main() -> None:
    """Name the genres of film posters.

    genre-infer PATH… is short for genre-infer classify PATH….
    """


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl", "csv"]),
    help="Default: table on a terminal, else jsonl.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write rows to a file; it appears when it is complete.",
)
@click.option("--force", is_flag=True, help="Replace an existing output file.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "openvino", "cuda", "tensorrt"]),
    default="auto",
    show_default=True,
    help="auto: the first that runs of CUDA, OpenVINO and onnxruntime's CPU. One that is named and "
    "not there is an error.",
)
@MODEL
@SHA256
@click.option(
    "--mode",
    default="balanced",
    show_default=True,
    help="Operating point: which thresholds of the model apply.",
)
@click.option(
    "--threshold",
    type=Finite(0, 1),
    help="One probability in place of every genre's own threshold.",
)
@click.option("--top", type=click.IntRange(1), help="At most this many genres a poster.")
@click.option("--batch-size", type=click.IntRange(1, 1024), help="Default: what suits the device.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Cores to use; default: all that CPU affinity and a container's quota allow.",
)
@click.option(
    "--decoders",
    type=click.Choice(["auto", "threads", "processes"]),
    default="auto",
    show_default=True,
    help="How posters are decoded; auto: in processes where a GPU computes and threads are over 4.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Decode large JPEGs in full; default: at a fraction of their size, at least twice the "
    "model's.",
)
@click.option(
    "--timeout",
    type=Finite(min=0, max=1_000_000, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for reading and decoding one poster.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=64_000_000,
    show_default=True,
    help="Larger pictures are not decoded.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(1),
    default=64 * 1024 * 1024,
    show_default=True,
    help="Larger files are not read.",
)
def classify(
    paths: tuple[str, ...],
    form: str | None,
    output: Path | None,
    force: bool,
    device: str,
    max_pixels: int,
    max_bytes: int,
    **options: Any,
) -> None:
    """Classify posters: files, folders (searched recursively), or - for a list on stdin.

    One row per poster, in input order. Exit status: 0 all posters ok, 1 some failed or none was
    found, 2 wrong usage, 3 model or device, 130 Ctrl-C.
    """
    from .classifier import Classifier
    from .discover import Discovery
    from .engines import this_process_is_ours
    from .posters import Limits
    from .rows import Output, OutputError

    if output and not output.name:
        raise click.UsageError("--output names no file.")
    if output and not output.parent.is_dir():
        raise click.UsageError(f"The folder {output.parent} for --output is not there.")
    if "-" in paths and sys.stdin is None:
        raise click.UsageError("- reads a list on stdin, which is closed.")
    if output is None and sys.stdout is None:
        raise click.UsageError("stdout is closed; name a file for the rows with --output.")
    limits = Limits(pixels=max_pixels, bytes=max_bytes)
    if options["batch_size"] is None and len(paths) == 1 and _is_one(paths[0]):
        options["batch_size"] = 1  # opens soonest
        if options["decoders"] == "auto":
            options["decoders"] = "threads"
    this_process_is_ours()
    with ended_by_ctrl_c():
        opened = Classifier(options.pop("model"), device=device, limits=limits, **options)
    with opened as classifier:
        posters = Discovery(paths, sys.stdin.buffer if "-" in paths else None)
        try:
            destination = Output(output, force=force)
        except OutputError as error:
            raise click.UsageError(str(error)) from None
        terminal = output is None and sys.stdout.isatty()
        _quiet_pillow()
        sys.exit(_run(classifier, posters, destination, form or ("table" if terminal else "jsonl")))


def _is_one(path: str) -> bool:
    return path != "-" and not os.path.isdir(path)


def _run(classifier: "Classifier", posters: "Discovery", output: "Output", form: str) -> int:
    """Write all rows and the summary. Returns the exit status."""
    from .rows import make_writer

    writer = make_writer(form, output.stream, classifier.genres)
    counts: Counter[str] = Counter()
    started = time.monotonic()
    results = classifier.classify_many(posters)
    shown = _with_progress(results, output)
    try:
        for result in shown:
            writer.write(result)
            counts[result.status] += 1
        output.finish()
    except BaseException as error:  # also Ctrl-C: what is done stays written
        try:
            output.stop()
        except KeyboardInterrupt:  # once more, while the reader of our output stalls
            _leave()
        if output.partial:
            click.echo(f"{counts.total()} rows are in {output.partial}.", err=True)
        if isinstance(error, KeyboardInterrupt):
            if shown is not results:
                shown.close()  # gives the terminal its cursor back
            _leave()
        results.close()
        raise
    _summary(classifier, posters, counts, time.monotonic() - started)
    return 0 if counts["ok"] == counts.total() > 0 else 1


def _leave() -> None:
    """End the process at once: Python's own way would wait for the engine, or fall over it."""
    click.echo("Stopped.", err=True)
    os._exit(130)


def _with_progress(
    results: Generator["Result", None, None], output: "Output"
) -> Generator["Result", None, None]:
    from .progress import progress

    # Rows on a terminal show the progress themselves.
    if (
        sys.stderr is None
        or not sys.stderr.isatty()
        or (output.path is None and sys.stdout.isatty())
    ):
        return results
    return progress(results, None, "Posters")


def _summary(
    classifier: "Classifier", posters: "Discovery", counts: Counter[str], seconds: float
) -> None:
    from .model_file import faster_model

    total = counts.total()
    parts = [f"{total} poster{'s' * (total != 1)}" if total else "No posters found"]
    parts += [f"{count} {status}" for status, count in counts.most_common() if status != "ok"]
    if posters.others:
        parts.append(f"{posters.others} other files skipped")
    parts.append(f"{seconds:.1f} s on {classifier.provider}")
    click.echo("; ".join(parts) + ".", err=True)
    for sentence in classifier.skipped:
        click.echo(f"Not used: {sentence}", err=True)
    if faster := faster_model(classifier.device, classifier.metadata):
        click.echo(faster, err=True)


def _quiet_pillow() -> None:
    """Pillow warns on stderr of large pictures and odd EXIF; here these are rows."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.ERROR)


@main.command()
@click.argument("model", required=False, type=click.Path(dir_okay=False, path_type=Path))
@SHA256
@click.option("--json", "as_json", is_flag=True, help="The whole metadata as JSON.")
def info(model: Path | None, sha256: str | None, as_json: bool) -> None:
    """Show what MODEL (a file, or the name of an installed one; default: the packaged model) says
    of itself. Nothing is run."""
    import json

    from .model_file import find_model, info_document, info_lines, load_model

    loaded = load_model(find_model(model), sha256)
    if as_json:
        click.echo(json.dumps(info_document(loaded), indent=1))
    else:
        click.echo("\n".join(info_lines(loaded)))
