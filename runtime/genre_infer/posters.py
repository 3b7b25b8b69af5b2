"""From a file's bytes to pixels: the one decoder that training, export and the runtime share."""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .result import Limit, Status

Pixels: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | Pixels

# Only these of Pillow's decoders are ever called: every further one adds to the attack surface.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".webp", ".avif", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".tbn"}  # .tbn: Kodi's name for a JPEG or PNG
)

_ORIENTATION = 0x0112  # the EXIF tag
# A format's first bytes, its mark of the end, and how close to the file's end that must be.
_END_MARKS = ((b"\xff\xd8", b"\xff\xd9", 64), (b"\x89PNG", b"IEND", 64), (b"GIF8", b";", 2))
_TIFF_PARTS = ((273, 279), (324, 325))  # the tags of offsets and lengths: of strips, of tiles


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded.

    Attributes:
        pixels: The largest width x height. 64 million is a poster of 6,500 x 9,800.
        bytes: The largest file, in bytes.
    """

    pixels: int = 64_000_000
    bytes: int = 64 * 1024 * 1024


class PosterError(Exception):
    """A poster that cannot be classified; the message is one sentence for its row.

    Attributes:
        status: The row's status.
        limit: The limit that the poster exceeded, or None.
    """

    def __init__(self, status: Status, message: str, limit: Limit | None = None) -> None:
        super().__init__(message)
        self.status: Status = status
        self.limit: Limit | None = limit


def poster_pixels(
    source: Source, width: int, height: int, limits: Limits, *, draft: bool = False
) -> Pixels:
    """Decode a poster and squish it to the model's input size, as in training.

    Args:
        source: A path, a file's bytes, a picture, or uint8 [height, width, 3] in RGB.
        width: The input width in pixels.
        height: The input height in pixels.
        limits: What is refused.
        draft: Decode JPEGs of at least four times that size at a half, a quarter or an eighth of
            their own size, but never below twice the input size. It is far faster, and the pixels
            differ a little.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        PosterError: The poster cannot be used.
        TypeError: The source is of another type.
    """
    picture = load_poster(source, limits, (width, height) if draft else None)
    return squish(picture, width, height)


def squish(picture: Image.Image, width: int, height: int) -> Pixels:
    """Resize an RGB picture to exactly width x height; its aspect ratio is not kept.

    Pillow's bilinear filter averages when it shrinks.

    Returns:
        uint8 [height, width, 3].
    """
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def load_poster(
    source: Source, limits: Limits | None = None, draft: tuple[int, int] | None = None
) -> Image.Image:
    """Open any source as an upright RGB picture; transparent parts become white.

    Args:
        source: A path, a file's bytes, a picture, or uint8 [height, width, 3] in RGB.
        limits: What is refused.
        draft: Width and height that the picture will be squished to. A large JPEG, from a file or
            from bytes, is then decoded at a fraction of its size (see poster_pixels) and returned
            squished.

    Raises:
        PosterError: The poster cannot be used.
        TypeError: The source, or an array, is of another type.
    """
    limits = limits or Limits()
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, Image.Image):
        _check_pixels(source.size, limits)
        try:
            source.load()
            return _over_white(_upright(source))
        except Exception as error:  # it may not be decoded yet, and its file damaged
            raise _damaged(error) from None
    if isinstance(source, bytes | bytearray | memoryview):
        _check_bytes(len(source), limits)
        return _decode(bytes(source), limits, draft)
    if isinstance(source, str | os.PathLike):
        return _decode(_read(Path(source), limits), limits, draft)
    raise TypeError(f"a poster is a path, bytes, a PIL image or a uint8 array, not {type(source)}")


def _from_array(pixels: Pixels, limits: Limits) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        found = f"{pixels.dtype} {list(pixels.shape)}"
        raise TypeError(f"a poster array is uint8 [height, width, 3] in RGB, not {found}")
    _check_pixels((pixels.shape[1], pixels.shape[0]), limits)
    return Image.fromarray(np.ascontiguousarray(pixels))


def _read(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            if stat.S_ISREG(info.st_mode):
                _check_bytes(info.st_size, limits)
                data = file.read()
            else:  # a pipe, whose length is not known
                data = _read_up_to(file, limits.bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise PosterError("not-found", "There is no such file.") from None
    except PermissionError:
        raise PosterError("permission-denied", "This user may not read the file.") from None
    except IsADirectoryError:
        raise PosterError("unreadable", "This is a folder, not a file.") from None
    except ValueError:  # a NUL byte in the path
        raise PosterError("not-found", "No file can have this name.") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise PosterError("not-found", f"The path leads nowhere: {error.strerror}.") from None
        raise PosterError("unreadable", f"Reading failed: {error.strerror or error}.") from None
    _check_bytes(len(data), limits)
    return data


def _read_up_to(file: BinaryIO, most: int) -> bytes:
    data = bytearray()
    while len(data) < most and (part := file.read(min(most - len(data), 1 << 20))):
        data += part
    return bytes(data)


def _check_bytes(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        message = f"The file has more than {limits.bytes:,} bytes, the limit."
        raise PosterError("too-large", message, "bytes")


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PosterError("unreadable", f"The picture is empty ({width}x{height}).")
    if width * height > limits.pixels:
        message = f"The picture has {width}x{height} pixels, over the limit of {limits.pixels:,}."
        raise PosterError("too-large", message, "pixels")


def _decode(data: bytes, limits: Limits, draft: tuple[int, int] | None) -> Image.Image:
    if not data:
        raise PosterError("not-an-image", "The file is empty.")
    if not data.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM")):
        # Pillow imports these late, and by itself would import all of its 40 decoders.
        from PIL import AvifImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            _check_pixels(picture.size, limits)
            if draft and (squished := _draft(picture, draft)):
                return squished
            picture.load()
            return _over_white(_upright(picture))
    except PosterError:
        raise
    except Image.DecompressionBombError:
        raise PosterError("too-large", "The picture has more pixels than Pillow opens.") from None
    # A damaged file makes decoders raise nearly anything (OSError, SyntaxError, struct.error,
    # IndexError, MemoryError …), and one bad poster must not end a run.
    except Exception as error:
        if _ends_early(data):
            raise PosterError("truncated", "The file ends before the picture does.") from None
        if isinstance(error, UnidentifiedImageError):
            message = f"The content is none of {', '.join(FORMATS)}."
            raise PosterError("not-an-image", message) from None
        raise _damaged(error) from None


def _damaged(error: Exception) -> PosterError:
    cause = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return PosterError("unreadable", f"The picture is damaged: {cause}.")


def _ends_early(data: bytes) -> bool:
    """Whether a file that failed to decode lacks its end, by its format's own mark of it."""
    for start, mark, tail in _END_MARKS:
        if data.startswith(start):
            return mark not in data[-tail:]
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if data.startswith(b"BM"):
        return len(data) < int.from_bytes(data[2:6], "little")
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_ends_early(data)
    if data[4:8] != b"ftyp":
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


