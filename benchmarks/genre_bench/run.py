"""The work behind genre-bench accuracy and parity."""

from pathlib import Path
from typing import Any

import click

from genre_train.checkpoint import read_document
from genre_train.dataset import Dataset
from genre_train.evaluate import write_csv

from .compare import accuracy_rows, parity_row
from .report import origin, print_table
from .systems import Answers, on_all_devices, original

_ACCURACY = {
    "system": "system",
    "domain": "domain",
    "macro_ap": "macro AP",
    "macro_auc": "macro AUC",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "genres": "genres",
    "accuracy_multi": "accuracy_multi (degenerate)",
}
_PARITY = {
    "system": "system",
    "largest": "largest",
    "percentile_99": "99th pct",
    "labels_agree": "labels agree",
    "labels_flipped_away_from_threshold": "flipped",
    "named_labels_kept": "named kept",
    "first_genre_kept": "first kept",
}


def run_accuracy(*, csv_file: Path | None, **question: Any) -> None:
    """Print and write the accuracy of all systems. question: see _ask. Raises GenreInferError."""
    reference, answers, missing, dataset = _ask(**question)
    rows = accuracy_rows([reference, *answers], dataset)
    title = f"Accuracy over {len(dataset.posters)} posters of {question['split']}"
    print_table(title, rows, _ACCURACY)
    _finish(rows, missing, csv_file)


def run_parity(*, csv_file: Path | None, **question: Any) -> None:
    """Print and write the distance of all systems from the original. question: see _ask. Raises
    GenreInferError."""
    reference, answers, missing, dataset = _ask(**question)
    rows = [parity_row(system, reference, dataset) for system in answers]
    changes = {k: k.replace("macro_ap_change_", "AP ± ") for k in rows[0] if "change" in k}
    title = f"Distance from the original over {len(dataset.posters)} posters of {question['split']}"
    print_table(title, rows, {**_PARITY, **changes})
    _finish(rows, missing, csv_file)


def _ask(
    models: tuple[Path, ...],
    checkpoint: Path,
    table: Path,
    posters: Path,
    split: str,
    devices: tuple[str, ...],
) -> tuple[Answers, list[Answers], list[str], Dataset]:
    """What the original and all models say of a split, a sentence for each device that is not
    there, and the posters."""
    reference, dataset = original(checkpoint, table, posters, split)
    click.echo(dataset.report(), err=True)
    sha256 = read_document(checkpoint)["weights"]["sha256"]
    answers, missing = on_all_devices(models, devices, dataset, sha256)
    return reference, answers, missing, dataset


def _finish(rows: list[dict[str, object]], missing: list[str], csv_file: Path | None) -> None:
    for sentence in missing:
        click.echo(sentence, err=True)
    if csv_file:
        where = origin()
        write_csv(csv_file, [{**row, **where} for row in rows])
