"""Draw the sample posters: shapes, gradients, blur and Pillow's built-in font, fixed seeds."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from canvas import Canvas
from painters import (
    animation,
    comedy,
    documentary,
    drama,
    horror,
    musical,
    noir,
    romance,
    scifi,
    thriller,
    war,
    western,
)
from PIL import Image, ImageOps


def white_to_alpha(image: Image.Image) -> Image.Image:
    """Turn white into transparency, so that the picture is right again only over white."""
    pixels = np.asarray(image, dtype=np.float64)
    alpha = 255 - pixels.min(axis=2, keepdims=True)
    colour = 255 - (255 - pixels) * 255 / np.maximum(alpha, 1)
    return Image.fromarray(np.concatenate([colour.round(), alpha], axis=2).astype(np.uint8))


def unchanged(image: Image.Image) -> Image.Image:
    """Leave a picture as it is."""
    return image


SMALL, MIDDLE, LARGE = (182, 268), (300, 450), (1200, 1800)
TURNED = Image.Exif()
TURNED[0x0112] = 6  # the orientation of a picture stored on its side, as phones do

Painter = Callable[[Canvas], None]
Step = Callable[[Image.Image], Image.Image]
# File name: its painter, its size, the last step, and how it is saved.
FILES: dict[str, tuple[Painter, tuple[int, int], Step, dict[str, Any]]] = {
    "the-hollow-house.jpg": (horror, MIDDLE, unchanged, {"quality": 85}),
    "last-water-at-dry-fork.jpg": (western, MIDDLE, lambda i: i.convert("CMYK"), {"quality": 80}),
    "bobbo-and-bee.gif": (animation, MIDDLE, lambda i: i.quantize(128), {}),
    "ninth-orbit.avif": (scifi, MIDDLE, unchanged, {"quality": 70, "max_threads": 1}),
    "a-dame-called-midnight.jpg": (noir, SMALL, ImageOps.grayscale, {"quality": 85}),
    "letters-from-the-pier.webp": (romance, MIDDLE, unchanged, {"quality": 80}),
    "hill-219.jpg": (war, MIDDLE, lambda i: i.rotate(90, expand=True), {"exif": TURNED}),
    "oh-no-gerald.png": (comedy, MIDDLE, white_to_alpha, {"optimize": True}),
    "the-quiet-ice.jpg": (documentary, SMALL, unchanged, {"quality": 85}),
    "tunnel-nine.JPG": (thriller, SMALL, unchanged, {"quality": 85}),
    "one-more-chorus.tif": (musical, SMALL, unchanged, {"compression": "tiff_lzw"}),
    "a-window-in-march.jpg": (drama, LARGE, unchanged, {"quality": 75}),
}


def main() -> None:
    """Draw every poster into a folder."""
    parser = argparse.ArgumentParser(description="Draw the sample posters.")
    here = Path(__file__).resolve().parent
    parser.add_argument("folder", type=Path, nargs="?", default=here, help="default: the script's")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, (paint, size, step, options) in FILES.items():
        canvas = Canvas(name)
        paint(canvas)
        step(canvas.image.resize(size, Image.Resampling.LANCZOS)).save(folder / name, **options)
        print(f"{name}: {size[0]}x{size[1]}, {(folder / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
