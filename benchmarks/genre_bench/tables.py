"""The tables of all commands: their columns, on a terminal, as CSV and as Markdown."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genre_train.files import write_csv
from genre_train.provenance import commit, processor, today

Rows = Sequence[Mapping[str, Any]]

COLUMNS: dict[str, dict[str, str]] = {
    "accuracy": {
        "system": "system",
        "domain": "domain",
        "macro_ap": "macro AP",
        "macro_auc": "macro AUC",
        "macro_f1": "macro F1",
        "micro_f1": "micro F1",
        "accuracy_multi": "accuracy_multi (degenerate)",
    },
    "parity": {
        "system": "file, provider",
        "size": "size of the picture",
        "shrunk_by": "resized by",
        "largest": "largest difference",
        "percentile_99": "99th percentile",
        "labels_agree": "labels agree",
        "named_labels_kept": "named labels kept",
        "first_genre_kept": "first genre kept",
        "macro_ap_change_*": "change of macro AP, *",
        "met": "bound met",
    },
    "sizes": {
        "size": "input",
        "system": "file, provider",
        "macro_ap": "headline",
        "earlier_ap": "kaggle and kgp",
        "macro_auc": "macro AUC",
        "gmacs": "multiply-accumulates, 10^9",
        "posters_per_s": "posters/s, network alone",
    },
    "int8": {
        "variant": "variant",
        "provider": "provider",
        "largest": "largest difference",
        "percentile_99": "99th percentile",
        "mean": "mean",
        "labels_agree": "labels agree",
        "named_labels_kept": "named labels kept",
        "first_genre_kept": "first genre kept",
        "macro_ap_change_*": "change of macro AP, *",
    },
    "draft": {
        "system": "file, provider",
        "posters": "posters",
        "largest": "largest difference",
        "percentile_99": "99th percentile",
        "labels_agree": "labels agree",
        "macro_ap_change": "change of macro AP",
    },
    "resize": {
        "provider": "provider",
        "size": "picture",
        "largest_levels": "largest difference, levels",
        "share_differing": "share of values that differ",
        "pillow": "compared with",
        "engine": "versions",
    },
    "resize-cost": {
        "provider": "provider",
        "posters_per_s": "posters/s, whole graph",
        "posters_per_s_without": "posters/s, without the resize",
        "cost": "cost",
        "engine": "versions",
    },
    "throughput": {
        "stage": "stage",
        "system": "system",
        "posters_per_s": "posters/s",
        "slowest": "slowest run",
        "fastest": "fastest run",
        "runs": "runs",
        "times_get_preds": "x get_preds",
        "times_full_decode": "x full decode",
        "times_float32": "x float32",
        "times_torch": "x PyTorch",
        "share_of_limit": "of the limit",
        "posters": "posters",
        "poster_size": "of",
        "engine": "versions",
    },
    "latency": {
        "system": "system",
        "median_ms": "median, ms",
        "p90_ms": "90th percentile, ms",
        "fastest_ms": "fastest, ms",
        "slowest_ms": "slowest, ms",
        "share_of_predict": "of learn.predict",
        "times_faster": "times faster",
        "posters": "posters",
        "poster_size": "of",
        "engine": "versions",
    },
    "start": {
        "process": "process",
        "median_ms": "median, ms",
        "fastest_ms": "fastest, ms",
        "slowest_ms": "slowest, ms",
        "runs": "runs",
        "times_pass": "x `python -c pass`",
        "over_pass_ms": "over it, ms",
        "share_of_fastai": "of fastai",
        "times_faster": "times faster",
        "engine": "versions",
    },
    "memory": {
        "system": "system",
        "posters": "posters",
        "poster_size": "of",
        "peak_mb": "peak, MB",
        "growth_mb": "over the fewest, MB",
        "posters_per_s": "posters/s",
        "engine": "versions",
    },
}
"""Table -> key of a row -> heading. A * stands for the rest of a key: one column for each domain.
Files of figures have these keys and more."""

_NOT_ON_A_TERMINAL = {"poster_size", "pillow", "engine"}  # wide, and known to whoever runs it


def columns_of(table: str, rows: Rows) -> dict[str, str]:
    """Return the columns of a table, key -> heading, that have a value in some row.

    Args:
        table: A key of COLUMNS, or one with a suffix: "throughput-large" is a "throughput".
        rows: The rows, all with the same keys.
    """
    headings = COLUMNS.get(table) or COLUMNS[table.partition("-")[0]]
    columns: dict[str, str] = {}
    for pattern, heading in headings.items():
        stem, star, _ = pattern.partition("*")
        for key in rows[0] if rows else ():
            if key.startswith(stem) if star else key == stem:
                columns[key] = heading.replace("*", key.removeprefix(stem))
    return {
        key: heading
        for key, heading in columns.items()
        if any(row[key] not in (None, "") for row in rows)
    }


def cell(value: Any, digits: int) -> str:
    """Show a value, or a text as stored in a CSV file, in a table.

    Args:
        value: A number, a text, or None for an empty cell. Whole numbers and other text are shown
            in full.
        digits: Decimals of a number below 10. Larger numbers get fewer.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    if math.isnan(number):
        return ""
    if number.is_integer():
        return str(int(number)) if isinstance(value, float) else str(value)
    if abs(number) < 10 ** (1 - digits):
        return f"{number:.{digits - 2}g}"
    return f"{number:.{digits - (abs(number) >= 10) * 2 - (abs(number) >= 100)}f}"


def print_and_write(table: str, title: str, rows: Rows, csv_file: Path | None) -> None:
    """Print a table on stdout, and write its rows to a CSV file where one is named.

    Args:
        table: A key of COLUMNS.
        title: Printed above the table.
        rows: The rows, all with the same keys. The file has all keys, and in every row the
            processor, the date and the commit.
        csv_file: The file, or None.
    """
    origin = {"processor": processor(), "date": today(), "commit": commit(Path(__file__))}
    columns = columns_of(table, rows)
    columns = {key: text for key, text in columns.items() if key not in _NOT_ON_A_TERMINAL}
    printed = Table(title=title)
    for position, heading in enumerate(columns.values()):
        printed.add_column(heading, justify="left" if position == 0 else "right")
    for row in rows:
        printed.add_row(*(cell(row[key], digits=4) for key in columns))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 150)
    console.print(printed)
    console.print(", ".join(f"{key}: {value}" for key, value in origin.items()))
    if csv_file:
        write_csv(csv_file, [{**row, **origin} for row in rows])
