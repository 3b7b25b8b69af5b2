"""The systems that are compared: the original in PyTorch, and exported files on engines."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_infer import Classifier, DeviceError, GenreInferError
from genre_infer.progress import progress
from genre_train.dataset import Dataset
from genre_train.evaluate import predict_checkpoint
from genre_train.metrics import threshold_row

Probabilities = NDArray[np.float64]
DEVICES = ("cpu", "openvino", "cuda")


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


def exported(model: Path | None, device: str, dataset: Dataset, sha256: str) -> Answers:
    """An exported file on a device, from the posters' files to probabilities, as users run it.

    sha256: of the checkpoint's weights, from which the file must have been made. Raises DeviceError
    for a device that is not there, GenreInferError for a file made from another checkpoint.
    """
    paths = [dataset.folder / poster.name for poster in dataset.posters]
    with Classifier(model, device=device) as classifier:
        if classifier.metadata.checkpoint_sha256 != sha256:
            raise GenreInferError(
                f"{model or 'The packaged model'} was not exported from this --checkpoint."
            )
        name = f"{classifier.metadata.precision}, {classifier.provider}"
        results = classifier.classify_many(paths)
        rows = [list((r.scores or {}).values()) for r in progress(results, len(paths), name)]
        return Answers(
            name,
            classifier.metadata.precision,
            np.array(rows, dtype=np.float64),
            threshold_row(classifier.metadata.thresholds["balanced"], dataset.genres),
        )


def on_all_devices(
    models: tuple[Path, ...], devices: tuple[str, ...], dataset: Dataset, sha256: str
) -> tuple[list[Answers], list[str]]:
    """Every model (none: the packaged one) on every device, and a sentence for each that is not
    there. Devices that were named must be there; without names, all that are there are used.

    Raises DeviceError where nothing could be measured at all.
    """
    answers, missing = [], []
    for model in models or (None,):
        for device in devices or DEVICES:
            try:
                answers.append(exported(model, device, dataset, sha256))
            except DeviceError as error:
                if devices:
                    raise
                missing.append(f"Not measured: {error}")
    if not answers:
        raise DeviceError("No engine is there. " + " ".join(dict.fromkeys(missing)))
    return answers, list(dict.fromkeys(missing))
