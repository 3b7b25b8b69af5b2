"""Colours: any mode to RGB, on white, in sRGB."""

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

_BAND = 1 << 20  # pixels that are laid over white at a time
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of a profile -> Pillow's mode


def in_rgb(picture: Image.Image) -> Image.Image:
    """Convert a picture to RGB, on white, in the colours of sRGB.

    Raises:
        ValueError: Its pixels are numbers without a known range.
    """
    profile = picture.info.get("icc_profile")
    space, transform = _transform(profile) if profile else ("", None)
    if transform is None:
        return _over_white(picture)
    if picture.mode != _SPACES[space]:
        picture = _over_white(picture).convert(_SPACES[space])
    converted: Image.Image = transform.apply(picture)
    return converted


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, Any]:
    """Return a profile's colour space and the transform to sRGB.

    The transform is None for sRGB itself, and for a profile that cannot be used: viewers ignore it.
    """
    from PIL import ImageCms  # slow to import, and most posters have no profile

    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        name = (source.profile.profile_description or "").lower()
        if space not in _SPACES or "srgb" in name or "iec61966-2" in name:
            return space, None
        target = ImageCms.createProfile("sRGB")
        return space, ImageCms.buildTransform(source, target, _SPACES[space], "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return "", None


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I;16"):
        # 16-bit grey: Pillow's own conversion to 8 bits clips instead of scaling.
        levels = np.asarray(picture)
        grey = (levels >> 8).astype(np.uint8)
        clear = picture.info.get("transparency")
        if isinstance(clear, int):
            grey[levels == clear] = 255
        return Image.fromarray(grey).convert("RGB")
    if picture.mode in ("I", "F"):
        raise ValueError("its pixels are numbers without a known range")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    # In bands: a whole picture would be in memory four times.
    white = Image.new("RGB", picture.size, "white")
    rows = max(1, _BAND // picture.width)
    for top in range(0, picture.height, rows):
        box = (0, top, picture.width, min(top + rows, picture.height))
        band = picture.crop(box)
        band.info = picture.info
        clear = Image.new("RGBA", band.size, "white")
        white.paste(Image.alpha_composite(clear, band.convert("RGBA")).convert("RGB"), box)
    return white
