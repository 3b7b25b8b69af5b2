"""The systems that are compared: the original in PyTorch, and model files on engines."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from genre_export.model import make_model
from genre_export.report import DEVICES
from genre_infer import Classifier, DeviceError, GenreInferError
from genre_infer.model_file import load_model
from genre_infer.progress import progress
from genre_train.checkpoint import read_checkpoint, read_document
from genre_train.dataset import Dataset
from genre_train.metrics import threshold_row
from genre_train.predictions import predict

Probabilities = NDArray[np.float64]
Models: TypeAlias = tuple[Path | None, ...]  # None: the packaged one
Opened = TypeVar("Opened")

_PACKAGES = {
    "cpu": ("onnxruntime", "onnxruntime-gpu"),
    "cuda": ("onnxruntime-gpu",),
    "tensorrt": ("onnxruntime-gpu",),
    "openvino": ("openvino",),
    "fastai": ("fastai", "torch"),
    "torch": ("torch",),
    "pillow": ("pillow",),
}


@dataclass
class Answers:
    """One system's answers for some posters.

    Attributes:
        name: The system, for tables.
        precision: The file's precision, or "original".
        probabilities: float64 [posters, genres], 0 to 1.
        thresholds: float64 [genres] of the mode balanced, infinity where a genre is never named.
    """

    name: str
    precision: str
    probabilities: Probabilities
    thresholds: NDArray[np.float64]


def original_answers(
    checkpoint: Path, table: Path, posters: Path, split: str
) -> tuple[Answers, Dataset]:
    """Ask the original, the checkpoint in float32 in PyTorch on the CPU, about a split.

    Returns:
        Its answers, calibrated, and the posters of the split.

    Raises:
        GenreInferError: The checkpoint or the table cannot be used.
    """
    predicted, dataset = predict(checkpoint, table, posters, split=split, device="cpu")
    thresholds = predicted.thresholds["balanced"]
    probabilities = predicted.probabilities.astype(np.float64)
    return Answers("original, PyTorch", "original", probabilities, thresholds), dataset


def file_answers(classifier: Classifier, dataset: Dataset) -> Answers:
    """Ask a model file about posters, from their files to probabilities, as users run it."""
    paths = [dataset.folder / poster.name for poster in dataset.posters]
    name = system_name(classifier)
    results = classifier.classify_many(paths)
    rows = [list((r.scores or {}).values()) for r in progress(results, len(paths), name)]
    return Answers(
        name,
        classifier.metadata.precision,
        np.array(rows, dtype=np.float64),
        threshold_row(classifier.metadata.thresholds["balanced"], dataset.genres),
    )


def system_name(classifier: Classifier) -> str:
    """Name a file and its provider, for tables."""
    return f"{classifier.metadata.precision}, {classifier.provider}"


def sample(total: int, count: int, seed: int) -> NDArray[np.int64]:
    """Choose `count` of `total` positions at random, or all where there are fewer; ascending."""
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(total, min(count, total), replace=False))


def versions(engine: str) -> str:
    """Return the installed packages of an engine with their versions, e.g. 'openvino 2026.4.1'.

    Args:
        engine: A device of genre-infer, 'fastai', 'torch' or 'pillow'.
    """
    found = []
    for package in _PACKAGES[engine]:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def model_used(classifier: Classifier) -> str:
    """Describe a model file for a row of figures: name, version, precision, sha256."""
    about = classifier.metadata
    return f"{about.name} {about.version}, {about.precision}, {classifier.sha256[:16]}"


def refuse_others(models: Models, checkpoint: Path) -> None:
    """Refuse models of another checkpoint, whose networks differ.

    Raises:
        GenreInferError: A model was not exported from the checkpoint.
    """
    sha256 = read_document(checkpoint)["weights"]["sha256"]
    for model in models:
        if load_model(model).metadata.checkpoint_sha256 != sha256:
            raise GenreInferError(
                f"{model or 'The packaged model'} was not exported from this --checkpoint."
            )


@contextmanager
def exported(checkpoint: Path, *precisions: str) -> Iterator[list[Path]]:
    """Export a checkpoint in these float precisions, to files that are removed after the block."""
    source = read_checkpoint(checkpoint)
    with TemporaryDirectory(prefix="genre-bench-") as folder:
        paths = [Path(folder) / f"{precision}.onnx" for precision in precisions]
        for path in paths:
            path.write_bytes(make_model(source, path.stem).data)
        yield paths


class Devices:
    """The devices to measure on: those that were named, or else every one that works here.

    A named device that does not work is an error. Without names, each one that does not work is
    reported once, on stderr.
    """

    def __init__(self, named: tuple[str, ...]) -> None:
        self._named = named
        self._missing: list[str] = []

    def open_each(self, open_on: Callable[[str], Opened]) -> Iterator[Opened]:
        """Open something on each device in turn.

        Args:
            open_on: Opens it on the device of this name, or raises DeviceError.

        Raises:
            DeviceError: A named device does not work, or none works.
        """
        opened_any = False
        for device in self._named or DEVICES:
            try:
                opened = open_on(device)
            except DeviceError as error:
                if self._named:
                    raise
                self._report(f"Not measured: {error}")
                continue
            opened_any = True
            yield opened
        if not opened_any:
            raise DeviceError("No engine works here. " + " ".join(self._missing))

    def classifiers(self, models: Models) -> Iterator[Classifier]:
        """Open every model on every device, one at a time; the one before is closed."""
        for model in models:
            for classifier in self.open_each(partial(_open, model, {})):
                with classifier:
                    yield classifier

    def _report(self, sentence: str) -> None:
        if sentence not in self._missing:
            self._missing.append(sentence)
            click.echo(sentence, err=True)


def _open(model: Path | None, options: dict[str, Any], device: str) -> Classifier:
    return Classifier(model, device=device, **options)


@contextmanager
def open_classifiers(
    model: Path | None, devices: tuple[str, ...], checkpoint: Path | None, **options: Any
) -> Iterator[list[Classifier]]:
    """Open a model on all devices at once, until the end of the block.

    Args:
        model: The file; None is the packaged model.
        devices: See Devices.
        checkpoint: The checkpoint that the model must have been exported from, if any.
        options: Of Classifier.

    Raises:
        DeviceError: A named device does not work, or none works.
        GenreInferError: The model was exported from another checkpoint.
    """
    with ExitStack() as stack:
        found = Devices(devices).open_each(partial(_open, model, options))
        opened = [stack.enter_context(classifier) for classifier in found]
        if checkpoint:
            refuse_others((model,), checkpoint)
        yield opened


@contextmanager
def open_float32(
    model: Path | None, checkpoint: Path | None, **options: Any
) -> Iterator[Classifier | None]:
    """Open a float32 model on onnxruntime's CPU, which int8 is compared with.

    Args:
        model: The file; None exports one from the checkpoint for the block.
        checkpoint: The checkpoint that the model must have been exported from. None, without a
            model, opens nothing.
        options: Of Classifier.

    Raises:
        GenreInferError: The model is not float32, or was exported from another checkpoint.
    """
    with ExitStack() as stack:
        if model is None and checkpoint is None:
            yield None
            return
        if model is None and checkpoint is not None:
            (model,) = stack.enter_context(exported(checkpoint, "float32"))
        classifier = stack.enter_context(Classifier(model, device="cpu", **options))
        if classifier.metadata.precision != "float32":
            raise GenreInferError(f"{model} is {classifier.metadata.precision}, not float32.")
        if checkpoint:
            refuse_others((model,), checkpoint)
        yield classifier
