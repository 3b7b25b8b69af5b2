"""fit --labels first: a classifier of each film's first genre, and its confusion matrix."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import nn

from .checkpoint import predict_logits
from .dataset import Dataset, vocabulary
from .files import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def first_genre_only(dataset: Dataset, min_posters: int) -> Dataset:
    """Return the single-label view of a dataset: each poster has only its row's first genre.

    Posters whose first genre has fewer than min_posters train posters are left out and counted.
    """
    firsts = [replace(poster, genres=poster.genres[:1]) for poster in dataset.posters]
    genres, rare = vocabulary(firsts, min_posters)
    kept = [i for i, poster in enumerate(firsts) if poster.genres[0] in genres]
    left_out = Counter(dataset.left_out)
    left_out["rare first genre"] += len(firsts) - len(kept)
    return replace(
        dataset,
        posters=[firsts[i] for i in kept],
        pixels=dataset.pixels[kept],
        genres=genres,
        left_out=+left_out,
        rare_genres=rare,
    )


def measure_first_genre(
    folder: Path, network: nn.Module, document: dict[str, Any], dataset: Dataset, device: str
) -> None:
    """Measure a first-genre classifier on the test posters, or valid if there are none.

    Writes confusion.csv and confusion.png into the folder, and the measures into the document.
    """
    split = "test" if len(dataset.indices("test")) else "valid"
    chosen = dataset.indices(split)
    actual = dataset.labels()[chosen].argmax(axis=1)
    predicted = predict_logits(network, dataset.pixels[chosen], device).argmax(axis=1)
    write_csv(folder / "confusion.csv", _confusion_rows(actual, predicted, dataset.genres))
    confusion_picture(actual, predicted, dataset.genres, folder / "confusion.png")
    measures = _measures(actual, predicted, dataset.genres)
    for name, value in measures.items():
        click.echo(f"{name}: {value}", err=True)
    document["metrics"][split] = measures


def _confusion_rows(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], genres: list[str]
) -> list[dict[str, Any]]:
    """Count posters: one row per actual genre, one column per predicted genre."""
    matrix = confusion_matrix(actual, predicted, labels=range(len(genres)))
    return [
        {"actual": genre, **dict(zip(genres, map(int, counts), strict=True))}
        for genre, counts in zip(genres, matrix, strict=True)
    ]


def confusion_picture(
    actual: NDArray[np.integer], predicted: NDArray[np.integer], genres: list[str], path: Path
) -> "Figure":
    """Draw a confusion matrix: the share of a row's posters that is predicted as the column.

    Args:
        actual: The positions of the actual genres, [posters].
        predicted: The positions of the predicted genres, [posters].
        genres: The names of the genres.
        path: The PNG file to write.
    """
    from .pictures import draw_matrix, new_figure, save  # matplotlib is slow to import

    matrix = confusion_matrix(actual, predicted, labels=range(len(genres))).astype(np.float64)
    support = matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = matrix / support[:, None]
    figure = new_figure(10, 8.4)
    panel = figure.subplots()
    image = draw_matrix(panel, shares, genres, fontsize=9)
    panel.set_yticklabels([f"{g} ({n:.0f})" for g, n in zip(genres, support, strict=True)])
    panel.set(xlabel="predicted", ylabel="actual (posters)")
    figure.colorbar(image, ax=panel, shrink=0.6, label="share of the row's posters")
    for row, column in np.argwhere(shares >= 0.005):
        value = shares[row, column]
        colour = "white" if value > 0.55 else "black"
        text = f"{100 * value:.0f}"
        panel.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    return save(figure, path)


def _measures(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], genres: list[str]
) -> dict[str, Any]:
    """Compute accuracy, beside that of always naming the most frequent genre, and shares of genres.

    If few genres are ever predicted, and two of them have a large share, training has collapsed.
    """
    shares = np.bincount(predicted, minlength=len(genres)) / len(predicted)
    largest = np.argsort(-shares, kind="stable")[:2]
    most_frequent = np.bincount(actual).max() / len(actual)
    return {
        "posters": len(actual),
        "accuracy": round(float((actual == predicted).mean()), 5),
        "accuracy of the most frequent genre": round(float(most_frequent), 5),
        "genres ever predicted": int((shares > 0).sum()),
        "share of the two most predicted": {genres[i]: round(float(shares[i]), 5) for i in largest},
    }