def _draft(picture: Image.Image, size: tuple[int, int]) -> Image.Image | None:
    """Decode a large JPEG at a fraction of its size, upright and squished; None for others."""
    turned = _orientation(picture) >= 5  # stored on its side
    width, height = reversed(size) if turned else size
    whole = picture.size
    # None: colours stay as they are stored.
    drafted = picture.draft(None, (2 * width, 2 * height))
    if drafted is None or picture.size == whole:
        return None
    # The box leaves out the part of the last column and row that lies outside the picture.
    rgb = _over_white(picture)
    return _upright(rgb.resize((width, height), Image.Resampling.BILINEAR, box=drafted[1]))


def _upright(picture: Image.Image) -> Image.Image:
    with suppress(Exception):  # broken EXIF is no reason to refuse a picture that can be seen
        return ImageOps.exif_transpose(picture) if _orientation(picture) != 1 else picture
    return picture


def _orientation(picture: Image.Image) -> int:
    """Read EXIF's orientation: 1 is upright; from 5 on, width and height are swapped."""
    with suppress(Exception):
        return int(picture.getexif().get(_ORIENTATION, 1))
    return 1


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I;16"):
        # 16-bit grey: Pillow's own conversion to 8 bits clips instead of scaling.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise ValueError("its pixels are numbers without a known range")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("RGB")
