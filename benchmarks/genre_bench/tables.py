"""Tables on stdout, CSV files, and the line that says where figures come from."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from genre_train.predictions import write_csv
from genre_train.provenance import commit, processor, today


def origin() -> dict[str, str]:
    """Processor, date (UTC) and commit, for every row of figures."""
    return {
        "processor": processor(),
        "date": today(),
        "commit": commit(Path(__file__)),
    }


def print_table(title: str, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Rows as a table on stdout. columns: key -> heading."""
    table = Table(title=title)
    for position, heading in enumerate(columns.values()):
        table.add_column(heading, justify="left" if position == 0 else "right")
    for row in rows:
        table.add_row(*(_cell(row[key]) for key in columns))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 150)
    console.print(table)
    console.print(", ".join(f"{key}: {value}" for key, value in origin().items()))


def finish(
    title: str, rows: list[dict[str, Any]], columns: dict[str, str], csv_file: Path | None
) -> None:
    """Print rows as a table, and write them with their origin where a file is named."""
    print_table(title, rows, columns)
    write_figures(rows, csv_file)


def write_figures(rows: list[dict[str, Any]], csv_file: Path | None) -> None:
    """Write rows with their origin where a file is named."""
    if csv_file:
        where = origin()
        write_csv(csv_file, [{**row, **where} for row in rows])


def say(sentences: Iterable[str]) -> None:
    """Sentences on stderr, a line each."""
    for sentence in sentences:
        click.echo(sentence, err=True)


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"
