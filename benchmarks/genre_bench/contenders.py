"""What is measured: the runtime on every device that is there, with the versions of all engines."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from PIL import Image

from genre_export.model import export_model
from genre_export.quantize import Settings
from genre_infer import Classifier, DeviceError, GenreInferError
from genre_infer.cores import available_cores
from genre_infer.posters import Limits, Pixels, poster_pixels, squish
from genre_train.checkpoint import read_document

from .systems import DEVICES

_PACKAGES = {
    "cpu": ("onnxruntime", "onnxruntime-gpu"),
    "cuda": ("onnxruntime-gpu",),
    "tensorrt": ("onnxruntime-gpu",),
    "openvino": ("openvino",),
    "fastai": ("fastai", "torch"),
    "torch": ("torch",),
    "pillow": ("pillow",),
}


def versions(engine: str) -> str:
    """The installed packages of a device, or of 'fastai', 'torch' or 'pillow', each with its
    version."""
    found = []
    for package in _PACKAGES[engine]:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def cores_used(threads: int | None) -> int:
    """The cores that a Classifier with this `threads` uses."""
    return threads or available_cores()


@contextmanager
def open_classifiers(
    model: Path | None, devices: Sequence[str], checkpoint: Path | None, **options: Any
) -> Iterator[list[Classifier]]:
    """A model on every device, open until the end of the block.

    devices: these must be there; none: all that are, and a sentence on stderr for each other.
    checkpoint: what the model must have been made from. options: of Classifier.
    Raises DeviceError, or GenreInferError for a model of another checkpoint.
    """
    with ExitStack() as stack:
        opened = []
        missing = []
        for device in devices or DEVICES:
            try:
                classifier = Classifier(model, device=device, **options)
            except DeviceError as error:
                if devices:
                    raise
                missing.append(f"Not measured: {error}")
                continue
            opened.append(stack.enter_context(classifier))
        if not opened:
            raise DeviceError("No engine is there. " + " ".join(dict.fromkeys(missing)))
        refuse_other_checkpoint(opened[0], model, checkpoint)
        for sentence in dict.fromkeys(missing):
            click.echo(sentence, err=True)
        yield opened


def refuse_other_checkpoint(
    classifier: Classifier, model: Path | None, checkpoint: Path | None
) -> None:
    """Raises GenreInferError for a model that was made from other weights: two networks would be
    compared, not two runtimes."""
    if checkpoint is None:
        return
    if classifier.metadata.checkpoint_sha256 != read_document(checkpoint)["weights"]["sha256"]:
        name = model or "The packaged model"
        raise GenreInferError(f"{name} was not exported from this --checkpoint.")


@contextmanager
def open_float32(
    model: Path | None, checkpoint: Path | None, **options: Any
) -> Iterator[Classifier | None]:
    """A float32 model on onnxruntime's CPU, the measure of int8: `model`, or one exported from the
    checkpoint for the time of the block; None where there is neither. Raises GenreInferError."""
    with TemporaryDirectory(prefix="genre-bench-") as folder:
        if model is None and checkpoint is None:
            yield None
            return
        if model is None and checkpoint is not None:
            model = Path(folder) / "float32.onnx"
            export_model(checkpoint, model, "float32", None, Settings(), ())
        with Classifier(model, device="cpu", **options) as classifier:
            if classifier.metadata.precision != "float32":
                raise GenreInferError(f"{model} is {classifier.metadata.precision}, not float32.")
            refuse_other_checkpoint(classifier, model, checkpoint)
            yield classifier


def decode(path: Path, classifier: Classifier) -> Pixels:
    """Read and decode one file as the classifier itself does."""
    width, height = classifier.metadata.width, classifier.metadata.height
    return poster_pixels(path, width, height, Limits(), draft=True)


def decode_in_full(path: Path, size: tuple[int, int]) -> Pixels:
    """Decode every pixel of a file, then squish it to (width, height): what decoding costs without
    a JPEG's reduced scales. uint8 [height, width, 3]."""
    with Image.open(path) as picture:
        return squish(picture.convert("RGB"), *size)
