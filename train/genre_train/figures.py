"""Rows of figures: on a terminal, and as a CSV file that says where they are from."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .files import write_csv
from .provenance import commit, processor, today


def print_and_write(
    title: str,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    output: Path | None,
    model: str,
) -> None:
    """Print a table on stdout, and write its rows to a CSV file if one is named.

    Args:
        title: Printed above the table.
        columns: Key in the rows -> heading.
        rows: The rows. The file has all their keys, and in every row the model, the processor, the
            date and the commit.
        output: The file.
        model: A line about the model.
    """
    table = Table(title=title)
    for number, heading in enumerate(columns.values()):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        values = (row[key] for key in columns)
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in values))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140).print(table)
    if output:
        facts = {"model": model, "processor": processor()}
        facts |= {"date": today(), "commit": commit(Path(__file__))}
        write_csv(output, [{**row, **facts} for row in rows])
