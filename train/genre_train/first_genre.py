"""fit --labels first: a classifier of each film's first genre, and its confusion matrix."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import nn

from .checkpoint import predict_logits
from .dataset import Dataset, vocabulary
from .files import write_csv


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
    from .pictures import confusion_picture  # matplotlib is slow to import

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
