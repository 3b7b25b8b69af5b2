"""genre-bench sizes: accuracy against cost, for files of one network at several input sizes."""

import math
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.utils import Extractor

from genre_infer import Classifier
from genre_infer.metadata import OUTPUT
from genre_infer.model_file import load_model
from genre_train.metrics import EARLIER_MEAN, MEAN, by_domain
from genre_train.predictions import predict

from .systems import Devices, model_used, versions
from .tables import print_and_write
from .timing import Seconds, alternate, timed

POSTERS = 256  # that each run takes through the network


def run_sizes(
    *,
    models: tuple[Path, ...],
    table: Path,
    posters: Path,
    split: str,
    devices: tuple[str, ...],
    repeats: int,
    csv_file: Path | None,
) -> None:
    """Measure, print and write a row for each file and device.

    Args:
        models: The files.
        table: CSV of films.
        posters: Folder of posters.
        split: The posters to measure on.
        devices: See systems.Devices.
        repeats: How often each network runs, in turn with the others.
        csv_file: Where the rows go.

    Raises:
        GenreInferError: A model, the table or a device cannot be used.
    """
    rows = []
    for classifiers in Devices(devices).open_each(partial(_open_all, models)):
        with ExitStack() as stack:
            for classifier in classifiers:
                stack.enter_context(classifier)
            seconds = _networks(models, classifiers, repeats)
        for model, classifier in zip(models, classifiers, strict=True):
            predicted, _ = predict(model, table, posters, split=split, device=classifier.device)
            p = predicted
            measured = by_domain(p.probabilities, p.labels, p.domains, p.thresholds["balanced"])
            rows.append(_row(model, classifier, measured, seconds[str(model)]))
    print_and_write("sizes", "Accuracy against cost", rows, csv_file)


def _open_all(models: tuple[Path, ...], device: str) -> list[Classifier]:
    return [Classifier(model, device=device) for model in models]


def _networks(
    models: tuple[Path, ...], classifiers: list[Classifier], repeats: int
) -> dict[str, Seconds]:
    """Time the networks alone, on noise at their own input sizes."""
    runs = {}
    for model, classifier in zip(models, classifiers, strict=True):
        shape = (classifier.metadata.height, classifier.metadata.width, 3)
        noise = np.random.default_rng(0).integers(0, 256, (POSTERS, *shape), dtype=np.uint8)
        classifier.predict(noise)
        runs[str(model)] = timed(partial(classifier.predict, noise))
    return alternate(runs, repeats)


def _row(
    model: Path,
    classifier: Classifier,
    measured: dict[str, dict[str, float]],
    seconds: Seconds,
) -> dict[str, Any]:
    mean = measured[MEAN]
    return {
        "size": f"{classifier.metadata.width}x{classifier.metadata.height}",
        "system": f"{classifier.metadata.precision}, {classifier.provider}",
        "gmacs": multiply_accumulates(load_model(model).data) / 1e9,
        "posters_per_s": POSTERS / seconds.median,
        "macro_ap": mean["macro_ap"],
        "earlier_ap": measured.get(EARLIER_MEAN, {}).get("macro_ap", ""),
        "macro_auc": mean["macro_auc"],
        "posters": int(mean["posters"]),
        "model": model_used(classifier),
        "engine": versions(classifier.device),
    }


def multiply_accumulates(data: bytes) -> int:
    """Count the multiply-accumulates of one poster in a file's convolutions and matrix products.

    The preprocessing is left out: there is none at the input size.

    Args:
        data: The bytes of an ONNX file that genre-export made.
    """
    network = Extractor(onnx.load_from_string(data)).extract_model(["levels"], [OUTPUT])
    graph = onnx.shape_inference.infer_shapes(network, data_prop=True).graph
    shapes = {
        value.name: [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":  # weights [out, in per group, height, width]
            total += math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
        elif node.op_type in ("Gemm", "MatMul"):
            total += math.prod(shapes[node.input[1]])
    return total
