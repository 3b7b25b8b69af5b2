"""From arguments to the posters' paths: named files, searched folders, and lists on stdin."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from .posters import SUFFIXES

_ENCODING = sys.getfilesystemencoding()


class Discovery:
    """Finds posters lazily and in order, and counts the files that it skips.

    A named path is always yielded, whatever it is. A folder is searched recursively, in natural
    order (poster-9 before poster-10), for files with a poster's suffix; hidden files and folders
    are left out. "-" reads one path per line from `stdin`.

    Attributes:
        others: How many files were skipped so far for their suffix.
    """

    def __init__(self, paths: Iterable[str], stdin: BinaryIO | None = None) -> None:
        self._paths, self._stdin = paths, stdin
        self.others = 0

    def __iter__(self) -> Iterator[str]:
        for path in self._paths:
            if path == "-" and self._stdin is not None:
                for line in self._stdin:
                    # As os.fsdecode, which on Windows refuses lists in another encoding; here the
                    # row will be not-found.
                    name = line.rstrip(b"\r\n").decode(_ENCODING, "surrogateescape")
                    if name:
                        yield from self._expand(name)
            else:
                yield from self._expand(path)

    def _expand(self, path: str) -> Iterator[str]:
        if os.path.isdir(path):
            yield from self._search(path, ())
        else:
            yield path

    def _search(self, folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
        try:
            info = os.stat(folder)
            identity = (info.st_dev, info.st_ino)
            if identity in above:  # a link to a folder that we are in
                return
            names, folders = self._list(folder)
        except OSError:
            yield folder  # its row will say why it cannot be read
            return
        for name in names:
            path = os.path.join(folder, name)
            if name in folders:
                yield from self._search(path, (*above, identity))
            else:
                yield path

    def _list(self, folder: str) -> tuple[list[str], set[str]]:
        """List a folder's posters and folders in order, and tell which are folders.

        Names rather than entries: a folder of a million posters must fit in memory.
        """
        names, folders = [], set()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    folders.add(entry.name)
                elif os.path.splitext(entry.name)[1].lower() not in SUFFIXES:
                    self.others += 1
                    continue
                names.append(entry.name)
        names.sort(key=natural_key)
        return names, folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link in a circle, or into a folder that we may not enter
        return entry.is_dir()
    return False


def natural_key(name: str) -> str:
    """Make a sort key that orders numbers by value, before anything else, and ignores case."""
    # One string takes a tenth of the memory of a list of parts.
    return re.sub(r"\d+", _by_value, name.casefold()) + "\0" + name


def _by_value(digits: re.Match[str]) -> str:
    number = str(int(digits[0]))  # \d and int() take all of Unicode's decimal digits
    return f"\1{chr(len(number))}{number}"
