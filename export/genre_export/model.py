"""genre-export model: from a checkpoint folder to a checked ONNX file."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx

from genre_infer.engines import Engine
from genre_infer.errors import GenreInferError
from genre_infer.metadata import Metadata
from genre_infer.model_file import load_model, sidecar
from genre_infer.posters import Pixels
from genre_train.checkpoint import Checkpoint, read_checkpoint
from genre_train.files import checksum_line, write_whole
from genre_train.thresholds import fit_thresholds

from .compared import Compared, calibration_posters, compared_posters
from .difference import Difference, compare, engine_probabilities, refuse_mismatch
from .fold import Folded
from .graph import join, network_graph, preprocessing_graph, with_metadata
from .quantization import int8_network
from .quantization.qdq import Settings
from .report import SECONDS, Probabilities, measure, open_on, print_summary, versions, write_report

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu", "numpy", "pillow")

Thresholds = dict[str, dict[str, float | None]]


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedModel:
    """A model file that is not written yet.

    Attributes:
        data: Its bytes.
        compared: The posters that it was compared over.
        probabilities: What it answers on "cpu", float32 [posters, genres].
    """

    data: bytes
    compared: Compared
    probabilities: Probabilities


def export_model(
    checkpoint_folder: Path,
    output: Path,
    report_files: tuple[Path, Path],
    precision: str = "float32",
    posters: Path | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    licences: tuple[tuple[str, str], ...] = (),
    *,
    seconds: float = SECONDS,
) -> None:
    """Write one ONNX file, its hash and its report.

    Nothing is written unless the file answers as the checkpoint does.

    Args:
        checkpoint_folder: The checkpoint.
        output: The file to write.
        report_files: Where to write its report, as JSON and as a page.
        precision: "float32", "float16" or "int8".
        posters: The folder that the checkpoint was trained on. Its train posters calibrate int8;
            over its valid posters the thresholds are fitted through this precision, and the file is
            compared. Without it drawn pictures are compared.
        settings: How int8 is quantized.
        licences: Further licences for the metadata, each what it is of and its name.
        seconds: The least time that the speed of each engine is measured for; 0 measures none.

    Raises:
        GenreInferError: The checkpoint or the posters cannot be used, or the file does not answer
            as the checkpoint does.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    checkpoint.require_multi_label()
    exported = make_model(checkpoint, precision, posters, settings, licences)
    model = load_model(exported.data)
    known = {"cpu": exported.probabilities}
    report = measure(
        model, output.name, checkpoint, exported.compared, seconds=seconds, known=known
    )
    write_whole(output, model.data)
    write_whole(sidecar(output), checksum_line(output, model.sha256))
    write_report(report, *report_files)
    print_summary(report)
    if exported.compared.labels is None:
        click.echo(
            "The thresholds are the checkpoint's own; with --posters they are fitted through this "
            "precision.",
            err=True,
        )
    size = f"{len(model.data) / 1e6:.1f} MB"
    click.echo(f"Wrote {output.name}: {size}, sha256 {model.sha256}", err=True)


def make_model(
    checkpoint: Checkpoint,
    precision: str,
    posters: Path | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    licences: tuple[tuple[str, str], ...] = (),
) -> ExportedModel:
    """Make a file that was compared with the checkpoint. See export_model."""
    if precision == "int8" and posters is None:
        raise GenreInferError(
            "--precision int8 is calibrated on train posters: name their folder with --posters."
        )
    compared = compared_posters(checkpoint, posters)
    click.echo(f"Exporting {checkpoint.document['name']} in {precision} …", err=True)
    graph, details = _build(checkpoint, precision, posters, settings)
    engine = open_on("cpu", graph.SerializeToString(), checkpoint.size)
    given = engine_probabilities(engine, compared.pixels)
    thresholds = checkpoint.document["thresholds"]
    difference = compare(compared.expected, given, checkpoint.genres, thresholds["balanced"])
    refuse_mismatch(difference, precision)
    if compared.labels is not None:
        thresholds = fit_thresholds(given, compared.labels, checkpoint.genres)
    details["posters_missing"] = compared.missing
    metadata = _metadata(checkpoint, precision, thresholds, details, difference, dict(licences))
    data = with_metadata(graph, metadata)
    _check_same_answers(data, engine, compared.pixels[:8], checkpoint.size)
    return ExportedModel(data, compared, given)


def _build(
    checkpoint: Checkpoint, precision: str, posters: Path | None, settings: Settings
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return the graph without metadata, and details for the metadata."""
    details: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about its own code
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
    difference: Difference,
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
        created_with=versions(PACKAGES),
        details={
            **details,
            "calibrated": bool(document.get("calibration")),
            "dataset": document["dataset"]["fingerprint"],
            "split_seed": document["arguments"]["seed"],
            "resize": document["input"]["resize"],
            "parity": {k: _three_digits(v) for k, v in dataclasses.asdict(difference).items()},
        },
    )


def _three_digits(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.3g}")


def _check_same_answers(
    data: bytes, engine: Engine, posters: Pixels, size: tuple[int, int]
) -> None:
    """Refuse a file whose answers are not those that were measured without its metadata."""
    written = open_on("cpu", data, size)
    if not np.array_equal(written.run(posters), engine.run(posters)):
        raise GenreInferError("The file with metadata answers differently; it was not kept.")
