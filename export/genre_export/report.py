"""genre-export report: measure a model file on every engine of this machine."""

import dataclasses
import json
import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from genre_infer import __version__
from genre_infer.cores import available_cores
from genre_infer.engines import Engine, Request, open_engine
from genre_infer.errors import DeviceError, GenreInferError
from genre_infer.model_file import Model, info_document, load_model
from genre_infer.posters import Pixels
from genre_train.checkpoint import Checkpoint, read_checkpoint
from genre_train.files import write_whole
from genre_train.provenance import commit, processor, today
from genre_train.thresholds import FEWEST_POSITIVES

from .bounds import RULES, bound, missed
from .compared import Compared, compared_posters
from .difference import compare, engine_probabilities
from .quantization.pair_sums import pair_sums
from .report_page import notes, page

FORMAT = 1
"""Version of report.json. Fields may be added within a version."""

DEVICES = ("cpu", "openvino", "cuda")
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino", "numpy", "pillow", "torch")
BATCH = 8
SECONDS = 1.0  # the least time that the speed of an engine is measured for
LEAST_BATCHES = 5

Probabilities = NDArray[np.float32]


def report_on(
    path: Path, checkpoint_folder: Path, posters: Path | None, *, seconds: float = SECONDS
) -> dict[str, Any]:
    """Measure a file against its checkpoint.

    Args:
        path: The model file.
        checkpoint_folder: The checkpoint that it was exported from.
        posters: The folder that the checkpoint was trained on; None compares drawn pictures.
        seconds: See measure.

    Returns:
        The report, see measure.

    Raises:
        GenreInferError: The file or the checkpoint cannot be used, or they do not belong together.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    checkpoint.require_multi_label()
    model = load_model(path)
    made_from = model.metadata.checkpoint_sha256
    if made_from != checkpoint.sha256:
        raise GenreInferError(
            f"{path} was not exported from {checkpoint_folder}: it was made from weights with the "
            f"sha256 {made_from}, but those in the checkpoint have {checkpoint.sha256}."
        )
    compared = compared_posters(checkpoint, posters)
    return measure(model, path.name, checkpoint, compared, seconds=seconds)


def measure(
    model: Model,
    file_name: str,
    checkpoint: Checkpoint,
    compared: Compared,
    *,
    seconds: float = SECONDS,
    known: Mapping[str, Probabilities] | None = None,
) -> dict[str, Any]:
    """Measure a model on every available engine.

    Args:
        model: The model.
        file_name: The name of its file, for the report.
        checkpoint: The checkpoint that it was exported from.
        compared: The posters to compare it over.
        seconds: The least time that the speed of each engine is measured for; 0 measures none.
        known: Device -> the model's probabilities on it, where the posters were run before.

    Returns:
        The content of report.json: the file, its metadata, its weights, and a row of figures for
        each engine. load_average is the machine's before measuring; speeds mean little where it is
        well over 0.
    """
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    rows, unavailable = [], []
    for device in DEVICES:
        click.echo(f"Measuring on {device} …", err=True)
        given = (known or {}).get(device)
        try:
            rows.append(_measure_on(device, model, checkpoint, compared, seconds, given))
        except DeviceError as error:
            unavailable.append(str(error))
    about = info_document(model)
    facts = {key: about.pop(key) for key in ("sha256", "bytes", "opset", "ir_version")}
    return {
        "format": FORMAT,
        "file": file_name,
        **facts,
        "metadata": about,
        "int8_weights": pair_sums(onnx.load_from_string(model.data)),
        "posters": compared.kind,
        "posters_missing": compared.missing,
        "original_macro_ap": macro_ap(compared.labels, compared.expected),
        "macro_ap_genres": _counted_genres(compared.labels),
        "bound": bound(RULES[model.metadata.precision]),
        "providers": rows,
        "not_measured": list(dict.fromkeys(unavailable)),
        "processor": processor(),
        "cores": available_cores(),
        "load_average": load,
        "versions": versions(PACKAGES),
        "date": today(),
        "commit": commit(Path(__file__)),
    }


def _measure_on(
    device: str,
    model: Model,
    checkpoint: Checkpoint,
    compared: Compared,
    seconds: float,
    given: Probabilities | None,
) -> dict[str, Any]:
    engine = open_on(device, model.data, checkpoint.size)
    if given is None:
        given = engine_probabilities(engine, compared.pixels)
    thresholds = checkpoint.document["thresholds"]["balanced"]
    figures = dataclasses.asdict(compare(compared.expected, given, checkpoint.genres, thresholds))
    ours, theirs = (macro_ap(compared.labels, p) for p in (given, compared.expected))
    figures["macro_ap"] = ours
    figures["macro_ap_change"] = None if ours is None or theirs is None else ours - theirs
    return {
        "device": device,
        "provider": engine.provider,
        **figures,
        "missed": missed(RULES[model.metadata.precision], figures),
        "posters_per_second": _posters_per_second(engine, compared.pixels, seconds),
    }


def open_on(device: str, data: bytes, size: tuple[int, int]) -> Engine:
    """Open a model as the runtime opens it.

    Args:
        device: One of DEVICES.
        data: The model's bytes.
        size: Width and height of its input in pixels.

    Raises:
        DeviceError: The device is not available.
        ModelError: The engine cannot open the model.
    """
    width, height = size
    return open_engine(Request(data, (height, width), available_cores()), device)[0]


def macro_ap(labels: NDArray[np.bool_] | None, probabilities: Probabilities) -> float | None:
    """Return the mean average precision over the genres with FEWEST_POSITIVES posters or more.

    Args:
        labels: bool [posters, genres], or None.
        probabilities: float32 [posters, genres].

    Returns:
        A value from 0 to 1; None without labels or without such a genre.
    """
    if labels is None or not _counted_genres(labels):
        return None
    counted = labels.sum(axis=0) >= FEWEST_POSITIVES
    scores = average_precision_score(labels[:, counted], probabilities[:, counted], average="macro")
    return float(scores)


def _counted_genres(labels: NDArray[np.bool_] | None) -> int:
    return 0 if labels is None else int((labels.sum(axis=0) >= FEWEST_POSITIVES).sum())


def _posters_per_second(engine: Engine, pixels: Pixels, seconds: float) -> float | None:
    """Return the speed of the warm network alone at the input size, by the median batch.

    Batches have 8 posters, or more where the engine needs more to keep all its lanes busy.
    """
    if not seconds:
        return None
    count = max(BATCH, engine.batch_size * engine.lanes)
    batch = np.resize(pixels, (count, *pixels.shape[1:]))
    engine.run(batch)
    times: list[float] = []
    while len(times) < LEAST_BATCHES or sum(times) < seconds:
        started = time.perf_counter()
        engine.run(batch)
        times.append(time.perf_counter() - started)
    return count / float(np.median(times))


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of genre-infer, Python and those packages that are installed."""
    found = {"genre-infer": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_report(report: dict[str, Any], document: Path, readable: Path) -> None:
    """Write a report as JSON and as a page."""
    write_whole(document, json.dumps(report, indent=1) + "\n")
    write_whole(readable, page(report))


def print_summary(report: dict[str, Any]) -> None:
    """Print a line for each provider, and what needs attention, on stderr."""
    for row in report["providers"]:
        rate = row["posters_per_second"]
        speed = "" if rate is None else f", {rate:.0f} posters/s"
        click.echo(
            f"{row['provider']}: largest difference {row['largest']:.2g} over {row['posters']} "
            f"{report['posters']} posters, {row['labels_agree']:.2%} of labels agree{speed}.",
            err=True,
        )
    for note in notes(report):
        click.echo(note, err=True)
