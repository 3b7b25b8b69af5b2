"""checkpoint.json: what a run says of itself."""

import hashlib
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from genre_infer import __version__

from .checkpoint import MEAN, STD
from .dataset import Dataset
from .provenance import processor
from .table import SPLITS

CALIBRATION_POSTERS = 512  # for int8: chosen here, because the exporter knows no splits
LICENCES = {"code": "Apache-2.0"}  # of posters, labels and backbone only the user knows


def new_document(
    dataset: Dataset,
    size: tuple[int, int],
    *,
    name: str,
    model_version: str,
    arguments: dict[str, Any],
    records: list[dict[str, Any]],
    fingerprint: str,
    device: str,
    seconds: int,
    licences: dict[str, str],
) -> dict[str, Any]:
    """The document of a finished run, before calibration, thresholds and metrics are fitted."""
    valid = (dataset.posters[i] for i in dataset.indices("valid"))
    return {
        "name": name,
        "version": model_version,
        "architecture": f"{arguments['architecture']}, fastai head",
        "labels": arguments["labels"],
        "genres": dataset.genres,
        "input": {
            "width": size[0],
            "height": size[1],
            "resize": "squish, Pillow bilinear",
            "mean": list(MEAN),
            "std": list(STD),
        },
        "calibration": {},
        "thresholds": {},
        "metrics": {},
        "licences": {**LICENCES, **licences},
        "dataset": {
            "fingerprint": fingerprint,
            "rows": dataset.rows,
            "posters": {split: len(dataset.indices(split)) for split in SPLITS},
            "left_out": dict(dataset.left_out),
            "rare_genres": dataset.rare_genres,
        },
        "arguments": arguments,
        "versions": _versions(),
        "machine": describe_device(device),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": seconds,
        "epochs": records,
        "valid": {poster.name: list(poster.genres) for poster in valid},
        "calibration_posters": _calibration_posters(dataset),
    }


def describe_device(device: str) -> str:
    """The processor's or GPU's name, without any host or user name."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return processor()


def _calibration_posters(dataset: Dataset) -> list[str]:
    """Names of train posters, chosen by the hash of their id."""
    train = [poster for poster in dataset.posters if poster.split == "train"]
    train.sort(key=lambda poster: hashlib.sha256(str(poster.imdb_id).encode()).digest())
    return [poster.name for poster in train[:CALIBRATION_POSTERS]]


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "fastai", "numpy", "pillow")
    return {
        "genre-infer": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }
