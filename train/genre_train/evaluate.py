"""genre-train evaluate: a model's measures on a split, as a table and as files."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from . import metrics
from .files import write_csv
from .predictions import Predictions, left_out_genres, predict, score_rows


def run_evaluate(
    *,
    model: Path,
    table: Path,
    posters: Path,
    split: str,
    csv_file: Path | None,
    predictions: Path | None,
    domains: tuple[str, ...],
    device: str,
) -> None:
    """Measure a model, print the table, and write the files that were asked for.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used.
    """
    predicted, dataset = predict(model, table, posters, split=split, domains=domains, device=device)
    click.echo(dataset.report(), err=True)
    rows = score_rows(predicted)
    _print_scores(predicted, rows, split)
    if csv_file:
        write_csv(csv_file, rows)
    if predictions:
        predicted.save(predictions)


def _print_scores(predicted: Predictions, rows: list[dict[str, Any]], split: str) -> None:
    table = Table(title=f"{predicted.model}: {len(predicted.labels)} posters of {split}")
    table.add_column("system")
    table.add_column("domain")
    for title in metrics.TITLES.values():
        table.add_column(title, justify="right")
    for row in rows:
        cells = [f"{row[name]:.4f}" for name in metrics.TITLES]
        table.add_row(row["system"], row["domain"], *cells)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for domain, genres in left_out_genres(predicted).items():
        kept = len(predicted.genres) - len(genres)
        console.print(
            f"{domain}: macro measures over {kept} genres; with fewer than "
            f"{metrics.FEWEST_POSTERS} posters, left out: {', '.join(genres) or 'none'}"
        )
