"""From a file's bytes to an upright picture in RGB, on white, in sRGB."""

import warnings
from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import chain
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError

from .colour import in_rgb
from .containers import FORMATS, format_of, pared
from .jpeg_file import Jpeg, read_jpeg, refuse_missing_pixels
from .limits import MEMORY, Limits, PosterError

# Pillow warns of odd metadata and large pictures. Here these are rows, or no matter.
warnings.filterwarnings("ignore", module=r"PIL\.")

_ORIENTATION = 0x0112  # the EXIF tag
# What decoding takes at most: the decoder's own planes, Pillow's picture, its copy in RGB.
_BYTES_PER_PIXEL = {
    "JPEG": 9,
    "PNG": 10,
    "WEBP": 24,
    "AVIF": 20,
    "GIF": 10,
    "BMP": 9,
    "TIFF": 12,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TIFF_PARTS = ((273, 279), (324, 325))  # the tags of offsets and lengths: of strips, of tiles


def decode(data: bytes, limits: Limits, draft: tuple[int, int] | None) -> Image.Image:
    """Decode a file.

    Args:
        data: The file's bytes.
        limits: What is refused.
        draft: Width and height that the picture will be squished to; see posters.load_poster.

    Raises:
        PosterError: It cannot be decoded, or not in full.
    """
    if not data:
        raise PosterError("not-an-image", "The file is empty.")
    form = format_of(data)
    if form is None:
        raise PosterError("not-an-image", f"The content is none of {', '.join(FORMATS)}.")
    if form in ("AVIF", "TIFF", "WEBP"):
        # Pillow imports these late, and by itself would import all of its 40 decoders.
        from PIL import AvifImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401
    try:
        if form == "JPEG":
            return _decode_jpeg(read_jpeg(data), limits, draft)
        with Image.open(BytesIO(pared(data, form)), formats=[form]) as picture:
            check_pixels(picture.size, limits)
            if form == "TIFF":
                _check_tiff(picture, limits)
            need = picture.width * picture.height * _BYTES_PER_PIXEL[form] + len(data)
            with MEMORY.reserved(need, limits):
                picture.load()
                return in_rgb(upright(picture))
    except PosterError:
        raise
    except Image.DecompressionBombError:
        fix = "PIL.Image.MAX_IMAGE_PIXELS is its limit"
        message = f"The picture has more pixels than Pillow opens; {fix}."
        raise PosterError("too-large", message) from None
    # A damaged file makes decoders raise nearly anything (OSError, SyntaxError, struct.error,
    # IndexError, MemoryError …), and one bad poster must not end a run.
    except Exception as error:
        if _ends_early(data, form):
            raise PosterError("truncated", "The file ends before the picture does.") from None
        raise PosterError("unreadable", f"The {form} file's {_fault(error)}.") from None


def _fault(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "header is damaged, or of a kind that is not supported"
    if isinstance(error, MemoryError):
        return "picture needs more memory than there is"
    return "data is damaged"


def _decode_jpeg(jpeg: Jpeg, limits: Limits, draft: tuple[int, int] | None) -> Image.Image:
    with Image.open(BytesIO(jpeg.data), formats=["JPEG"]) as picture:
        check_pixels(picture.size, limits)
        turned = orientation(picture) >= 5  # stored on its side
        whole, drafted, asked = picture.size, None, None
        if draft:
            width, height = reversed(draft) if turned else draft
            asked = (2 * width, 2 * height)
            drafted = picture.draft(None, asked)  # None: colours stay as they are stored
        # A progressive file's coefficients are all in memory, whatever the draft.
        coefficients = whole[0] * whole[1] * 6 if "progressive" in picture.info else 0
        need = picture.width * picture.height * _BYTES_PER_PIXEL["JPEG"] + coefficients
        with MEMORY.reserved(need + len(jpeg.data), limits):
            picture.load()
            if not jpeg.ended or jpeg.blank or _ends_in_grey(picture):
                refuse_missing_pixels(jpeg, picture.tobytes(), partial(_jpeg_pixels, draft=asked))
            if drafted is None or picture.size == whole:
                return in_rgb(upright(picture))
            # The box leaves out the part of the last column and row outside the picture.
            box, bilinear = drafted[1], Image.Resampling.BILINEAR
            return upright(in_rgb(picture).resize((width, height), bilinear, box=box), picture)


def _ends_in_grey(picture: Image.Image) -> bool:
    """Whether the last pixel is as libjpeg fills in what is missing."""
    last: Any = picture.getpixel((picture.width - 1, picture.height - 1))
    return last in (128, (128, 128, 128)) or (picture.mode == "CMYK" and len(set(last[:3])) == 1)


def _jpeg_pixels(data: bytes, draft: tuple[int, int] | None) -> bytes:
    with Image.open(BytesIO(data), formats=["JPEG"]) as picture:
        if draft:
            picture.draft(None, draft)
        with suppress(OSError):  # what was cut off was needed
            return picture.tobytes()
        return b""


def check_pixels(size: tuple[int, int], limits: Limits) -> None:
    """Refuse a picture of no pixels, or of too many. Raises PosterError."""
    width, height = size
    if width < 1 or height < 1:
        raise PosterError("unreadable", f"The picture is empty ({width}x{height}).")
    if width * height > limits.pixels:
        message = f"The picture has {width}x{height} pixels, over the limit of {limits.pixels:,}."
        raise PosterError("too-large", message, "pixels")


def _check_tiff(picture: Any, limits: Limits) -> None:
    """Refuse what Pillow would decode to wrong pixels, and tiles larger than the picture may be."""
    tags = picture.tag_v2
    bits, samples = set(tags.get(258, (1,))), tags.get(277, 1)
    photometric, planes = tags.get(262), tags.get(284, 1)
    tile = tags.get(322, 0) * tags.get(323, 0)
    if tile > max(limits.pixels, 1 << 22):
        message = f"The picture has tiles of {tags[322]}x{tags[323]} pixels, over the limit."
        raise PosterError("too-large", message, "pixels")
    if not bits <= {1, 2, 4, 8, 16, 32}:
        raise PosterError(
            "unreadable", f"A TIFF with {max(bits)} bits per sample is not supported."
        )
    if 16 in bits and ((planes == 2 and samples > 1) or photometric == 0):
        raise PosterError(
            "unreadable", "This kind of TIFF with 16 bits per sample is not supported."
        )
    if photometric == 3 and max(tags.get(320, (0xFFFF,))) < 256:
        raise PosterError("unreadable", "A TIFF with a palette of 8 bits is not supported.")


def upright(picture: Image.Image, described_by: Image.Image | None = None) -> Image.Image:
    """Turn a picture as its orientation says, or as that of another one does."""
    method = _TURNS.get(orientation(described_by or picture))
    return picture if method is None else picture.transpose(method)


def orientation(picture: Image.Image) -> int:
    """Read EXIF's orientation: 1 is upright; from 5 on, width and height are swapped."""
    with suppress(Exception):  # broken EXIF is no reason to refuse a picture that can be seen
        return int(picture.getexif().get(_ORIENTATION, 1))
    return 1


def _ends_early(data: bytes, form: str) -> bool:
    """Whether a file that failed to decode lacks its end, by its format's own mark of it."""
    if form == "PNG":
        return b"IEND" not in data[-64:]
    if form == "GIF":
        return b";" not in data[-2:]
    if form == "WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if form == "BMP":
        return len(data) < int.from_bytes(data[2:6], "little")
    if form == "TIFF":
        return _tiff_ends_early(data)
    if form != "AVIF":
        return False
    position = 0  # AVIF: a row of boxes, each of which begins with its size
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size < 8:  # 0: to the end of the file; 1: a 64-bit size, not met in posters
            return False
        position += size
    return position > len(data)


def _tiff_ends_early(data: bytes) -> bool:
    """Whether a TIFF's directory, or a strip or tile in it, is past the file's end."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    directory = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[directory : directory + 2], order)
    if directory + 2 + 12 * entries > len(data):
        return True
    with suppress(Exception), Image.open(BytesIO(data), formats=["TIFF"]) as picture:
        tags = picture.tag_v2  # type: ignore[attr-defined]
        pairs = [zip(tags.get(o, ()), tags.get(n, ()), strict=False) for o, n in _TIFF_PARTS]
        return any(offset + length > len(data) for offset, length in chain(*pairs))
    return False
