"""JPEG files: what their pixels need of them, and whether all pixels are there.

libjpeg fills what is missing with grey and only warns, and Pillow hides its warnings. So a file is
checked by its structure, and where something looks wrong, by what its decoder does with it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .limits import PosterError

END = b"\xff\xd9"
MOST_SEGMENTS = 10_000
MOST_SCANS = 64  # each goes over all pixels; usual encoders write up to 15
MOST_METADATA = 1 << 20  # bytes of orientation and colour profile

_FILL = re.compile(rb"\xff+")
# The end of a scan: a marker that is neither a restart nor a stuffed byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_RESTART = re.compile(rb"(?=\xff[\xd0-\xd7])")
# What an encoder writes for more than a few bytes only over large areas of one colour.
_BLANK = (b"\0" * 32, b"\xff\0" * 16)
_NOISE = bytes(range(1, 255)) * 8  # a decoder takes it for pixels only where it lacks some

_NEEDED = {  # application segments that pixels depend on, by how they begin
    0xE0: b"JFIF\0",
    0xE1: b"Exif\0\0",
    0xE2: b"ICC_PROFILE\0",
    0xEE: b"Adobe",
}
_METADATA = {*range(0xE0, 0xF0), 0xFE}  # application segments and comments
_PROGRESSIVE, _SCAN, _END = 0xC2, 0xDA, 0xD9
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # what has no segment


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG file, read.

    Attributes:
        data: Its first picture without what pixels do not need, and with an end.
        ended: Whether it had an end of its own.
        blank: Whether a part of its pixels' data is blank, which may have been lost.
    """

    data: bytes
    ended: bool
    blank: bool


def read_jpeg(data: bytes) -> Jpeg:
    """Read the segments of a JPEG file up to the end of its first picture.

    Raises:
        PosterError: Scans are missing, or there are more parts than in any picture.
    """
    reader = _Reader(data)
    ended = reader.read()
    if not reader.scans or reader.lacks_scans():
        raise PosterError("truncated", "The file ends before the picture does.")
    kept = b"".join([*reader.kept, END])
    written = kept.rstrip(b"\0\xff\xd9")
    blank = any(written.find(run, reader.first_scan) >= 0 for run in _BLANK)
    return Jpeg(kept, ended, blank)


def refuse_missing_pixels(jpeg: Jpeg, pixels: bytes, decode: Callable[[bytes], bytes]) -> None:
    """Refuse a file whose decoder ran out of data, or did not need all of it.

    Args:
        jpeg: The file.
        pixels: What it was decoded to.
        decode: Decodes a file's bytes in the same way.

    Raises:
        PosterError: Pixels are missing, or some are not those that were written.
    """
    stem = jpeg.data[: -len(END)]
    lacks = decode(_RESTART.sub(_NOISE, stem) + _NOISE + END) != pixels
    if lacks and not jpeg.ended:
        raise PosterError("truncated", "The file ends before the picture does.")
    if lacks or (jpeg.blank and decode(stem.rstrip(b"\0")[:-8] + END) == pixels):
        raise PosterError("truncated", "Data of the picture is missing, or damaged.")


class _Reader:
    """Walks over the segments.

    Attributes:
        kept: Those that pixels need.
        scans: How many scans there were.
        first_scan: Where the first begins, in what is kept.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._view = data, memoryview(data)
        self.kept = [self._view[:2]]
        self.scans = self.first_scan = 0
        self._metadata = 0
        # Of a progressive file: component -> the coefficients whose last bits are still to come.
        self._open: dict[int, set[int]] = {}

    def read(self) -> bool:
        """Read all segments. Returns whether the end's marker was there."""
        data, position = self._data, 2
        for _ in range(MOST_SEGMENTS):
            fill = _FILL.search(data, position)
            if fill is None or fill.end() == len(data):
                return False
            position = fill.end() + 1
            marker = data[fill.end()]
            if marker == _END:
                return True
            if marker in _ALONE:
                continue
            end = position + int.from_bytes(data[position : position + 2], "big")
            if end < position + 2 or end > len(data):
                return False
            segment = self._view[position - 2 : end]
            if marker == _SCAN:
                position = self._scan(segment, end)
            else:
                self._segment(marker, segment)
                position = end
        raise PosterError("unreadable", f"The file has more than {MOST_SEGMENTS:,} segments.")

    def lacks_scans(self) -> bool:
        """Whether the brightness of a progressive file is not complete."""
        first = next(iter(self._open), None)
        return first is not None and bool(self._open[first])

    def _segment(self, marker: int, segment: memoryview) -> None:
        body = segment[4:]
        if marker in _METADATA:
            start = _NEEDED.get(marker)
            if start is None or body[: len(start)] != start:
                return
            self._metadata += len(segment)
            if self._metadata > MOST_METADATA:
                return
        elif marker == _PROGRESSIVE:
            self._open = {body[6 + 3 * i]: set(range(64)) for i in range(body[5])}
        self.kept.append(segment)

    def _scan(self, segment: memoryview, end: int) -> int:
        """Keep a scan's header and data. Returns where its data ends."""
        self.first_scan = self.first_scan or sum(map(len, self.kept))
        self.scans += 1
        if self.scans > MOST_SCANS:
            raise PosterError("unreadable", f"The file has more than {MOST_SCANS} scans.")
        body = segment[4:]
        count = body[0]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        if self._open and not bits & 15:
            for i in range(count):
                self._open.get(body[1 + 2 * i], set()).difference_update(range(first, last + 1))
        marker = _MARKER.search(self._data, end)
        stop = marker.start() if marker else len(self._data)
        self.kept += [segment, self._view[end:stop]]
        return stop
