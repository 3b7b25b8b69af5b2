"""Decoding, through the same door as training and the runtime: poster_pixels and load_poster."""

import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import HALF, SIZE, encoded, halves, near, status_of
from PIL import Image

from genre_infer.containers import FORMATS
from genre_infer.limits import Limits
from genre_infer.posters import load_poster, poster_pixels, squish


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(form: str) -> None:
    picture = load_poster(encoded(halves(), form))
    assert picture.mode == "RGB"
    assert picture.size == HALF
    assert near(picture, (5, 40), (200, 30, 30))
    assert near(picture, (55, 40), (30, 30, 200))


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "YCbCr", "1", "LA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    form = {"CMYK": "JPEG", "YCbCr": "JPEG", "1": "PNG"}.get(mode, "PNG")
    picture = load_poster(encoded(halves(mode), form))
    assert picture.mode == "RGB"
    if mode in ("CMYK", "P", "YCbCr"):
        assert near(picture, (5, 40), (200, 30, 30))


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    grey = Image.fromarray(np.full((90, 60), 0x8000, dtype=np.uint16))
    assert load_poster(encoded(grey, "PNG")).getpixel((5, 5)) == (128, 128, 128)


def test_transparent_parts_are_white() -> None:
    picture = Image.new("RGBA", HALF, (0, 0, 0, 0))
    picture.paste((10, 200, 10, 255), (0, 0, 30, 90))
    for form in ("PNG", "WEBP"):
        opened = load_poster(encoded(picture, form, lossless=True))
        assert near(opened, (5, 40), (10, 200, 10))
        assert opened.getpixel((55, 40)) == (255, 255, 255)


def test_transparent_palette_is_white() -> None:
    picture = Image.new("P", HALF, 0)
    picture.putpalette([0, 0, 0, 250, 0, 0])
    picture.paste(1, (0, 0, 30, 90))
    opened = load_poster(encoded(picture, "GIF", transparency=0))
    assert opened.getpixel((5, 40)) == (250, 0, 0)
    assert opened.getpixel((55, 40)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = halves().transpose(undo[orientation]) if orientation in undo else halves()
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = load_poster(encoded(stored, "JPEG", exif=exif, quality=95))
    assert opened.size == HALF
    assert near(opened, (5, 40), (200, 30, 30))
    assert near(opened, (55, 40), (30, 30, 200))


def test_broken_exif_does_not_lose_the_poster() -> None:
    data = encoded(halves(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffgarbage")
    assert load_poster(data).size == HALF


def test_pixels_are_pillows_bilinear_squish(tmp_path: Path) -> None:
    path = tmp_path / "poster.png"
    noise = np.random.default_rng(0).integers(0, 256, (450, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    expected = np.asarray(Image.fromarray(noise).resize(SIZE, Image.Resampling.BILINEAR))
    for source in (path, str(path), path.read_bytes(), Image.fromarray(noise), noise):
        pixels = poster_pixels(source, *SIZE, Limits())
        assert pixels.shape == (268, 182, 3)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, expected)


def test_input_size_is_left_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (268, 182, 3), dtype=np.uint8)
    assert np.array_equal(squish(Image.fromarray(noise), *SIZE), noise)


def test_numbers_without_a_range_are_not_guessed() -> None:
    for mode in ("I", "F"):
        assert status_of(encoded(Image.new(mode, HALF, 200), "TIFF")) == "unreadable"


def test_limits_hold_for_bytes_too() -> None:
    assert status_of(encoded(halves(), "JPEG"), Limits(bytes=10)) == "too-large"
    assert load_poster(encoded(halves(), "JPEG"), Limits(bytes=10**20)).size == HALF


def test_a_lazy_picture_of_a_cut_file_is_a_status(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(encoded(halves(), "JPEG")[:-300])
    with Image.open(path) as lazy:
        assert status_of(lazy) == "unreadable"


@pytest.mark.parametrize("form", FORMATS)
def test_a_cut_file_is_truncated(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), form)
    assert status_of(data[: len(data) // 2]) == "truncated"


@pytest.mark.parametrize(
    "data", [b"", b"hello, I am a text", b"<html></html>", b"%PDF-1.7 ...", bytes(1000)]
)
def test_other_content_is_not_an_image(data: bytes) -> None:
    assert status_of(data) == "not-an-image"


def test_formats_that_are_not_posters_are_not_decoded() -> None:
    assert status_of(encoded(halves(), "PPM")) == "not-an-image"
    assert status_of(encoded(halves(), "ICO")) == "not-an-image"


def test_a_damaged_picture_is_unreadable() -> None:
    data = bytearray(encoded(halves(), "PNG"))
    position = data.index(b"IDAT") + 6
    data[position : position + 8] = b"\xff" * 8
    assert status_of(bytes(data)) == "unreadable"


def test_a_tiff_that_names_itself_over_and_over_takes_no_time() -> None:
    """Thousands of entries that each claim the whole file as a list."""
    entries = 5000
    size = 3_000_000
    entry = struct.pack("<HHII", 273, 4, (size - 8) // 4, 8)
    data = b"II*\0" + struct.pack("<I", size - 12 * entries - 2)
    data += b"\0" * (size - len(data) - 12 * entries - 2) + struct.pack("<H", entries)
    assert status_of(data + entry * entries) in ("not-an-image", "unreadable", "truncated")


def test_a_damaged_tiff_of_full_length_is_unreadable() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    data = bytearray(encoded(Image.fromarray(noise), "TIFF", compression="tiff_lzw"))
    data[2000:12000] = bytes(10000)
    assert status_of(bytes(data)) == "unreadable"


def test_limits_are_checked_before_decoding() -> None:
    # A PNG that claims 50,000 x 50,000 pixels and holds none: decoding it would fail otherwise.
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk))
    data += struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    assert status_of(data) == "too-large"
    assert status_of(encoded(halves(), "PNG"), Limits(pixels=HALF[0] * HALF[1] - 1)) == "too-large"
    assert load_poster(encoded(halves(), "PNG"), Limits(pixels=HALF[0] * HALF[1])).size == HALF


def test_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: takes no room, but reading it would
    assert status_of(path) == "too-large"


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "none.jpg", loop, tmp_path / "file" / "a.jpg", "a\0b.jpg", "x" * 5000):
        assert status_of(path) == "not-found"
    assert status_of(tmp_path) == "unreadable"


def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(encoded(halves(), "JPEG"))
    path.chmod(0)
    if os.access(
        path, os.R_OK
    ):  # root may read everything: make open() refuse as it does for others
        original = Path.open

        def refuse(self: Path, *args: object, **kwargs: object) -> object:
            if self == path:
                raise PermissionError(13, "Permission denied")
            return original(self, *args, **kwargs)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "open", refuse)
            assert status_of(path) == "permission-denied"
    else:
        assert status_of(path) == "permission-denied"
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


@pytest.mark.parametrize(
    "source",
    [
        3,
        None,
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
    ],
)
def test_another_kind_of_source_is_a_type_error(source: object) -> None:
    with pytest.raises(TypeError):
        load_poster(source)  # type: ignore[arg-type]
