"""How train posters are changed at random each time they are seen, as fastai item transforms."""

from io import BytesIO
from typing import Any

import numpy as np
from fastai.vision.augment import RandTransform
from fastai.vision.core import PILImage
from PIL import Image, ImageEnhance, ImageFilter

MARGIN = 1.4
"""Posters are decoded at this many times the input size, so that a crop need not be enlarged."""


class PosterCrop(RandTransform):
    """Crop train posters and squish the crop to the input size; squish other posters whole.

    Args:
        size: Width and height of the input, in pixels.
        least: The smallest crop, as a share of the poster's area, 0 to 1.
        stretch: How far the crop's ratio may be from the poster's, as the logarithm of a factor.
    """

    split_idx, order = None, 1

    def __init__(self, size: tuple[int, int], least: float, stretch: float = 0.08) -> None:
        super().__init__()
        self.size, self.least, self.stretch = size, least, stretch

    def before_call(self, b: Any, split_idx: int) -> None:  # noqa: ARG002 (fastai's)
        """Draw the crop."""
        self.box = None
        if split_idx == 0:
            self.area = np.random.uniform(self.least, 1)
            self.ratio = np.exp(np.random.uniform(-self.stretch, self.stretch))
            self.box = np.random.uniform(size=2)

    def encodes(self, x: PILImage) -> PILImage:
        """Crop and squish one poster."""
        if self.box is None:
            return PILImage(x.resize(self.size, Image.Resampling.BILINEAR))
        share = np.sqrt(self.area)
        width = min(1.0, share * self.ratio) * x.width
        height = min(1.0, share / self.ratio) * x.height
        left, top = self.box * (x.width - width, x.height - height)
        box = (left, top, left + width, top + height)
        return PILImage(x.resize(self.size, Image.Resampling.BILINEAR, box=box))


class PosterLook(RandTransform):
    """Mirror, tilt, relight, recolour, blur and recompress train posters, each at random.

    Args:
        strength: How strongly; 1 is the usual amount, 0 none but the mirror.
    """

    split_idx, order = 0, 2

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def encodes(self, x: PILImage) -> PILImage:
        """Change one poster."""
        picture, s = Image.Image.copy(x), self.strength
        if np.random.rand() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if not s:
            return PILImage(picture)
        if np.random.rand() < 0.2 * s:
            picture = _tilted(picture, np.random.uniform(-3, 3))
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast):
            picture = enhance(picture).enhance(np.random.uniform(1 - 0.2 * s, 1 + 0.2 * s))
        if np.random.rand() < 0.1 * s:
            picture = ImageEnhance.Color(picture).enhance(0)  # grey
        else:
            picture = ImageEnhance.Color(picture).enhance(
                np.random.uniform(1 - 0.4 * s, 1 + 0.4 * s)
            )
        if np.random.rand() < 0.15 * s:
            picture = picture.filter(ImageFilter.GaussianBlur(np.random.uniform(0.3, 1.2)))
        if np.random.rand() < 0.3 * s:
            picture = _recompressed(picture, int(np.random.uniform(25, 90)))
        return PILImage(picture)


def _tilted(picture: Image.Image, degrees: float) -> Image.Image:
    """Rotate, and crop the corners that this leaves empty."""
    width, height = picture.size
    turned = picture.rotate(degrees, Image.Resampling.BILINEAR)
    lost = abs(np.sin(np.radians(degrees))) / 2
    box = (lost * height, lost * width, width - lost * height, height - lost * width)
    return turned.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _recompressed(picture: Image.Image, quality: int) -> Image.Image:
    """Write as JPEG and read again: the network must not tell collections by their compression."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")
