"""Pictures for a comparison where no posters are at hand: shapes and gradients from a seed."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from genre_infer.posters import Pixels, squish


def drawn_posters(count: int, width: int, height: int, seed: int = 0) -> Pixels:
    """uint8 [count, height, width, 3]: a colour gradient, some shapes, some noise."""
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
