"""genre-train shortcut: does a model tell domains apart by the size and compression of their files?

Posters of one domain are rewritten with the other's size and JPEG quality, and measured beside the
original ones.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score

from genre_infer.errors import GenreInferError

from . import metrics
from .files import write_csv
from .intervals import RESAMPLES, interval, ranking, resample
from .predictions import Predictions, open_predictor, predict
from .provenance import commit, processor, today
from .robustness import changed_pixels, recompressed

COLUMNS = {
    "domain": "posters of",
    "size": "rewritten as",
    "quality": "JPEG quality",
    "genre": "genre",
    "support": "posters",
    "ap_before": "AP before",
    "ap_after": "AP after",
    "difference": "difference",
    "low": "95 % low",
    "high": "high",
    "largest_change": "largest change of probability",
    "mean_change": "mean change of probability",
}
"""Key in the rows -> heading, on a terminal and in the documents."""

FIGURES = ("ap_before", "ap_after", "difference", "largest_change", "mean_change")

ALL = "mean of genres"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """How posters of a domain are rewritten: squished to a size, and stored as JPEG.

    Attributes:
        domain: The posters' domain.
        size: Width and height, in pixels.
        quality: The JPEG quality, 1 to 100.
    """

    domain: str
    size: tuple[int, int]
    quality: int


REVERSE = Rewrite("kaggle", (300, 442), 90)  # as kgp's posters are


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
    """Rewrite and measure posters, print the tables, and write the CSV file if one is named.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used, or the
            domain has no poster in the split.
    """
    predictions, dataset = predict(model, table, posters, split=split, device=device)
    domains = sorted({str(name) for name in predictions.domains})
    if domain not in domains:
        raise GenreInferError(
            f"--domain {domain}: {table.name} has no poster of this domain in {split}; it has: "
            f"{', '.join(domains)}."
        )
    rewrites = [Rewrite(domain, size, quality)]
    if REVERSE.domain in domains and domain != REVERSE.domain:
        rewrites.append(REVERSE)
    rows = []
    with open_predictor(model, device) as predictor:
        for rewrite in rewrites:
            chosen = np.flatnonzero(predictions.domains == rewrite.domain)
            change = recompressed(rewrite.quality, rewrite.size)
            pixels = changed_pixels(dataset, chosen, change, f"{rewrite.domain} rewritten")
            after = predictor.probabilities(pixels)
            compared = compare(predictions, chosen, after, rewrite)
            _print(predictions, compared, rewrite, len(chosen))
            rows += compared
    if output:
        facts = {"model": predictions.model, "processor": processor()}
        facts |= {"date": today(), "commit": commit(Path(__file__))}
        write_csv(output, [{**row, **facts} for row in rows])


def compare(
    predictions: Predictions,
    chosen: NDArray[np.int64],
    after: NDArray[np.float32],
    rewrite: Rewrite,
) -> list[dict[str, Any]]:
    """Compare the predictions for posters before and after they were rewritten.

    Args:
        predictions: The predictions before.
        chosen: The positions of the rewritten posters.
        after: Their probabilities after, [chosen, genres].
        rewrite: How they were rewritten.

    Returns:
        A row for each supported genre, with average precision before and after, its difference,
        and the largest and the mean absolute change of probability. The last row has the means
        over these genres, changes over all of the model's genres, and the bootstrap interval (low,
        high) of the difference.
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
    changes = {"largest_change": float(change.max()), "mean_change": float(change.mean())}
    low, high = _difference_interval(
        predictions.imdb_ids[chosen], labels[:, columns], before[:, columns], after[:, columns]
    )
    total = {"genre": ALL, "support": len(labels), **mean, **changes, "low": low, "high": high}
    return [*rows, {**form, **total}]


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
    imdb_ids: NDArray[np.int64],
    labels: NDArray[np.bool_],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
) -> tuple[float, float]:
    if not labels.shape[1]:
        return np.nan, np.nan
    counts = resample(imdb_ids, RESAMPLES, 0)
    differences = [
        ranking(after[:, column], labels[:, column], counts)[0]
        - ranking(before[:, column], labels[:, column], counts)[0]
        for column in range(labels.shape[1])
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
    for name in ("support", *FIGURES):
        table.add_column(COLUMNS[name], justify="right")
    for row in rows:
        cells = [f"{row[name]:.4f}" for name in FIGURES]
        table.add_row(row["genre"], str(row["support"]), *cells)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140)
    console.print(table)
    console.print(
        f"95 % interval of the mean difference: {rows[-1]['low']:+.4f} to {rows[-1]['high']:+.4f}"
    )
