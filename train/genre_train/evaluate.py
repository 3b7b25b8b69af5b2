"""The work behind genre-train evaluate: a model on a split, as a table for people and as files."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from . import metrics
from . import predictions as evaluation


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
    """genre-train evaluate. Raises GenreInferError."""
    predicted, dataset = evaluation.predict(
        model, table, posters, split=split, domains=domains, device=device
    )
    click.echo(dataset.report(), err=True)
    rows = evaluation.score_rows(predicted)
    print_scores(predicted, rows, split)
    if csv_file:
        evaluation.write_csv(csv_file, rows)
    if predictions:
        predicted.save(predictions)


def print_scores(predicted: evaluation.Predictions, rows: list[dict[str, Any]], split: str) -> None:
    """The measures as a table on stdout, and what is left out of them."""
    table = Table(title=f"{predicted.model}: {len(predicted.labels)} posters of {split}")
    table.add_column("system")
    table.add_column("domain")
    for _, title in evaluation.COLUMNS:
        table.add_column(title, justify="right")
    for row in rows:
        cells = [f"{row[name]:.4f}" for name, _ in evaluation.COLUMNS]
        table.add_row(row["system"], row["domain"], *cells)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for domain, genres in evaluation.left_out_genres(predicted).items():
        kept = len(predicted.genres) - len(genres)
        console.print(
            f"{domain}: macro measures over {kept} genres; with fewer than "
            f"{metrics.FEWEST_POSTERS} posters, left out: {', '.join(genres) or 'none'}"
        )
