"""Results as rows: JSON Lines, CSV, or a table for a terminal."""

import csv
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from .result import Result

FORMATS = ("table", "jsonl", "csv")


class Writer(Protocol):
    """Writes one row a result."""

    def write(self, result: Result) -> None:
        """Write a row, whole."""


class JsonLines:
    """One JSON object a line, ASCII; bytes of a path that are not UTF-8 are surrogate escapes."""

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
    """path, status, error, genres (pipe-separated), then a column for each genre's score."""

    def __init__(self, stream: IO[str], genres: tuple[str, ...]) -> None:
        # Python quotes those line ends that are its own; a path may have any of both.
        self._writer = csv.writer(_LineEnds(stream), lineterminator="\r\n")
        self._genres = genres
        self._writer.writerow(["path", "status", "error", "genres", *genres])

    def write(self, result: Result) -> None:
        """See Writer."""
        named = "|".join(one.genre for one in result.genres)
        scores = [f"{result.scores[g]:.4f}" if result.scores else "" for g in self._genres]
        self._writer.writerow([result.path, result.status, result.error or "", named, *scores])


class _LineEnds:
    """Takes rows that end in \\r\\n, and ends them in \\n."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


class Table:
    """For people: a path and its genres with their probabilities, a failed poster in red."""

    def __init__(self, stream: IO[str], _genres: tuple[str, ...]) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._width = max(20, min(48, self._console.width // 2))

    def write(self, result: Result) -> None:
        """See Writer."""
        from rich.table import Table as Grid
        from rich.text import Text

        said = Text()
        if not result.ok:
            said.append(f"{result.status}: {printable(result.error or '')}", style="red")
        elif not result.genres:
            said.append("no genre reaches its threshold", style="dim")
        for position, named in enumerate(result.genres):
            said.append(", " if position else "")
            said.append(named.genre, style="bold")
            said.append(f"\u00a0{named.probability:.2f}", style="dim")  # a genre keeps its figure
        row = Grid.grid(padding=(0, 2))
        row.add_column(width=self._width, no_wrap=True)
        row.add_column()
        row.add_row(Text(_fitted(printable(result.path or ""), self._width)), said)
        self._console.print(row)


_WRITERS: dict[str, Callable[[IO[str], tuple[str, ...]], Writer]] = {
    "table": Table,
    "jsonl": JsonLines,
    "csv": Csv,
}


def make_writer(form: str, stream: IO[str], genres: tuple[str, ...]) -> Writer:
    """The writer for one of FORMATS."""
    return _WRITERS[form](stream, genres)


def printable(text: str) -> str:
    """Text that cannot move a terminal's cursor: control characters and stray bytes escaped."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


def _fitted(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[-(width - 1) :]


class Output:
    """Where rows go: stdout, or a file that appears under its name only when it is complete.

    Until then it is FILE.part beside it, written line by line, which a stopped run leaves behind.
    Raises OutputError where the file, or its .part, exists and `force` is not set, is not a regular
    file, or cannot be written.
    """

    def __init__(self, path: Path | None, *, force: bool = False) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".part") if path else None
        self.stream: IO[str] = sys.stdout
        if path and self.partial:
            for target in (path, self.partial):
                _refuse_existing(target, force)
            try:
                self.stream = self.partial.open(
                    "w", 1, encoding="utf-8", errors="surrogateescape", newline=""
                )
            except OSError as error:
                raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
        else:
            with suppress(AttributeError):  # stdout may have been replaced by a plain buffer
                # The rows' bytes do not hang on the terminal's encoding.
                self.stream.reconfigure(  # type: ignore[union-attr]
                    encoding="utf-8", errors="surrogateescape", newline=""
                )

    def finish(self) -> None:
        """All rows are written: give the file its name."""
        self.stream.flush()
        if self.path and self.partial:
            self.stream.close()
            self.partial.replace(self.path)

    def stop(self) -> None:
        """The run ends early: keep what is written."""
        with suppress(OSError, ValueError):
            self.stream.flush()
            if self.partial:
                self.stream.close()


class OutputError(Exception):
    """The output file cannot be used; the message says why and what mends it."""


def _refuse_existing(target: Path, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_file():
        raise OutputError(f"{target} is not a regular file.")
    if not force:
        raise OutputError(f"{target} exists; --force replaces it.")
