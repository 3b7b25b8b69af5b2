"""The command genre-infer."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import PACKAGED_NAME, PACKAGED_VERSION, __version__
from .cli_common import CommandGroup, ended_by_ctrl_c, stopped_status, with_option
from .cli_info import FILE, REQUIRE_HASH, SHA256, info, tell_of_unvouched

if TYPE_CHECKING:
    from . import Classifier, Metadata, Result
    from .discover import Discovery
    from .rows import Output

_FORMAT = click.Choice(["table", "jsonl", "csv"])
_SECONDS = click.FloatRange(0, 1_000_000, min_open=True)
_MOST_SUFFIXES = 8  # that a summary names
_LIMIT_OPTIONS = {
    "bytes": "--max-bytes",
    "pixels": "--max-pixels",
    "memory": "--max-memory",
    "timeout": "--timeout",
}


MESSAGE = f"%(prog)s %(version)s, model {PACKAGED_NAME} {PACKAGED_VERSION}"


@click.group(cls=CommandGroup, default="classify")
@click.version_option(__version__, prog_name="genre-infer", message=MESSAGE)
def main() -> None:
    """Name the genres of film posters.

    genre-infer PATH… is short for genre-infer classify PATH….
    """


@main.command(context_settings={"show_default": True})
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format", "form", type=_FORMAT, help="Default: table on a terminal, otherwise jsonl."
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="Write rows to a file, which appears once it is complete; - is stdout.",
)
@click.option("--force", is_flag=True, help="Replace an existing output file.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out files and folders of this name, or with a slash of this path within a searched "
    "folder. May be repeated.",
)
@click.option(
    "--no-follow-links",
    "follow_links",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not search folders that links lead to.",
    show_default=False,
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "openvino", "cuda", "tensorrt"]),
    default="auto",
    help="auto tries CUDA, then OpenVINO, then onnxruntime's CPU, and takes the first that works. "
    "A device that you name must work.",
)
@click.option(
    "--model",
    metavar="FILE|NAME",
    type=FILE,
    help="A model's file, or the name of an installed one.",
)
@SHA256
@REQUIRE_HASH
@click.option(
    "--mode", default="balanced", help="Operating point: which of the model's thresholds apply."
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="Replaces every genre's own threshold."
)
@click.option("--top", type=click.IntRange(1), help="At most this many genres per poster.")
@click.option("--batch-size", type=click.IntRange(1, 1024), help="Default: what suits the device.")
@click.option(
    "--threads", type=click.IntRange(1), help="Default: all cores that affinity and quota allow."
)
@click.option(
    "--decoders",
    type=click.Choice(["auto", "threads", "processes"]),
    default="auto",
    help="How to decode posters. auto: in processes beside a GPU if there are more than 4 threads.",
)
@click.option(
    "--exact", is_flag=True, help="Decode large JPEGs in full, not at a fraction of their size."
)
@click.option(
    "--timeout", type=_SECONDS, default=60.0, help="Seconds for reading and decoding one poster."
)
@click.option(
    "--max-pixels", type=click.IntRange(1), default=64_000_000, help="Refuse larger pictures."
)
@click.option("--max-bytes", type=click.IntRange(1), default=1 << 26, help="Refuse larger files.")
@click.option(
    "--max-memory",
    type=click.IntRange(1),
    default=400_000_000,
    help="Bytes that decoding may take: of one picture, and of all at a time.",
)
def classify(
    paths: tuple[str, ...],
    form: str | None,
    output: Path | None,
    force: bool,
    exclude: tuple[str, ...],
    follow_links: bool,
    **options: Any,
) -> None:
    """Classify posters: files, folders (searched recursively), or - for a list on stdin.

    One row per poster, in input order. Exit status: 0 all posters ok, 1 some failed or none was
    found, 2 wrong usage, 3 model or device, 130 Ctrl-C, 143 SIGTERM.
    """
    import logging

    from PIL import Image

    from .classifier import Classifier
    from .discover import Discovery
    from .engines import leave_out_converters
    from .limits import Limits
    from .rows import Output, OutputError

    if output == Path("-"):
        output = None
    if output and not output.name:
        raise click.UsageError("--output names no file.")
    if output and not output.parent.is_dir():
        raise click.UsageError(f"The folder {output.parent} for --output does not exist.")
    if "-" in paths and sys.stdin is None:
        raise click.UsageError("- reads a list on stdin, which is closed.")
    if output is None and sys.stdout is None:
        raise click.UsageError("stdout is closed; name a file for the rows with --output.")
    for name in ("threshold", "timeout"):
        if options[name] != options[name]:  # click's ranges let nan through
            raise click.BadParameter("nan is not a number.", param_hint=f"--{name}")
    limits = Limits(*(options.pop(f"max_{name}") for name in ("pixels", "bytes", "memory")))
    single = len(paths) == 1 and paths[0] != "-" and not os.path.isdir(paths[0])
    leave_out_converters()
    with ended_by_ctrl_c():
        opened = Classifier(limits=limits, expected_posters=1 if single else None, **options)
    tell_of_unvouched(str(options["model"]), opened.vouched)
    with opened as classifier:
        stdin = sys.stdin.buffer if "-" in paths else None
        posters = Discovery(paths, stdin, exclude=exclude, follow_links=follow_links)
        try:
            destination = Output(output, force=force)
        except FileExistsError as error:
            raise click.UsageError(f"{error}; --force replaces it.") from None
        except OutputError as error:
            raise click.UsageError(str(error)) from None
        terminal = output is None and sys.stdout.isatty()
        Image.MAX_IMAGE_PIXELS = None  # --max-pixels counts
        logging.getLogger("PIL").setLevel(logging.ERROR)
        with _libraries_silenced():
            status = _run(
                classifier, posters, destination, form or ("table" if terminal else "jsonl")
            )
        sys.exit(status)


@contextmanager
def _libraries_silenced() -> Iterator[None]:
    """Drop what libtiff and other decoders print on stderr themselves; Python's own goes on."""
    python = sys.stderr
    replaced = python is not sys.__stderr__
    if python is None or replaced or python.fileno() != 2:
        yield
        return
    null, own = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(null, 2)
    kind: dict[str, Any] = {"encoding": python.encoding, "errors": python.errors}
    try:
        with os.fdopen(own, "w", buffering=1, closefd=False, **kind) as sys.stderr:
            yield
    finally:
        sys.stderr = python
        os.dup2(own, 2)
        os.close(own)
        os.close(null)


