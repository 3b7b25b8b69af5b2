"""The posters that a file is compared over and calibrated on."""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from genre_infer.limits import Limits, PosterError
from genre_infer.posters import Pixels, poster_pixels, squish
from genre_infer.progress import progress
from genre_train.checkpoint import Checkpoint, CheckpointError

from .difference import original_probabilities

LEAST_FOUND = 0.9  # share of the named posters that a folder must hold


@dataclass(frozen=True, slots=True)
class Compared:
    """The checkpoint's valid posters with their labels, or drawn pictures without labels.

    Attributes:
        pixels: uint8 [posters, height, width, 3] at the input size.
        labels: bool [posters, genres], or None for drawn pictures.
        missing: How many more posters the checkpoint names.
        expected: The original's probabilities, float32 [posters, genres].
    """

    pixels: Pixels
    labels: NDArray[np.bool_] | None
    missing: int
    expected: NDArray[np.float32]

    @property
    def kind(self) -> str:
        """Return "valid" or "drawn"."""
        return "drawn" if self.labels is None else "valid"


def compared_posters(checkpoint: Checkpoint, folder: Path | None) -> Compared:
    """Decode the valid posters, or draw some, and run the original over them.

    Args:
        checkpoint: The original.
        folder: The folder it was trained on; None draws pictures.

    Raises:
        CheckpointError: The folder does not hold the checkpoint's posters.
    """
    if folder is None:
        drawn = drawn_posters(32, *checkpoint.size)
        return Compared(drawn, None, 0, original_probabilities(checkpoint, drawn))
    valid: dict[str, list[str]] = checkpoint.document["valid"]
    names = list(valid)
    pixels, found = decode(names, folder, checkpoint.size, "Decoding valid posters")
    labels = [[g in valid[names[i]] for g in checkpoint.genres] for i in found]
    missing = len(names) - len(found)
    if missing:
        click.echo(f"{missing} of {len(names)} valid posters are missing or unreadable.", err=True)
    expected = original_probabilities(checkpoint, pixels)
    return Compared(pixels, np.array(labels, dtype=bool), missing, expected)


def calibration_posters(checkpoint: Checkpoint, folder: Path) -> Pixels:
    """Decode the train posters that int8 is calibrated on.

    Args:
        checkpoint: The checkpoint, which names them.
        folder: The folder it was trained on.

    Returns:
        uint8 [posters, height, width, 3] at the input size.

    Raises:
        CheckpointError: The folder does not hold the checkpoint's posters.
    """
    names = checkpoint.document["calibration_posters"]
    pixels, found = decode(names, folder, checkpoint.size, "Decoding calibration posters")
    if missing := len(names) - len(found):
        click.echo(
            f"{missing} of {len(names)} calibration posters are missing or unreadable: the file "
            "will differ from one exported with all of them.",
            err=True,
        )
    return pixels


def decode(
    names: list[str], folder: Path, size: tuple[int, int], label: str
) -> tuple[Pixels, list[int]]:
    """Decode the posters that can be read.

    Args:
        names: Their file names.
        folder: Their folder.
        size: Width and height to resize them to.
        label: The title of the progress bar.

    Returns:
        Their pixels, uint8 [posters, height, width, 3], and their positions among the names.

    Raises:
        CheckpointError: Less than LEAST_FOUND of them can be read.
    """
    pixels, found = [], []
    for position, name in enumerate(progress(names, len(names), label)):
        try:
            pixels.append(poster_pixels(folder / name, *size, Limits()))
            found.append(position)
        except PosterError:
            continue
    if len(found) < LEAST_FOUND * len(names) or not found:
        raise CheckpointError(
            f"Only {len(found)} of the {len(names)} posters that the checkpoint names can be read "
            f"from {folder}. Pass --posters the folder that it was trained on."
        )
    return np.stack(pixels), found


def drawn_posters(count: int, width: int, height: int, seed: int = 0) -> Pixels:
    """Draw uint8 [count, height, width, 3]: colour gradients with some shapes and some noise."""
    generator = np.random.default_rng(seed)
    return np.stack([squish(_draw(generator), width, height) for _ in range(count)])


def _draw(generator: np.random.Generator, width: int = 400, height: int = 600) -> Image.Image:
    corners = generator.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    picture = Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(generator.integers(2, 12))):
        x, y = generator.integers(0, width), generator.integers(0, height)
        w, h = generator.integers(10, width), generator.integers(10, height // 2)
        box = (int(x), int(y), int(x + w), int(y + h))
        colour = tuple(int(value) for value in generator.integers(0, 256, 3))
        (draw.ellipse if generator.random() < 0.5 else draw.rectangle)(box, fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(float(generator.uniform(0, 3))))
    noise = generator.normal(0, generator.uniform(1, 12), (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
