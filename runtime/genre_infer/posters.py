"""From a poster of any kind to pixels: what training, export and the runtime share."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .colour import in_rgb
from .decode import check_pixels, decode, upright
from .limits import Limits, PosterError

Pixels: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | Pixels

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".webp", ".avif", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".tbn"}  # .tbn: Kodi's name for a JPEG or PNG
)


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
        check_pixels(source.size, limits)
        try:
            source.load()
            return in_rgb(upright(source))
        except Exception:  # it may not be decoded yet, and its file damaged
            raise PosterError("unreadable", "The picture cannot be decoded.") from None
    if isinstance(source, bytes | bytearray | memoryview):
        _check_bytes(len(source), limits)
        return decode(bytes(source), limits, draft)
    if isinstance(source, str | os.PathLike):
        return decode(_read(Path(source), limits), limits, draft)
    raise TypeError(f"a poster is a path, bytes, a PIL image or a uint8 array, not {type(source)}")


def _from_array(pixels: Pixels, limits: Limits) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        found = f"{pixels.dtype} {list(pixels.shape)}"
        raise TypeError(f"a poster array is uint8 [height, width, 3] in RGB, not {found}")
    check_pixels((pixels.shape[1], pixels.shape[0]), limits)
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
