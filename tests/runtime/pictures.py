"""Pictures to decode, as files of any format, and what is said of them."""

import io

import numpy as np
import pytest
from PIL import Image

from genre_infer.limits import Limits, PosterError
from genre_infer.posters import load_poster

SIZE = (182, 268)
HALF = (60, 90)


def halves(mode: str = "RGB") -> Image.Image:
    """Left half red, right half blue: turned or mirrored pictures show."""
    picture = Image.new("RGB", HALF, (200, 30, 30))
    picture.paste((30, 30, 200), (HALF[0] // 2, 0, *HALF))
    return picture.convert(mode)


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def near(picture: Image.Image, xy: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.subtract(picture.getpixel(xy), colour)).max() <= 24)


def status_of(
    source: object, limits: Limits | None = None, draft: tuple[int, int] | None = None
) -> str:
    with pytest.raises(PosterError) as caught:
        load_poster(source, limits, draft)  # type: ignore[arg-type]
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return caught.value.status
