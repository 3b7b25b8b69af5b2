"""From arguments to the posters' paths: named files, searched folders, and lists on stdin."""

import codecs
import os
import queue
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from itertools import chain
from typing import BinaryIO

from .posters import SUFFIXES

_ENCODING = sys.getfilesystemencoding()

# Folders that media servers, network storage and systems keep for themselves: thumbnails, deleted
# files, earlier versions.
SYSTEM_FOLDERS = frozenset(
    name.casefold()
    for name in (
        "@eaDir",
        "@Recycle",
        "@Recently-Snapshot",
        ".@__thumb",
        "#recycle",
        "#snapshot",
        "$RECYCLE.BIN",
        "System Volume Information",
        "lost+found",
        "__MACOSX",
    )
)

_PAUSE = 0.1  # seconds without a further line of a list, after which what is there is computed
_LINES_AHEAD = 4096  # of a list, at most
_READ = 1 << 16  # bytes


class Discovery:
    """Finds posters lazily and in order, and counts what it skips.

    A named path is always yielded, whatever it is. A folder is searched recursively, in natural
    order (poster-9 before poster-10), for files with a poster's suffix. Each folder is searched
    once, however many links lead to it. Hidden files and folders are left out. "-" reads one path
    per line from `stdin`. None is yielded where a list has no further line for now.

    Args:
        paths: Files, folders, "-".
        stdin: Where a list is read from.
        exclude: Patterns of names, or with a slash of paths within the searched folder, of files
            and folders to leave out.
        follow_links: Whether links to folders are searched.

    Attributes:
        others: How many files were skipped so far for their suffix, by suffix.
        system_folders: How many SYSTEM_FOLDERS were skipped so far.
        excluded: How many files and folders `exclude` left out so far.
    """

    def __init__(
        self,
        paths: Iterable[str],
        stdin: BinaryIO | None = None,
        *,
        exclude: tuple[str, ...] = (),
        follow_links: bool = True,
    ) -> None:
        self._paths, self._stdin = paths, stdin
        self._exclude, self._follow_links = exclude, follow_links
        self._searched: set[tuple[int, int]] = set()
        self.others: Counter[str] = Counter()
        self.system_folders = self.excluded = 0

    def __iter__(self) -> Iterator[str | None]:
        for path in self._paths:
            if path == "-" and self._stdin is not None:
                for line in _lines(self._stdin):
                    if line is None:
                        yield None
                    elif line:
                        yield from self._expand(line)
            else:
                yield from self._expand(path)

    def _expand(self, path: str) -> Iterator[str]:
        if os.path.isdir(path):
            yield from self._search(path)
        else:
            yield path

    def _search(self, top: str) -> Iterator[str]:
        # A stack and no recursion: folders can be deeper than Python's own stack.
        stack = [iter([(top, True)])]
        while stack:
            path, is_folder = next(stack[-1], (None, False))
            if path is None:
                stack.pop()
            elif not is_folder:
                yield path
            else:
                try:
                    stack.append(iter(self._list(path, top)))
                except OSError:
                    yield path  # its row will say why it cannot be read

    def _list(self, folder: str, top: str) -> Iterator[tuple[str, bool]]:
        """List a folder's posters and folders in order, each with whether it is a folder.

        Names rather than entries: a folder of a million posters must fit in memory.
        """
        info = os.stat(folder)
        identity = (info.st_dev, info.st_ino)
        if identity in self._searched:
            return iter(())
        self._searched.add(identity)
        names, folders = [], set()
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = self._kind(entry, os.path.relpath(entry.path, top) if self._exclude else "")
                if kind is not None:
                    names.append(entry.name)
                if kind == "folder":
                    folders.add(entry.name)
        names.sort(key=natural_key)
        return ((os.path.join(folder, name), name in folders) for name in names)

    def _kind(self, entry: os.DirEntry[str], within: str) -> str | None:
        """Return "folder", "poster", or None for what is skipped; count that."""
        is_folder = _is_folder(entry)
        if is_folder and entry.name.casefold() in SYSTEM_FOLDERS:
            self.system_folders += 1
        elif entry.name.startswith("."):
            pass
        elif any(_matches(entry.name, within, pattern) for pattern in self._exclude):
            self.excluded += 1
        elif is_folder:
            return "folder" if self._follow_links or not entry.is_symlink() else None
        elif (suffix := os.path.splitext(entry.name)[1].lower()) in SUFFIXES:
            return "poster"
        else:
            self.others[suffix] += 1
        return None


def _matches(name: str, within: str, pattern: str) -> bool:
    if os.sep != "/":
        within = within.replace(os.sep, "/")
    return fnmatch(within, pattern.strip("/")) if "/" in pattern else fnmatch(name, pattern)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link in a circle, or into a folder that we may not enter
        return entry.is_dir()
    return False


def _lines(stdin: BinaryIO) -> Iterator[str | None]:
    """Yield the lines of a list, and None where none comes for a while.

    A thread reads, because not every system can tell whether a pipe has more.
    """
    lines: queue.Queue[str | Exception | None] = queue.Queue(_LINES_AHEAD)
    threading.Thread(target=_read_lines, args=(stdin, lines), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_PAUSE)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        if isinstance(line, Exception):
            raise line
        yield line


def _read_lines(stdin: BinaryIO, lines: "queue.Queue[str | Exception | None]") -> None:
    """Put each line of a list into a queue, at the end None, or what reading raised."""
    try:
        blocks = _blocks(stdin)
        first = next(blocks, b"")
        while len(first) < 3 and b"\n" not in first and (more := next(blocks, b"")):
            first += more
        # As os.fsdecode, which on Windows refuses lists in another encoding; here the row will be
        # not-found.
        decoder = codecs.getincrementaldecoder(_encoding_of(first))("surrogateescape")
        text = ""
        for block in chain([first], blocks):
            *whole, text = (text + decoder.decode(block)).split("\n")
            for line in whole:
                lines.put(line.removesuffix("\r"))
        lines.put((text + decoder.decode(b"", True)).removesuffix("\r"))
        lines.put(None)
    except Exception as error:
        lines.put(error)


def _blocks(stdin: BinaryIO) -> Iterator[bytes]:
    try:
        descriptor = stdin.fileno()
    except (OSError, ValueError):  # a file in memory
        return iter(partial(stdin.read, _READ), b"")
    # Not stdin.read, which waits for a full block, and holds a lock that Python needs to end.
    return iter(partial(os.read, descriptor, _READ), b"")


def _encoding_of(first: bytes) -> str:
    """Return the encoding of a list that begins with these bytes."""
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # from PowerShell's >
        return "utf-16"
    return "utf-8-sig" if first.startswith(codecs.BOM_UTF8) else _ENCODING


def natural_key(name: str) -> str:
    """Make a sort key that orders numbers by value, before anything else, and ignores case."""
    # One string takes a tenth of the memory of a list of parts.
    return re.sub(r"\d+", _by_value, name.casefold()) + "\0" + name


def _by_value(digits: re.Match[str]) -> str:
    number = str(int(digits[0]))  # \d and int() take all of Unicode's decimal digits
    return f"\1{chr(len(number))}{number}"
