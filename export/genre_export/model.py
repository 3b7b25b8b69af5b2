"""From a checkpoint folder to a checked ONNX file: the work behind genre-export's default."""

import dataclasses
import hashlib
import os
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray

from genre_infer import __version__
from genre_infer.cores import available_cores
from genre_infer.engines import Engine, Request, open_engine
from genre_infer.errors import GenreInferError
from genre_infer.metadata import Metadata
from genre_infer.operating_points import fit_thresholds
from genre_infer.posters import Limits, Pixels, PosterError, poster_pixels
from genre_infer.progress import progress

from .checkpoint import Checkpoint, CheckpointError, Folded, read_checkpoint
from .drawn import drawn_posters
from .graph import join, network_graph, preprocessing_graph, with_metadata
from .quantize import quantize
from .verify import (
    Parity,
    compare,
    engine_probabilities,
    original_probabilities,
    refuse_mismatch,
)

Thresholds = dict[str, dict[str, float | None]]
CALIBRATION_POSTERS = 128
LEAST_FOUND = 0.9


def export_model(
    checkpoint_folder: Path,
    output: Path,
    precision: str,
    posters: Path | None,
    method: str,
    licences: tuple[tuple[str, str], ...],
) -> None:
    """Write one ONNX file that answers as the checkpoint does, or none.

    posters: the folder the checkpoint was trained on. Its train posters calibrate int8, its valid
    posters give the thresholds through the exported precision and the comparison. Raises
    GenreInferError.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    if precision == "int8" and posters is None:
        raise GenreInferError(
            "--precision int8 is calibrated on train posters: name their folder with --posters."
        )
    valid, labels, missing = _valid_posters(checkpoint, posters)
    click.echo(f"Exporting {checkpoint.document['name']} in {precision} …", err=True)
    model, details = _build(checkpoint, precision, posters, method)
    engine = _open(model.SerializeToString(), (checkpoint.size[1], checkpoint.size[0]))
    given = engine_probabilities(engine, valid)
    expected = original_probabilities(checkpoint, valid)
    thresholds = checkpoint.document["thresholds"]
    parity = compare(expected, given, checkpoint.genres, thresholds["balanced"])
    refuse_mismatch(parity, precision)
    if labels is not None:
        thresholds = fit_thresholds(given, labels, checkpoint.genres)
    details["posters_missing"] = missing
    metadata = _metadata(checkpoint, precision, thresholds, details, parity, dict(licences))
    data = with_metadata(model, metadata)
    _check_written(data, engine, valid[:8])
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".part")
    partial.write_bytes(data)
    os.replace(partial, output)
    _report(output, data, parity, labels is not None)


def _build(
    checkpoint: Checkpoint, precision: str, posters: Path | None, method: str
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own remarks on its own code
        network = network_graph(Folded(checkpoint, half=precision == "float16"), checkpoint.size)
    details: dict[str, Any] = {}
    if precision == "int8":
        assert posters is not None
        names = checkpoint.document["calibration_posters"][:CALIBRATION_POSTERS]
        pixels, found = _decode(names, posters, checkpoint.size, "Decoding calibration posters")
        network = quantize(network, pixels, method)
        digest = hashlib.sha256("\n".join(names[i] for i in found).encode()).hexdigest()
        details["int8"] = {
            "method": method,
            "weights": "int8 per channel, within 7 bits",
            "activations": "uint8",
            "calibration_posters": len(pixels),
            "calibration_sha256": digest,
        }
    return join(preprocessing_graph(checkpoint.size), network), details


def _valid_posters(
    checkpoint: Checkpoint, posters: Path | None
) -> tuple[Pixels, NDArray[np.bool_] | None, int]:
    """The valid posters with their labels, and how many are missing; drawn ones, without labels,
    where there is no folder."""
    if posters is None:
        return drawn_posters(32, *checkpoint.size), None, 0
    valid: dict[str, list[str]] = checkpoint.document["valid"]
    names = list(valid)
    pixels, found = _decode(names, posters, checkpoint.size, "Decoding valid posters")
    labels = [[g in valid[names[i]] for g in checkpoint.genres] for i in found]
    missing = len(names) - len(found)
    if missing:
        click.echo(f"{missing} of {len(names)} valid posters are missing or unreadable.", err=True)
    return pixels, np.array(labels, dtype=bool), missing


def _decode(
    names: list[str], folder: Path, size: tuple[int, int], label: str
) -> tuple[Pixels, list[int]]:
    pixels, found = [], []
    for position, name in enumerate(progress(names, len(names), label)):
        try:
            pixels.append(poster_pixels(folder / name, *size, Limits()))
            found.append(position)
        except PosterError:
            continue
    if len(found) < LEAST_FOUND * len(names) or not found:
        raise CheckpointError(
            f"Only {len(found)} of the {len(names)} posters that the checkpoint names are in "
            f"{folder}; --posters is the folder it was trained on."
        )
    return np.stack(pixels), found


def _metadata(
    checkpoint: Checkpoint,
    precision: str,
    thresholds: Thresholds,
    details: dict[str, Any],
    parity: Parity,
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


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.3g}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _open(data: bytes, size: tuple[int, int]) -> Engine:
    return open_engine(Request(data, size, available_cores()), "cpu")[0]


def _check_written(data: bytes, engine: Engine, posters: Pixels) -> None:
    """The bytes that go to disk open as the runtime opens them, and answer as measured."""
    from genre_infer.onnx_file import read_metadata

    metadata = read_metadata(data)
    written = _open(data, (metadata.height, metadata.width))
    if not np.array_equal(written.run(posters), engine.run(posters)):
        raise GenreInferError("The file with metadata answers differently; it was not kept.")


def _report(output: Path, data: bytes, parity: Parity, fitted: bool) -> None:
    kind = "valid" if fitted else "drawn"
    click.echo(
        f"Over {parity.posters} {kind} posters: largest difference {parity.largest:.2g}, "
        f"99th percentile {parity.percentile_99:.2g}, {parity.agreement:.2%} of labels agree.",
        err=True,
    )
    if not fitted:
        click.echo(
            "Thresholds are the checkpoint's own; with --posters they are fitted anew through "
            "this precision.",
            err=True,
        )
    click.echo(
        f"Wrote {output.name}: {len(data) / 1e6:.1f} MB, sha256 {hashlib.sha256(data).hexdigest()}",
        err=True,
    )
