"""From a file's bytes to pixels: the one decoder that training, export and the runtime share."""

import errno
import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .endings import ends_early
from .result import Status

Pixels: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | Pixels

# Only these of Pillow's decoders are ever called: each further one is more to attack.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"})

_ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded.

    pixels: largest width x height. 64 million is a poster of 6,500 x 9,800.
    bytes: largest file, in bytes.
    """

    pixels: int = 64_000_000
    bytes: int = 64 * 1024 * 1024


class PosterError(Exception):
    """A poster that cannot be classified: its status and one sentence for its row."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status: Status = status


def poster_pixels(
    source: Source, width: int, height: int, limits: Limits, *, draft: bool = False
) -> Pixels:
    """Decode a poster and squish it to the model's input size, as training did.

    draft: JPEGs of at least four times that size are decoded at a half, a quarter or an eighth of
    their own, never below twice the input size: far faster, and the pixels differ a little.
    Returns uint8 [height, width, 3], RGB. Raises PosterError for a poster that cannot be used and
    TypeError for a source of another type.
    """
    picture = load_poster(source, limits, (width, height) if draft else None)
    return squish(picture, width, height)


def squish(picture: Image.Image, width: int, height: int) -> Pixels:
    """Resize to exactly width x height (the ratio is not kept) by Pillow's bilinear filter, which
    averages when it shrinks. Takes an RGB picture; returns uint8 [height, width, 3]."""
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def load_poster(
    source: Source, limits: Limits | None = None, draft: tuple[int, int] | None = None
) -> Image.Image:
    """Open any source as an upright RGB picture; transparent parts become white.

    Arrays are taken as uint8 [height, width, 3], RGB. draft: width and height that the picture will
    be squished to; a large JPEG, from a file or from bytes, is then decoded at a fraction of its
    size (see poster_pixels) and comes squished already. Raises PosterError, or TypeError for a
    source or an array of another kind.
    """
    limits = limits or Limits()
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, Image.Image):
        _check_pixels(source.size, limits)
        try:
            source.load()
            return _upright_rgb(source)
        except Exception as error:  # it may be lazy still, and its file damaged
            message = f"The picture is damaged: {_one_line(error)}."
            raise PosterError("unreadable", message) from None
    if isinstance(source, bytes | bytearray | memoryview):
        _check_bytes(len(source), limits)
        return _decode(bytes(source), limits, draft)
    if isinstance(source, str | os.PathLike):
        return _decode(_read(Path(source), limits), limits, draft)
    raise TypeError(f"a poster is a path, bytes, a PIL image or a uint8 array, not {type(source)}")


def _from_array(pixels: Pixels, limits: Limits) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise TypeError(
            "a poster array is uint8 [height, width, 3] in RGB, "
            f"not {pixels.dtype} {list(pixels.shape)}"
        )
    _check_pixels((pixels.shape[1], pixels.shape[0]), limits)
    return Image.fromarray(np.ascontiguousarray(pixels))


def _read(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            if stat.S_ISREG(info.st_mode):
                _check_bytes(info.st_size, limits)
                data = file.read()
            else:  # a pipe: nobody knows yet how much will come
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
        raise PosterError(
            "too-large", f"The file has more than {limits.bytes:,} bytes, the limit (--max-bytes)."
        )


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PosterError("unreadable", f"The picture is empty ({width}x{height}).")
    if width * height > limits.pixels:
        raise PosterError(
            "too-large",
            f"The picture has {width}x{height} pixels, over the limit of {limits.pixels:,} "
            "(--max-pixels).",
        )


def _decode(data: bytes, limits: Limits, draft: tuple[int, int] | None) -> Image.Image:
    if not data:
        raise PosterError("not-an-image", "The file is empty.")
    if not data.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM")):
        _import_decoders()
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            _check_pixels(picture.size, limits)
            if draft and (squished := _draft(picture, draft)):
                return squished
            picture.load()
            return _upright_rgb(picture)
    except PosterError:
        raise
    except Image.DecompressionBombError:
        raise PosterError("too-large", "The picture has more pixels than Pillow opens.") from None
    # A damaged file makes decoders raise nearly anything (OSError, SyntaxError, struct.error,
    # IndexError, MemoryError …), and one bad poster must not end a run.
    except Exception as error:
        if ends_early(data):
            raise PosterError("truncated", "The file ends before the picture does.") from None
        if isinstance(error, UnidentifiedImageError):
            raise PosterError(
                "not-an-image", "The content is none of " + ", ".join(FORMATS) + "."
            ) from None
        raise PosterError("unreadable", f"The picture is damaged: {_one_line(error)}.") from None


def _import_decoders() -> None:
    """Those that Pillow does not import at once; by itself it would import all of its 40."""
    from PIL import AvifImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401


def _draft(picture: Image.Image, size: tuple[int, int]) -> Image.Image | None:
    """The upright picture, squished, of a fraction of a large JPEG; None for any other picture."""
    turned = _orientation(picture) >= 5  # as stored, its width and height are the other's
    width, height = reversed(size) if turned else size
    whole = picture.size
    # None: colours stay as they are stored.
    drafted = picture.draft(None, (2 * width, 2 * height))
    if drafted is None or picture.size == whole:
        return None
    # The box leaves out the part of the last column and row that lies outside the picture.
    rgb = _over_white(picture)
    return _upright(rgb.resize((width, height), Image.Resampling.BILINEAR, box=drafted[1]))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _upright_rgb(picture: Image.Image) -> Image.Image:
    return _over_white(_upright(picture))


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture) if _orientation(picture) != 1 else picture
    except Exception:  # broken EXIF is no reason to refuse a picture that can be seen
        return picture


def _orientation(picture: Image.Image) -> int:
    """EXIF's: 1 is upright, from 5 on width and height change places."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:
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
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")
