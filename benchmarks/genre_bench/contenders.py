"""What is measured: the runtime on every device that is there, with the versions of all engines."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from genre_export.model import make_model
from genre_infer import Classifier, GenreInferError
from genre_infer.cores import available_cores
from genre_infer.posters import Limits, Pixels, poster_pixels, squish
from genre_train.checkpoint import read_checkpoint

from .systems import refuse_others, there
from .tables import say

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


def model_used(classifier: Classifier) -> str:
    """Which file it is, for a row of figures: name, version, precision, sha256."""
    about = classifier.metadata
    return f"{about.name} {about.version}, {about.precision}, {classifier.sha256[:16]}"


def cores_used(threads: int | None) -> int:
    """The cores that a Classifier with this `threads` uses."""
    return threads or available_cores()


@contextmanager
def open_classifiers(
    model: Path | None, devices: tuple[str, ...], checkpoint: Path | None, **options: Any
) -> Iterator[list[Classifier]]:
    """A model on every device, open until the end of the block.

    devices: these must be there; none: all that are, and a sentence on stderr for each other.
    checkpoint: what the model must have been made from. options: of Classifier.
    Raises DeviceError, or GenreInferError for a model of another checkpoint.
    """
    with ExitStack() as stack:
        missing: list[str] = []
        found = there(devices, lambda device: Classifier(model, device=device, **options), missing)
        opened = [stack.enter_context(classifier) for classifier in found]
        if checkpoint:
            refuse_others((model,), checkpoint)
        say(missing)
        yield opened


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
            model.write_bytes(make_model(read_checkpoint(checkpoint), "float32").data)
        with Classifier(model, device="cpu", **options) as classifier:
            if classifier.metadata.precision != "float32":
                raise GenreInferError(f"{model} is {classifier.metadata.precision}, not float32.")
            if checkpoint:
                refuse_others((model,), checkpoint)
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