def _run(classifier: "Classifier", posters: "Discovery", output: "Output", form: str) -> int:
    """Write all rows and the summary. Returns the exit status."""
    from .progress import progress
    from .rows import make_writer

    writer = make_writer(form, output.stream, classifier.genres)
    counts: Counter[str] = Counter()
    started = time.monotonic()
    results = shown = classifier.classify_many(posters)
    on_terminal = output.path is None and sys.stdout.isatty()  # then rows show the progress
    if sys.stderr is not None and sys.stderr.isatty() and not on_terminal:
        shown = progress(results, None, "Posters")
    try:
        for result in shown:
            writer.write(_naming_the_option(result))
            counts[result.status] += 1
        output.finish()
    except BaseException as error:  # also Ctrl-C: rows that are done stay written
        try:
            output.stop()
        except KeyboardInterrupt as again:  # while the reader of our output stalls
            _leave(again)
        if output.partial:
            click.echo(f"{counts.total()} rows are in {output.partial}.", err=True)
        if isinstance(error, KeyboardInterrupt):
            if shown is not results:
                shown.close()  # gives the terminal its cursor back
            _leave(error)
        results.close()
        raise
    _summary(classifier, posters, counts, time.monotonic() - started)
    return 0 if counts["ok"] == counts.total() > 0 else 1


def _naming_the_option(result: "Result") -> "Result":
    """Name the option of the limit that a poster exceeded."""
    if result.limit is None:
        return result
    from dataclasses import replace

    return replace(result, error=with_option(result.error or "", _LIMIT_OPTIONS[result.limit]))


def _leave(error: KeyboardInterrupt) -> None:
    """End the process at once: Python would wait for the engine."""
    click.echo("Stopped.", err=True)
    os._exit(stopped_status(error))


def _summary(
    classifier: "Classifier", posters: "Discovery", counts: Counter[str], seconds: float
) -> None:
    total = counts.total()
    parts = [f"{total} poster{'s' * (total != 1)}" if total else "No posters found"]
    parts += [f"{count} {status}" for status, count in counts.most_common() if status != "ok"]
    if others := posters.others.total():
        names = ", ".join(
            f"{suffix or 'without suffix'} {count}"
            for suffix, count in posters.others.most_common(_MOST_SUFFIXES)
        )
        parts.append(f"{others} other files skipped" + (f" ({names})" if not total else ""))
    if posters.system_folders:
        parts.append(f"{posters.system_folders} folders of the system skipped")
    if posters.excluded:
        parts.append(f"{posters.excluded} excluded")
    parts.append(f"{seconds:.1f} s on {classifier.provider}")
    click.echo("; ".join(parts) + ".", err=True)
    for sentence in classifier.skipped:
        click.echo(f"Not used: {sentence}", err=True)
    if faster := faster_model(classifier.device, classifier.metadata):
        click.echo(faster, err=True)


def faster_model(device: str, metadata: "Metadata") -> str | None:
    """Say so if another file of the same model would be faster on the device in use."""
    from .errors import ModelError
    from .model_file import installed_models, installed_name

    if device != "cuda" or metadata.precision == "float16":
        return None
    name = installed_name(metadata.name, "float16")
    try:
        if name in installed_models():
            return f"The float16 file is faster on a GPU, and it is installed: --model {name}"
    except ModelError as error:  # this run did not use them
        return str(error)
    export = "genre-export CHECKPOINT -o MODEL.onnx --precision float16"
    install = "genre-export wheel MODEL.onnx -o DIR, pip install the wheel in DIR"
    return f"The float16 file would be faster on a GPU: {export}, {install}, then --model {name}"


main.add_command(info)
