"""The outside of picture files: their format, and what in them no pixel needs.

Editors and generators write megabytes of text beside the pixels, and a crafted file can have
millions of empty parts; decoders read all of it. JPEG has a module of its own, jpeg_file.
"""

import zlib
from collections.abc import Iterator

from .limits import PosterError

# Only these of Pillow's decoders are ever called: every further one adds to the attack surface.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")

MOST_PARTS = 300_000  # chunks or blocks before the end of the first picture
MOST_METADATA = 1 << 20  # bytes of a colour profile or an orientation, as Pillow has it
_NEEDED = {b"tRNS", b"iCCP", b"eXIf"}  # PNG's further chunks that pixels depend on
_BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)}


def format_of(data: bytes) -> str | None:
    """Return the format that a file's first bytes say, one of FORMATS, or None."""
    starts = (("JPEG", b"\xff\xd8\xff"), ("PNG", b"\x89PNG\r\n\x1a\n"), ("GIF", b"GIF8"))
    for name, start in starts:
        if data.startswith(start):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"BM") and data[14:18] in _BMP_HEADERS:
        return "BMP"
    brands = data[8:64] if data[4:8] == b"ftyp" else b""
    return "AVIF" if b"avif" in brands or b"avis" in brands else None


def pared(data: bytes, form: str) -> bytes:
    """Return a file without what its first picture does not need: the same where that is nothing.

    Args:
        data: The file's bytes.
        form: What format_of() returned for them.

    Raises:
        PosterError: The file has more parts than any picture.
    """
    parts = {"PNG": _png, "GIF": _gif}.get(form)
    if parts is None:
        return data
    kept = []
    for number, part in enumerate(parts(data)):
        if number == MOST_PARTS:
            message = f"The file has more than {MOST_PARTS:,} parts before the end of a picture."
            raise PosterError("unreadable", message)
        kept.append(part)
    whole = b"".join(kept)
    return data if len(whole) == len(data) else whole


def _png(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    yield view[:8]
    position = 8
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        needed = not kind[0] & 0x20 or (kind in _NEEDED and end - position <= MOST_METADATA)
        if kind == b"iCCP":
            needed = needed and _profile_fits(view[position + 8 : end - 4])
        yield view[position:end] if needed else view[:0]
        if kind == b"IEND":
            return
        position = end
    yield view[position:]


def _profile_fits(chunk: memoryview) -> bool:
    """Whether a compressed profile can be read, and is not larger than Pillow takes."""
    name = bytes(chunk[:81]).find(b"\0")
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(chunk[name + 2 :], MOST_METADATA)
    except zlib.error:
        return False
    return name >= 0 and inflate.eof


def _gif(data: bytes) -> Iterator[memoryview]:
    """Yield the header, the first picture with its transparency, and an end."""
    view = memoryview(data)
    nothing = control = view[:0]
    position = 13 + _palette(data[10:11])
    yield view[:position]
    while position < len(data):
        kind, start = data[position], position
        if kind == 0x21:  # an extension: of these, only the graphic control has to do with pixels
            graphic = data[position + 1 : position + 2] == b"\xf9"
            position += 2
            for end in _sub_blocks(data, position):
                yield nothing
                position = end
            control = view[start:position] if graphic else control
        elif kind == 0x2C:  # a picture
            position += 11 + _palette(data[position + 9 : position + 10])
            for end in _sub_blocks(data, position):
                yield nothing
                position = end
            yield from (control, view[start:position], memoryview(b";"))
            return
        else:  # the end, or what no reader knows
            yield view[start:]
            return


def _palette(flags: bytes) -> int:
    """Return the bytes of the palette that a descriptor's flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _sub_blocks(data: bytes, position: int) -> Iterator[int]:
    """Yield where each of a row of sub-blocks ends, the empty last one too."""
    while position < len(data):
        size = data[position]
        position += 1 + size
        yield min(position, len(data))
        if not size:
            return
