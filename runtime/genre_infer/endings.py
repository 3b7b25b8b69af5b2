"""Whether a poster's file was cut short, by each format's own mark of its end."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

_TIFF_PLACES = {273, 279, 324, 325}  # where strips and tiles lie, and how long they are


def ends_early(data: bytes) -> bool:
    """Whether a file that failed to decode lacks its end; of other formats than Pillow's here,
    never."""
    tail = data[-64:]
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in tail
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if data.startswith(b"GIF8"):
        return b";" not in tail[-2:]
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if data.startswith(b"BM"):
        return len(data) < int.from_bytes(data[2:6], "little")
    if data[4:8] == b"ftyp":
        return _boxes_end_early(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_ends_early(data)
    return False


def _tiff_ends_early(data: bytes) -> bool:
    """Whether a TIFF's directory, or a strip or tile that it points to, lies past the end."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    directory = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[directory : directory + 2], order)
    if directory + 2 + 12 * entries > len(data):
        return True
    values: dict[int, NDArray[np.int64]] = {}
    for start in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind = (int.from_bytes(data[i : i + 2], order) for i in (start, start + 2))
        if tag not in _TIFF_PLACES or tag in values:  # once each: it can be as long as the file
            continue
        count, size = int.from_bytes(data[start + 4 : start + 8], order), 2 if kind == 3 else 4
        at = start + 8 if count * size <= 4 else int.from_bytes(data[start + 8 : start + 12], order)
        if at + count * size <= len(data):
            numbers = np.frombuffer(
                data[at : at + count * size], np.dtype(f"u{size}").newbyteorder(order)
            )
            values[tag] = numbers.astype(np.int64)
    for offsets, lengths in ((273, 279), (324, 325)):
        if offsets in values and lengths in values:
            known = min(len(values[offsets]), len(values[lengths]))
            ends = values[offsets][:known] + values[lengths][:known]
            if (ends > len(data)).any():
                return True
    return False


def _boxes_end_early(data: bytes) -> bool:
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size < 8:  # 0: to the end of the file; 1: a 64-bit size, not met in posters
            return False
        position += size
    return position > len(data)
