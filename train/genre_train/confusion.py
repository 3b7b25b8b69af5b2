"""What the single-label classifier says instead: its confusion matrix, as CSV and as a picture."""

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import nn

from .checkpoint import predict_logits
from .dataset import Dataset
from .predictions import write_csv


def write_confusion(
    folder: Path, network: nn.Module, dataset: Dataset, split: str, device: str
) -> dict[str, Any]:
    """Measure the network of `fit --labels first` on a split: writes confusion.csv and
    confusion.png into its folder, and returns accuracy and shares."""
    from .pictures import confusion_picture

    chosen = dataset.indices(split)
    actual = dataset.labels()[chosen].argmax(axis=1)
    predicted = predict_logits(network, dataset.pixels[chosen], device).argmax(axis=1)
    rows = confusion_rows(actual, predicted, dataset.genres)
    write_csv(folder / "confusion.csv", rows)
    confusion_picture(actual, predicted, dataset.genres, folder / "confusion.png")
    measures = first_genre_measures(actual, predicted, dataset.genres)
    for name, value in measures.items():
        click.echo(f"{name}: {value}", err=True)
    return measures


def confusion_rows(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], genres: list[str]
) -> list[dict[str, Any]]:
    """One row per actual genre, one column per predicted genre: counts of posters."""
    matrix = confusion_matrix(actual, predicted, labels=range(len(genres)))
    return [
        {"actual": genre, **dict(zip(genres, map(int, counts), strict=True))}
        for genre, counts in zip(genres, matrix, strict=True)
    ]


def first_genre_measures(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], genres: list[str]
) -> dict[str, Any]:
    """Accuracy beside always naming the most frequent genre, and the predicted genres' shares: the
    collapse in two numbers."""
    shares = np.bincount(predicted, minlength=len(genres)) / len(predicted)
    largest = np.argsort(-shares, kind="stable")[:2]
    return {
        "posters": len(actual),
        "accuracy": round(float((actual == predicted).mean()), 5),
        "accuracy of the most frequent genre": round(
            float(np.bincount(actual).max() / len(actual)), 5
        ),
        "genres ever predicted": int((shares > 0).sum()),
        "share of the two most predicted": {genres[i]: round(float(shares[i]), 5) for i in largest},
    }
