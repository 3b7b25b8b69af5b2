"""Large JPEGs, decoded at a fraction of their size: near the exact pixels, and nothing else."""

import numpy as np
import pytest
from pictures import SIZE, encoded, status_of
from PIL import Image

from genre_infer.limits import Limits
from genre_infer.posters import poster_pixels

LARGE = (1000, 1500)  # more than four times SIZE both ways


def large(mode: str = "RGB") -> Image.Image:
    """Smooth, as enlarged pictures are, with an edge: not a single plane looks like another."""
    noise = np.random.default_rng(1).integers(0, 256, (12, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize(LARGE, Image.Resampling.BICUBIC)
    picture.paste((250, 240, 10), (0, 0, 300, 200))
    return picture.convert(mode)


def both(data: bytes, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    return [
        poster_pixels(data, *size, Limits(), draft=draft).astype(int) for draft in (True, False)
    ]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_draft_of_a_large_jpeg_is_near_the_exact_pixels(
    mode: str, options: dict[str, object]
) -> None:
    draft, exact = both(encoded(large(mode), "JPEG", quality=92, **options))
    assert draft.shape == exact.shape
    assert 0 < np.abs(draft - exact).mean() < 0.5  # it is another decoding, of the same picture


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [LARGE, (1001, 1501), (1459, 2145)])
def test_a_draft_has_the_place_and_size_of_the_exact_picture(
    orientation: int, size: tuple[int, int]
) -> None:
    # Sizes that no fraction divides leave a column and a row that are picture in part only.
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = large().resize(size if orientation < 5 else size[::-1])
    draft, exact = both(encoded(stored, "JPEG", exif=exif, quality=92))
    assert draft.shape == exact.shape == (268, 182, 3)
    assert 0 < np.abs(draft - exact).mean() < 0.5


def test_a_draft_of_a_turned_jpeg_keeps_twice_the_size_both_ways() -> None:
    # 1500x1000 as stored, 1000x1500 upright: a half is twice 250x375, but not twice 375x250.
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(large().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)
    draft, exact = both(data, (250, 375))
    assert not np.array_equal(draft, exact)
    draft, exact = both(data, (375, 250))
    assert np.array_equal(draft, exact)


@pytest.mark.parametrize("size", [(60, 90), (363, 536), (364, 535), (182, 5000)])
def test_pictures_that_are_not_large_are_never_drafted(size: tuple[int, int]) -> None:
    data = encoded(large().resize(size), "JPEG", quality=92)
    draft, exact = both(data)
    assert np.array_equal(draft, exact)


@pytest.mark.slow
def test_a_draft_is_for_jpegs_alone() -> None:
    for form in ("PNG", "WEBP", "TIFF"):
        draft, exact = both(encoded(large(), form))
        assert np.array_equal(draft, exact)


def test_a_draft_changes_no_status() -> None:
    whole = encoded(large(), "JPEG")
    assert status_of(whole[: len(whole) // 2], None, SIZE) == "truncated"
    # The limit is on the stored size, not on what a draft makes of it.
    few = Limits(pixels=LARGE[0] * LARGE[1] - 1)
    assert status_of(whole, few, SIZE) == "too-large"
