"""Damaged, cut and odd files: whole pictures are used whatever is beside them, no others are."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, halves, status_of
from PIL import Image, ImageCms

from genre_infer.limits import Limits, PosterError
from genre_infer.posters import load_poster


def noise(size: tuple[int, int] = (96, 144)) -> Image.Image:
    small = np.random.default_rng(0).integers(0, 256, (12, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def same(data: bytes, as_data: bytes) -> bool:
    return np.array_equal(np.asarray(load_poster(data)), np.asarray(load_poster(as_data)))


JPEGS = [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 8}]


@pytest.mark.parametrize("options", JPEGS)
def test_a_jpeg_that_lacks_only_its_end_marker(options: dict[str, object]) -> None:
    data = encoded(noise(), "JPEG", **options)
    assert data.endswith(b"\xff\xd9")
    assert same(data[:-2], data)
    assert same(data[:-1], data)
    assert same(data + b"\0" * 100, data)
    assert same(data + b"\xff\xd8\xff\xe0 another picture", data)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.7, 0.97])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("options", JPEGS)
def test_a_jpeg_that_lacks_pixels(options: dict[str, object], end: bytes, share: float) -> None:
    if "progressive" in options and share > 0.9 and end:
        pytest.skip("all but the last bits of its scans are there")
    data = encoded(noise(), "JPEG", **options)
    assert status_of(data[: int(len(data) * share)] + end) == "truncated"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_zeros_in_the_middle_of_a_jpeg(mode: str) -> None:
    data = encoded(noise((200, 300)).convert(mode), "JPEG", quality=95)
    for start in (len(data) // 3, len(data) // 2, len(data) * 3 // 4):
        damaged = data[:start] + bytes(600) + data[start + 600 :]
        assert status_of(damaged) == "truncated"


def test_flat_jpegs_are_whole() -> None:
    for colour in ("white", "black", (128, 128, 128), (127, 128, 129)):
        for options in ({}, {"optimize": True}, {"progressive": True}):
            data = encoded(Image.new("RGB", (182, 268), colour), "JPEG", **options)
            assert load_poster(data).size == (182, 268)
            large = encoded(Image.new("RGB", (1000, 1500), colour), "JPEG", **options)
            assert load_poster(large, draft=(182, 268)).size == (182, 268)


def test_a_jpeg_of_hundreds_of_scans_is_refused_at_once() -> None:
    data = encoded(noise(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(PosterError, match="more than 64 scans"):
        load_poster(data[:-2] + data[last:-2] * 300 + b"\xff\xd9")


@pytest.mark.parametrize("part", [b"\xff", b"\xff\xfe\0\2", b"\xff\xe1\0\2", b"\xff\x01"])
def test_a_jpeg_of_millions_of_parts(part: bytes) -> None:
    data = encoded(noise(), "JPEG")
    many = data[:2] + part * (20_000_000 // len(part)) + data[2:]
    if part == b"\xff":  # fill bytes, of which there may be any number
        assert same(many, data)
    else:
        assert status_of(many) == "unreadable"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + check


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"prVt"])
def test_metadata_of_a_png_does_not_cost_the_picture(kind: bytes) -> None:
    data = encoded(halves(), "PNG")
    text = b"name\0\0" + (b"\0\0\0" if kind == b"iTXt" else b"") + zlib.compress(bytes(3 << 20))
    for chunk in (png_chunk(kind, text), png_chunk(kind, bytes(2 << 20))):
        assert same(data[:33] + chunk + data[33:], data)
    assert same(data[:33] + png_chunk(kind, b"name\0\0broken") + data[33:], data)


def test_a_png_of_millions_of_chunks_is_refused() -> None:
    data = encoded(halves(), "PNG")
    assert status_of(data[:33] + png_chunk(b"tEXt", b"") * 2_000_000 + data[33:]) == "unreadable"


def test_a_damaged_png_is_not_half_black() -> None:
    data = bytearray(encoded(noise(), "PNG"))
    third = len(data) // 3
    data[third : third + 8] = b"\xff" * 8
    for draft in (None, (18, 26)):
        with pytest.raises(PosterError, match="PNG file's data is damaged"):
            load_poster(bytes(data), draft=draft)


def test_text_in_a_gif_does_not_cost_the_picture() -> None:
    data = encoded(halves().convert("P"), "GIF")
    block = b"\x21\xfe" + (b"\xff" + b"c" * 255) * 40_000 + b"\0"
    start = 13 + 3 * (2 << (data[10] & 7))
    assert same(data[:start] + block + data[start:], data)
    many = b"\x21\xfe" + b"\1c" * 1_000_000 + b"\0"
    assert status_of(data[:start] + many + data[start:]) == "unreadable"


def test_a_damaged_header_is_no_other_content() -> None:
    data = bytearray(encoded(halves(), "PNG"))
    data[20] ^= 1  # the checksum of the header is wrong now
    assert status_of(bytes(data)) == "unreadable"
    assert status_of(b"BMW is a maker of cars") == "not-an-image"
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    assert status_of(heic) == "not-an-image"


def tiff(
    tags: dict[int, int | tuple[int, ...]], pixels: bytes, size: tuple[int, int] = (8, 4)
) -> bytes:
    """An uncompressed TIFF of one strip, with any further tags."""
    whole: dict[int, int | tuple[int, ...]] = {256: size[0], 257: size[1], 259: 1, 277: 1}
    whole |= {273: 8, 278: size[1], 279: len(pixels), **tags}
    start = 8 + len(pixels)
    entries, further = b"", b""
    end = start + 2 + 12 * len(whole) + 4
    for tag, value in sorted(whole.items()):
        values = value if isinstance(value, tuple) else (value,)
        data = b"".join(number.to_bytes(4, "little") for number in values)
        if len(data) > 4:
            where = end + len(further)
            further, data = further + data, where.to_bytes(4, "little")
        entries += struct.pack("<HHI", tag, 4, len(values)) + data
    directory = struct.pack("<H", len(whole)) + entries + bytes(4) + further
    return b"II*\0" + start.to_bytes(4, "little") + pixels + directory


def test_tiffs_that_would_be_decoded_wrongly_are_refused() -> None:
    for tags, pixels in (
        ({258: 12, 262: 1}, bytes(48)),
        ({258: 16, 262: 0}, bytes(64)),
        ({258: (16, 16, 16), 262: 2, 277: 3, 284: 2}, bytes(192)),
        ({258: 8, 262: 3, 320: tuple(range(256)) * 3}, bytes(32)),
    ):
        assert status_of(tiff(tags, pixels)) == "unreadable"
    assert load_poster(tiff({258: 8, 262: 1}, bytes(range(32)))).size == (8, 4)


def test_a_tiff_with_one_huge_tile_is_too_large() -> None:
    data = tiff({258: 8, 262: 1, 322: 24_000, 323: 24_000, 324: 8, 325: 32}, bytes(32))
    assert status_of(data) == "too-large"


def test_16_bit_grey_with_a_transparent_level() -> None:
    levels = np.full((4, 8), 30_000, np.uint16)
    levels[:, :4] = 777
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    data = file.getvalue()
    opened = load_poster(data[:33] + png_chunk(b"tRNS", (777).to_bytes(2, "big")) + data[33:])
    assert opened.getpixel((0, 0)) == (255, 255, 255)
    assert opened.getpixel((7, 0)) == (117, 117, 117)


def test_transparency_is_over_white_in_every_band() -> None:
    picture = Image.new("RGBA", (700, 3100), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 1000, 700, 2000))
    opened = np.asarray(load_poster(picture))
    assert (opened[:1000] == 255).all()
    assert (opened[1000:2000] == (0, 0, 255)).all()
    assert (opened[2000:] == 255).all()


def swapped_primaries(profile: bytes) -> bytes:
    """A matrix profile in which red and green have changed places."""
    data = bytearray(profile)
    for number in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * number
        new = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(bytes(data[entry : entry + 4]))
        data[entry : entry + 4] = new or data[entry : entry + 4]
    return bytes(data).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = swapped_primaries(SRGB)


def test_a_colour_profile_counts_and_a_broken_one_does_not() -> None:
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        plain = encoded(noise(), form, lossless=True)
        assert same(encoded(noise(), form, icc_profile=SRGB, lossless=True), plain)
        assert same(encoded(noise(), form, icc_profile=b"no profile", lossless=True), plain)
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        assert same(encoded(noise(), form, icc_profile=lab, lossless=True), plain)
        swapped = np.asarray(
            load_poster(encoded(noise(), form, icc_profile=SWAPPED, lossless=True))
        )
        expected = np.asarray(load_poster(plain))[:, :, [1, 0, 2]]
        assert np.abs(swapped.astype(int) - expected).max() <= 3


def test_limits_on_pixels_are_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("L", (400, 400)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PosterError, match="MAX_IMAGE_PIXELS"):
        load_poster(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert load_poster(path, Limits(pixels=160_000)).size == (400, 400)


HUGE_WEBP = bytes.fromhex("524946461a000000574542505650384c0e0000002ffe7fd013071011250b4444ff03")


def test_what_decoding_takes_is_limited() -> None:
    with pytest.raises(PosterError, match=r"about 1,536 MB, over the limit of 400 MB\.") as caught:
        load_poster(HUGE_WEBP)
    assert (caught.value.status, caught.value.limit) == ("too-large", "memory")
    small = Limits(memory=400_000)
    for form in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"):
        assert load_poster(encoded(halves(), form), small).size == (60, 90)
        assert status_of(encoded(noise((400, 600)), form), small) == "too-large"


def test_large_pictures_wait_for_each_other() -> None:
    data = encoded(noise((400, 600)), "PNG")
    limits = Limits(memory=3_000_000)  # one of them at a time
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: load_poster(data, limits).size, range(12)))
    assert opened == [(400, 600)] * 12
