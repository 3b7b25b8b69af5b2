"""Tables on stdout, CSV files, and the line that says where figures come from."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genre_infer.machine import processor
from genre_train.evaluate import write_csv


def origin() -> dict[str, str]:
    """Processor, date (UTC) and commit, for every row of figures."""
    return {
        "processor": processor(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
    }


def _commit() -> str:
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        # An installed package may lie inside somebody else's repository.
        for command in (
            ["ls-files", "--error-unmatch", Path(__file__).name],
            ["describe", "--always", "--dirty"],
        ):
            done = subprocess.run([*git, *command], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


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
    if csv_file:
        where = origin()
        write_csv(csv_file, [{**row, **where} for row in rows])


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"
