"""Does a model tell the domains by their files? Posters of one domain are written again with the
other's size and JPEG quality, and scored beside the untouched ones."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score

from genre_infer.cores import available_cores
from genre_infer.errors import GenreInferError
from genre_infer.posters import Pixels, load_poster, squish
from genre_infer.progress import progress

from . import metrics
from .dataset import Dataset
from .intervals import RESAMPLES, interval, ranking, resample
from .predictions import Predictions, predict, write_csv
from .provenance import processor, today
from .results import commit

FIGURES = ("ap_before", "ap_after", "difference", "largest_change", "mean_change")
ALL = "mean of genres"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Posters of `domain` are squished to size (width, height) and stored as JPEG of a quality."""

    domain: str
    size: tuple[int, int]
    quality: int


BACK = Rewrite("kaggle", (300, 442), 90)  # as kgp's posters are: the other direction


def run_shortcut(
    *,
    model: Path,
    table: Path,
    posters: Path,
    output: Path | None,
    size: tuple[int, int],
    quality: int,
    domain: str,
    split: str,
    device: str,
) -> None:
    """genre-train shortcut. Raises GenreInferError."""
    predictions, dataset = predict(model, table, posters, split=split, device=device)
    there = sorted({str(name) for name in predictions.domains})
    if domain not in there:
        raise GenreInferError(
            f"--domain {domain}: {table.name} has no poster of it in {split}; it has: "
            f"{', '.join(there)}."
        )
    rewrites = [Rewrite(domain, size, quality)]
    if BACK.domain in there and domain != BACK.domain:
        rewrites.append(BACK)
    rows = []
    for rewrite in rewrites:
        chosen = np.flatnonzero(predictions.domains == rewrite.domain)
        pixels = rewritten(dataset, chosen, rewrite)
        after = predict_pixels(model, pixels, device)
        part = compare(predictions, chosen, after, rewrite)
        _print(predictions, part, rewrite, len(chosen))
        rows += part
    if output:
        facts = {"model": predictions.model, "processor": processor()}
        facts |= {"date": today(), "commit": commit()}
        write_csv(output, [{**row, **facts} for row in rows])


def rewritten(dataset: Dataset, chosen: NDArray[np.int64], rewrite: Rewrite) -> Pixels:
    """Posters at the positions `chosen`, written as `rewrite` says, decoded and squished to the
    dataset's size: uint8 [chosen, height, width, 3]."""
    height, width = dataset.pixels.shape[1:3]

    def write(position: int) -> Pixels:
        picture = load_poster(dataset.folder / dataset.posters[position].name)
        smaller = Image.fromarray(squish(picture, *rewrite.size))
        file = BytesIO()
        smaller.save(file, "JPEG", quality=rewrite.quality)
        return squish(load_poster(file.getvalue()), width, height)

    with ThreadPoolExecutor(available_cores()) as pool:  # Pillow codes outside the interpreter lock
        parts = pool.map(write, chosen.tolist())
        return np.stack(list(progress(parts, len(chosen), "Rewriting posters")))


def predict_pixels(model: Path, pixels: Pixels, device: str) -> NDArray[np.float32]:
    """Probabilities float32 [posters, genres] of a checkpoint folder or an ONNX file for uint8
    [posters, height, width, 3] at its input size. Raises GenreInferError."""
    if model.is_dir():
        from .checkpoint import predict_logits, read_checkpoint
        from .learner import choose_device

        checkpoint = read_checkpoint(model)
        logits = predict_logits(checkpoint.network, pixels, choose_device(device))
        return checkpoint.probabilities(logits).astype(np.float32)
    from genre_infer import Classifier

    with Classifier(model, device=device) as classifier:
        batches = range(0, len(pixels), classifier.batch_size)
        parts = [classifier.predict(pixels[i : i + classifier.batch_size]) for i in batches]
    return np.concatenate(parts)


def compare(
    predictions: Predictions,
    chosen: NDArray[np.int64],
    after: NDArray[np.float32],
    rewrite: Rewrite,
) -> list[dict[str, Any]]:
    """One row for each supported genre and one for all: average precision before and after, their
    difference, and the largest and the mean |change| of probability.

    The row for all has the means over the genres, changes over all of the model's genres, and the
    difference's bootstrap interval (low, high).
    """
    before, labels = predictions.probabilities[chosen], predictions.labels[chosen]
    change = np.abs(after.astype(np.float64) - before)
    columns = metrics.supported(labels)
    form = {
        "domain": rewrite.domain,
        "size": f"{rewrite.size[0]}x{rewrite.size[1]}",
        "quality": rewrite.quality,
    }
    rows = [
        {
            **form,
            "genre": predictions.genres[column],
            "support": int(labels[:, column].sum()),
            **_figures(labels[:, column], before[:, column], after[:, column], change[:, column]),
            "low": np.nan,
            "high": np.nan,
        }
        for column in columns
    ]
    mean = {
        name: float(np.mean([row[name] for row in rows])) if rows else np.nan
        for name in ("ap_before", "ap_after", "difference")
    }
    low, high = _difference_interval(labels[:, columns], before[:, columns], after[:, columns])
    largest, usual = float(change.max()), float(change.mean())
    changes = {"largest_change": largest, "mean_change": usual, "low": low, "high": high}
    rows.append({**form, "genre": ALL, "support": len(labels), **mean, **changes})
    return rows


def _figures(
    truth: NDArray[np.bool_],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    change: NDArray[np.float64],
) -> dict[str, float]:
    first = float(average_precision_score(truth, before))
    second = float(average_precision_score(truth, after))
    values = (first, second, second - first, float(change.max()), float(change.mean()))
    return dict(zip(FIGURES, values, strict=True))


def _difference_interval(
    labels: NDArray[np.bool_], before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[float, float]:
    if not labels.shape[1]:
        return np.nan, np.nan
    counts = resample(len(labels), RESAMPLES, (0,))
    differences = [
        ranking(after[:, c], labels[:, c], counts)[0]
        - ranking(before[:, c], labels[:, c], counts)[0]
        for c in range(labels.shape[1])
    ]
    return interval(np.mean(differences, axis=0))


def _print(
    predictions: Predictions, rows: list[dict[str, Any]], rewrite: Rewrite, posters: int
) -> None:
    width, height = rewrite.size
    table = Table(
        title=f"{predictions.model}: {posters} posters of {rewrite.domain} as {width}x{height}, "
        f"JPEG quality {rewrite.quality}"
    )
    table.add_column("genre")
    for title in (
        "posters",
        "AP before",
        "AP after",
        "difference",
        "largest change",
        "mean change",
    ):
        table.add_column(title, justify="right")
    for row in rows:
        cells = [f"{row[name]:.4f}" for name in FIGURES]
        table.add_row(row["genre"], str(row["support"]), *cells)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140)
    console.print(table)
    console.print(
        f"95 % interval of the mean difference: {rows[-1]['low']:+.4f} to {rows[-1]['high']:+.4f}"
    )
