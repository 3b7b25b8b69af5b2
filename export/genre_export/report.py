"""What a model file was measured to be, on every provider of one machine."""

import dataclasses
import json
import os
import platform
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from genre_infer import Classifier, __version__
from genre_infer.cores import available_cores
from genre_infer.errors import DeviceError, GenreInferError
from genre_infer.model_file import info_document, load_model
from genre_infer.posters import Pixels
from genre_train.calibrate import FEWEST_POSITIVES
from genre_train.checkpoint import Checkpoint, read_checkpoint
from genre_train.files import write_whole
from genre_train.provenance import commit, processor, today

from .bounds import RULES, bound, missed, unjudged
from .compared import Compared, compared_posters
from .difference import compare
from .quantization.pair_sums import pair_sums
from .report_page import page

FORMAT = 1
"""Version of report.json. Fields may be added within a version."""

DEVICES = ("cpu", "openvino", "cuda")
ENGINES = ("onnxruntime", "onnxruntime-gpu", "openvino", "numpy", "pillow", "torch")
BATCH = 8
SECONDS = 1.0  # that the speed is measured for
LEAST_BATCHES = 5

Probabilities = NDArray[np.float32]


def report_on(model: Path, checkpoint_folder: Path, posters: Path | None) -> dict[str, Any]:
    """Measure a file that exists against its checkpoint. Raises GenreInferError."""
    checkpoint = read_checkpoint(checkpoint_folder)
    checkpoint.require_multi_label()
    made_from = load_model(model).metadata.checkpoint_sha256
    if made_from != checkpoint.sha256:
        raise GenreInferError(
            f"{model} was not exported from {checkpoint_folder}: it was made from weights with the "
            f"sha256 {made_from}, those there have {checkpoint.sha256}."
        )
    return measure(model, checkpoint, compared_posters(checkpoint, posters))


def report_on_bytes(
    data: bytes, name: str, checkpoint: Checkpoint, compared: Compared
) -> dict[str, Any]:
    """Measure a file that is not written yet. name: what it will be called."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return measure(path, checkpoint, compared)


def measure(model: Path, checkpoint: Checkpoint, compared: Compared) -> dict[str, Any]:
    """The report: the file, its metadata, its weights, and a row for each provider. load_average:
    of the machine before measuring; one well over 0 makes speeds say little."""
    loaded = load_model(model)
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    rows, absent = [], []
    for device in DEVICES:
        click.echo(f"Measuring on {device} …", err=True)
        try:
            rows.append(_on_device(model, device, checkpoint, compared))
        except DeviceError as error:
            absent.append(str(error))
    about = info_document(loaded)
    facts = {key: about.pop(key) for key in ("sha256", "bytes", "opset", "ir_version")}
    return {
        "format": FORMAT,
        "file": model.name,
        **facts,
        "metadata": about,
        "int8_weights": pair_sums(onnx.load_from_string(loaded.data)),
        "posters": compared.kind,
        "posters_missing": compared.missing,
        "original_macro_ap": macro_ap(compared.labels, compared.expected),
        "macro_ap_genres": _counted_genres(compared.labels),
        "bound": bound(RULES[loaded.metadata.precision]),
        "providers": rows,
        "not_measured": list(dict.fromkeys(absent)),
        "processor": processor(),
        "cores": available_cores(),
        "load_average": load,
        "versions": {
            "genre-infer": __version__,
            "python": platform.python_version(),
            **_versions(),
        },
        "date": today(),
        "commit": commit(Path(__file__)),
    }


def _on_device(
    model: Path, device: str, checkpoint: Checkpoint, compared: Compared
) -> dict[str, Any]:
    with Classifier(model, device=device) as classifier:
        pixels = compared.pixels
        batches = (pixels[i : i + BATCH] for i in range(0, len(pixels), BATCH))
        given = np.concatenate([classifier.predict(batch) for batch in batches])
        speed = _posters_per_second(classifier, pixels)
        thresholds = checkpoint.document["thresholds"]["balanced"]
        figures = dataclasses.asdict(
            compare(compared.expected, given, checkpoint.genres, thresholds)
        )
        ours, theirs = (macro_ap(compared.labels, p) for p in (given, compared.expected))
        figures["macro_ap"] = ours
        change = None if ours is None or theirs is None else ours - theirs
        figures["macro_ap_change"] = change
        return {
            "device": device,
            "provider": classifier.provider,
            **figures,
            "missed": missed(RULES[classifier.metadata.precision], figures),
            "posters_per_second": speed,
        }


def macro_ap(labels: NDArray[np.bool_] | None, probabilities: Probabilities) -> float | None:
    """Mean average precision over the genres with FEWEST_POSITIVES posters or more; None without
    labels or without such a genre."""
    if labels is None or not _counted_genres(labels):
        return None
    counted = labels.sum(axis=0) >= FEWEST_POSITIVES
    scores = average_precision_score(labels[:, counted], probabilities[:, counted], average="macro")
    return float(scores)


def _counted_genres(labels: NDArray[np.bool_] | None) -> int:
    return 0 if labels is None else int((labels.sum(axis=0) >= FEWEST_POSITIVES).sum())


def _posters_per_second(classifier: Classifier, pixels: Pixels) -> float:
    """The network alone, warm, in batches of 8 or more (so many that all lanes have one) at the
    input size: by the median batch."""
    count = max(BATCH, classifier.batch_size * classifier.lanes)
    batch = np.resize(pixels, (count, *pixels.shape[1:]))
    classifier.predict(batch)
    times: list[float] = []
    while len(times) < LEAST_BATCHES or sum(times) < SECONDS:
        started = time.perf_counter()
        classifier.predict(batch)
        times.append(time.perf_counter() - started)
    return count / float(np.median(times))


def _versions() -> dict[str, str]:
    found = {}
    for package in ENGINES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_report(report: dict[str, Any], document: Path, readable: Path) -> None:
    """Write report.json and the page."""
    write_whole(document, json.dumps(report, indent=1) + "\n")
    write_whole(readable, page(report))


def say(report: dict[str, Any]) -> None:
    """A line for each provider on stderr."""
    for row in report["providers"]:
        click.echo(
            f"{row['provider']}: largest difference {row['largest']:.2g} over {row['posters']} "
            f"{report['posters']} posters, {row['labels_agree']:.2%} of labels agree, "
            f"{row['posters_per_second']:.0f} posters/s.",
            err=True,
        )
        for rule in row["missed"]:
            click.echo(f"{row['provider']} misses the bound: {rule}.", err=True)
        for rule in unjudged(RULES[report["metadata"]["precision"]], row):
            click.echo(f"{row['provider']}, not judged for want of posters: {rule}.", err=True)
    for sentence in report["not_measured"]:
        click.echo(f"Not measured: {sentence}", err=True)
