"""The work behind genre-bench accuracy and parity."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from genre_export.model import make_model
from genre_train.checkpoint import read_checkpoint
from genre_train.dataset import Dataset

from .compare import accuracy_rows, parity_row
from .sizes import OtherSizes
from .systems import Answers, Models, answers, on_all_devices, original, refuse_others
from .tables import print_table, say, write_figures

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


_SIZES = {
    "system": "system",
    "size": "size of the picture",
    "shrunk_by": "resized by",
    "largest": "largest",
    "percentile_99": "99th pct",
    "mean": "mean",
    "met": "bound met",
}


def run_accuracy(
    *, models: Models, csv_file: Path | None, devices: tuple[str, ...], **question: Any
) -> None:
    """Print and write the accuracy of all systems. question: see _ask. Raises GenreInferError."""
    missing: list[str] = []
    models = models or (None,)
    reference, dataset = _ask(models, **question)
    systems = [answers(c, dataset) for c in on_all_devices(models, devices, missing)]
    rows = accuracy_rows([reference, *systems], dataset)
    title = f"Accuracy over {len(dataset.posters)} posters of {question['split']}"
    print_table(title, rows, _ACCURACY)
    write_figures(rows, csv_file)
    say(missing)


def run_parity(
    *,
    models: Models,
    checkpoint: Path,
    csv_file: Path | None,
    sizes_file: Path | None,
    devices: tuple[str, ...],
    **question: Any,
) -> None:
    """Print and write the distance of all systems from the original, at the input size and at
    others. Without models: of the packaged one, and of float32 and float16 files of the checkpoint.
    question: see _ask. Raises GenreInferError."""
    rows: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    missing: list[str] = []
    with ExitStack() as stack:
        if not models:
            refuse_others((None,), checkpoint)
            models = (None, *stack.enter_context(float_files(checkpoint)))
        reference, dataset = _ask(models, checkpoint=checkpoint, **question)
        others = OtherSizes(checkpoint, dataset)
        for classifier in on_all_devices(models, devices, missing):
            rows.append(parity_row(answers(classifier, dataset), reference, dataset))
            sizes += others.rows(classifier)
    changes = {k: k.replace("macro_ap_change_", "AP ± ") for k in rows[0] if "change" in k}
    title = f"Distance from the original over {len(dataset.posters)} posters of {question['split']}"
    print_table(title, rows, {**_PARITY, **changes, "met": "bound met"})
    say(f"{row['system']} misses: {row['missed']}" for row in rows if row["missed"])
    print_table(f"The same at other sizes, over {others.posters} of them", sizes, _SIZES)
    say(f"{r['system']}, {r['size']}, misses: {r['missed']}" for r in sizes if r["missed"])
    write_figures(rows, csv_file)
    write_figures(sizes, sizes_file)
    say(missing)


@contextmanager
def float_files(checkpoint: Path) -> Iterator[tuple[Path, ...]]:
    """Files of a checkpoint in float32 and float16, in a folder that goes away."""
    source = read_checkpoint(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        paths = tuple(Path(folder) / f"{name}.onnx" for name in ("float32", "float16"))
        for path in paths:
            path.write_bytes(make_model(source, path.stem).data)
        yield paths


def _ask(
    models: Models, checkpoint: Path, table: Path, posters: Path, split: str
) -> tuple[Answers, Dataset]:
    """What the original says of a split, and the posters; every model must be made from it."""
    refuse_others(models, checkpoint)
    reference, dataset = original(checkpoint, table, posters, split)
    click.echo(dataset.report(), err=True)
    return reference, dataset
