"""From a checkpoint folder to a checked ONNX file: the work behind genre-export's default."""

import dataclasses
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx

from genre_infer import __version__
from genre_infer.cores import available_cores
from genre_infer.engines import Engine, Request, open_engine
from genre_infer.errors import GenreInferError
from genre_infer.metadata import Metadata
from genre_infer.model_file import sidecar, sidecar_line
from genre_infer.posters import Pixels
from genre_train.calibrate import fit_thresholds
from genre_train.checkpoint import Checkpoint, read_checkpoint
from genre_train.files import write_whole

from .compared import Compared, calibration_posters, compared_posters
from .difference import Difference, compare, engine_probabilities, refuse_mismatch
from .files import report_files
from .fold import Folded
from .graph import join, network_graph, preprocessing_graph, with_metadata
from .quantization import int8_network
from .quantization.qdq import Settings
from .report import report_on_bytes, say, write_report

Thresholds = dict[str, dict[str, float | None]]


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedModel:
    """A file's bytes, not written yet, and what it was compared over."""

    data: bytes
    compared: Compared


def export_model(
    checkpoint_folder: Path,
    output: Path,
    precision: str,
    posters: Path | None,
    settings: Settings,
    licences: tuple[tuple[str, str], ...],
) -> None:
    """Write one ONNX file that answers as the checkpoint does, its hash and its report; or none.

    posters: the folder the checkpoint was trained on. Its train posters calibrate int8, its valid
    posters give the thresholds through the exported precision and the comparison. Raises
    GenreInferError.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    checkpoint.require_multi_label()
    made = make_model(checkpoint, precision, posters, settings, licences)
    report = report_on_bytes(made.data, output.name, checkpoint, made.compared)
    write_whole(output, made.data)
    write_whole(sidecar(output), sidecar_line(output, report["sha256"]))
    write_report(report, *report_files(output))
    say(report)
    if made.compared.labels is None:
        click.echo(
            "Thresholds are the checkpoint's own; with --posters they are fitted anew through "
            "this precision.",
            err=True,
        )
    size = f"{len(made.data) / 1e6:.1f} MB"
    click.echo(f"Wrote {output.name}: {size}, sha256 {report['sha256']}", err=True)


def make_model(
    checkpoint: Checkpoint,
    precision: str,
    posters: Path | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    licences: tuple[tuple[str, str], ...] = (),
) -> ExportedModel:
    """A file that was compared with the checkpoint and opens as the runtime opens it. See
    export_model."""
    if precision == "int8" and posters is None:
        raise GenreInferError(
            "--precision int8 is calibrated on train posters: name their folder with --posters."
        )
    compared = compared_posters(checkpoint, posters)
    click.echo(f"Exporting {checkpoint.document['name']} in {precision} …", err=True)
    model, details = _build(checkpoint, precision, posters, settings)
    engine = _open(model.SerializeToString(), (checkpoint.size[1], checkpoint.size[0]))
    given = engine_probabilities(engine, compared.pixels)
    thresholds = checkpoint.document["thresholds"]
    parity = compare(compared.expected, given, checkpoint.genres, thresholds["balanced"])
    refuse_mismatch(parity, precision)
    if compared.labels is not None:
        thresholds = fit_thresholds(given, compared.labels, checkpoint.genres)
    details["posters_missing"] = compared.missing
    metadata = _metadata(checkpoint, precision, thresholds, details, parity, dict(licences))
    data = with_metadata(model, metadata)
    _check_written(data, engine, compared.pixels[:8])
    return ExportedModel(data, compared)


def _build(
    checkpoint: Checkpoint, precision: str, posters: Path | None, settings: Settings
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    details: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own remarks on its own code
        if precision == "int8":
            assert posters is not None
            pixels = calibration_posters(checkpoint, posters)
            network, details["int8"] = int8_network(checkpoint, pixels, settings)
        else:
            folded = Folded(checkpoint, half=precision == "float16")
            network = network_graph(folded, checkpoint.size)
    return join(preprocessing_graph(checkpoint.size), network), details


def _metadata(
    checkpoint: Checkpoint,
    precision: str,
    thresholds: Thresholds,
    details: dict[str, Any],
    parity: Difference,
    licences: dict[str, str],
) -> Metadata:
    document = checkpoint.document
    return Metadata(
        name=document["name"],
        version=document["version"],
        genres=tuple(checkpoint.genres),
        thresholds=thresholds,
        width=checkpoint.size[0],
        height=checkpoint.size[1],
        precision=precision,
        checkpoint_sha256=checkpoint.sha256,
        licences={**document["licences"], **licences},
        created_with={
            "genre-infer": __version__,
            "python": platform.python_version(),
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
        details={
            **details,
            "calibrated": bool(document.get("calibration")),
            "dataset": document["dataset"]["fingerprint"],
            "split_seed": document["arguments"]["seed"],
            "resize": document["input"]["resize"],
            "parity": {k: _short(v) for k, v in dataclasses.asdict(parity).items()},
        },
    )


PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu", "numpy", "pillow")


def _short(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.3g}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _open(data: bytes, size: tuple[int, int]) -> Engine:
    return open_engine(Request(data, size, available_cores()), "cpu")[0]


def _check_written(data: bytes, engine: Engine, posters: Pixels) -> None:
    """The bytes that go to disk open as the runtime opens them, and answer as measured."""
    from genre_infer.onnx_reader import read_metadata

    metadata = read_metadata(data)
    written = _open(data, (metadata.height, metadata.width))
    if not np.array_equal(written.run(posters), engine.run(posters)):
        raise GenreInferError("The file with metadata answers differently; it was not kept.")
