"""The systems that are compared: the original in PyTorch, and exported files on engines."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from genre_export.report import DEVICES
from genre_infer import Classifier, DeviceError, GenreInferError
from genre_infer.model_file import load_model
from genre_infer.progress import progress
from genre_train.checkpoint import read_document
from genre_train.dataset import Dataset
from genre_train.metrics import threshold_row
from genre_train.predictions import predict_checkpoint

Probabilities = NDArray[np.float64]
Models: TypeAlias = tuple[Path | None, ...]  # None: the packaged one
Opened = TypeVar("Opened")


@dataclass
class Answers:
    """What one system says of the posters.

    name: for tables. precision: of the file, or "original". probabilities: [posters, genres].
    thresholds: [genres] of the mode balanced, infinity where a genre is never named.
    """

    name: str
    precision: str
    probabilities: Probabilities
    thresholds: NDArray[np.float64]


def original(checkpoint: Path, table: Path, posters: Path, split: str) -> tuple[Answers, Dataset]:
    """The stored float16 checkpoint, widened to float32, in PyTorch on the CPU, with its
    calibration; and the posters of the split it was asked about."""
    predicted, dataset = predict_checkpoint(checkpoint, table, posters, split=split, device="cpu")
    thresholds = predicted.thresholds["balanced"]
    probabilities = predicted.probabilities.astype(np.float64)
    return Answers("original, PyTorch", "original", probabilities, thresholds), dataset


def drawn(dataset: Dataset, count: int, seed: int) -> NDArray[np.int64]:
    """At most `count` posters at random: their positions, ascending."""
    generator = np.random.default_rng(seed)
    total = len(dataset.posters)
    return np.sort(generator.choice(total, min(count, total), replace=False))


def answers(classifier: Classifier, dataset: Dataset) -> Answers:
    """What an exported file says, from the posters' files to probabilities, as users run it."""
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
    """A file on a provider, for tables."""
    return f"{classifier.metadata.precision}, {classifier.provider}"


def refuse_others(models: Models, checkpoint: Path) -> None:
    """Raise GenreInferError for a file that was not made from the checkpoint: two networks would be
    compared, not two runtimes."""
    sha256 = read_document(checkpoint)["weights"]["sha256"]
    for model in models:
        if load_model(model).metadata.checkpoint_sha256 != sha256:
            raise GenreInferError(
                f"{model or 'The packaged model'} was not exported from this --checkpoint."
            )


def on_all_devices(
    models: Models, devices: tuple[str, ...], missing: list[str]
) -> Iterator[Classifier]:
    """Every model, opened on every device as by there(), one at a time."""
    for model in models:
        for classifier in there(devices, partial(_opened, model), missing):
            with classifier:
                yield classifier


def _opened(model: Path | None, device: str) -> Classifier:
    return Classifier(model, device=device)


def there(
    devices: tuple[str, ...], open_on: Callable[[str], Opened], missing: list[str]
) -> Iterator[Opened]:
    """What open_on gives for each device. Devices that were named must be there; without names, all
    that are there are used, and a sentence for each other goes into `missing`.

    Raises DeviceError for a named one that is not there, and where there is none at all.
    """
    some = False
    for device in devices or DEVICES:
        try:
            opened = open_on(device)
        except DeviceError as error:
            if devices:
                raise
            if (sentence := f"Not measured: {error}") not in missing:
                missing.append(sentence)
            continue
        some = True
        yield opened
    if not some:
        raise DeviceError("No engine is there. " + " ".join(missing))
