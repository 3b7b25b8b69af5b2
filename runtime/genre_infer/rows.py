"""Results as rows: JSON Lines, CSV, or a table for a terminal."""

import csv
import json
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Protocol

from .result import Result

# The rows' bytes do not depend on the terminal's encoding, nor on the system's line ends.
_ENCODING: Any = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class Writer(Protocol):
    """Writes one row per result."""

    def write(self, result: Result) -> None:
        """Write one whole row."""


class JsonLines:
    """One JSON object per line, in ASCII; bytes of a path that are not UTF-8 are escaped."""

    def __init__(self, stream: IO[str], _genres: tuple[str, ...]) -> None:
        self._stream = stream

    def write(self, result: Result) -> None:
        """See Writer."""
        scores = result.scores
        row = {
            "path": result.path,
            "status": result.status,
            "genres": [named.genre for named in result.genres],
            "scores": scores and {genre: round(value, 4) for genre, value in scores.items()},
            "error": result.error,
        }
        self._stream.write(json.dumps(row) + "\n")


class Csv:
    """Path, status, error and genres (separated by |), then a column for each genre's score."""

    def __init__(self, stream: IO[str], genres: tuple[str, ...]) -> None:
        # csv quotes a line break in a path only if its lineterminator contains that character.
        lines = SimpleNamespace(write=lambda row: stream.write(row.removesuffix("\r\n") + "\n"))
        self._writer = csv.writer(lines, lineterminator="\r\n")
        self._genres = genres
        self._writer.writerow(["path", "status", "error", "genres", *genres])

    def write(self, result: Result) -> None:
        """See Writer."""
        named = "|".join(one.genre for one in result.genres)
        path = result.path or ""
        if path.startswith(_FORMULAS):  # spreadsheets would compute it
            path = "./" + path
        scores = [f"{result.scores[g]:.4f}" if result.scores else "" for g in self._genres]
        self._writer.writerow([path, result.status, result.error or "", named, *scores])


class Table:
    """For people: a path and its genres with their probabilities; failed posters in red."""

    def __init__(self, stream: IO[str], _genres: tuple[str, ...]) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._width = max(20, min(48, self._console.width // 2))

    def write(self, result: Result) -> None:
        """See Writer."""
        from rich.table import Column
        from rich.table import Table as Grid
        from rich.text import Text

        # The no-break space keeps a genre and its probability on one line.
        pairs = [((g.genre, "bold"), (f"\u00a0{g.probability:.2f}", "dim")) for g in result.genres]
        genres = Text(", ").join(Text.assemble(*pair) for pair in pairs)
        if not result.ok:
            genres = Text(f"{result.status}: {printable(result.error or '')}", "red")
        elif not pairs:
            genres = Text("no genre reaches its threshold", "dim")
        path = _shortened(printable(result.path or ""), self._width)
        row = Grid.grid(Column(width=self._width, no_wrap=True), Column(), padding=(0, 2))
        row.add_row(Text(path), genres)
        self._console.print(row)


def make_writer(form: str, stream: IO[str], genres: tuple[str, ...]) -> Writer:
    """Make the writer for "table", "jsonl" or "csv"."""
    writers: dict[str, type[Table | JsonLines | Csv]]
    writers = {"table": Table, "jsonl": JsonLines, "csv": Csv}
    return writers[form](stream, genres)


def _shortened(path: str, width: int) -> str:
    """Keep the end of a path, in so many cells of a terminal: some letters take two."""
    from rich.cells import cell_len

    if cell_len(path) <= width:
        return path
    while cell_len(path) >= width:
        path = path[1:]
    return "…" + path


def printable(text: str) -> str:
    """Escape what could move a terminal's cursor: control characters and bytes of no encoding."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


class Output:
    """Where rows go: stdout, or a file that appears under its name only when it is complete.

    Until then it is FILE.part beside it, written line by line, which stays if the run stops early.

    Attributes:
        path: The file, or None for stdout.
        partial: Its FILE.part, or None for stdout.
        stream: What to write to.

    Raises:
        FileExistsError: The file or its .part exists, and `force` is not set.
        OutputError: The file or its .part is not a regular file, or cannot be written.
    """

    def __init__(self, path: Path | None, *, force: bool = False) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".part") if path else None
        self.stream: IO[str] = sys.stdout
        if path and self.partial:
            for target in (path, self.partial):
                if target.exists() and not target.is_file():
                    raise OutputError(f"{target} is not a regular file.")
                if target.exists() and not force:
                    raise FileExistsError(f"{target} exists")
            try:
                self.stream = self.partial.open("w", 1, **_ENCODING)
            except OSError as error:
                raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
        elif hasattr(sys.stdout, "reconfigure"):  # it may have been replaced by a plain buffer
            sys.stdout.reconfigure(**_ENCODING)

    def finish(self) -> None:
        """Give the complete file its name."""
        self.stream.flush()
        if self.path and self.partial:
            self.stream.close()
            self.partial.replace(self.path)

    def stop(self) -> None:
        """Keep what was written before the run stopped early."""
        with suppress(OSError, ValueError):
            self.stream.flush()
            if self.partial:
                self.stream.close()


class OutputError(Exception):
    """The output file cannot be used; the message says why."""
