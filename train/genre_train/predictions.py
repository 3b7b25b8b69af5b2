"""Any checkpoint or exported model, measured on a split."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_infer.errors import GenreInferError

from . import metrics
from .dataset import Dataset, load_dataset
from .files import write_whole


@dataclass
class Predictions:
    """What a model says of a split; enough to remake every table and picture.

    probabilities: float32 [posters, genres]. labels: bool, same shape. thresholds: mode ->
    [genres], infinity where a genre is never named. model: a line about the model and its engine.
    """

    model: str
    genres: list[str]
    imdb_ids: NDArray[np.int64]
    domains: NDArray[np.str_]
    labels: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    thresholds: dict[str, NDArray[np.float64]]

    def save(self, path: Path) -> None:
        """Write an npz without pickles."""
        modes = {f"thresholds.{mode}": row for mode, row in self.thresholds.items()}
        file = io.BytesIO()  # to a name without .npz, numpy would add it
        np.savez_compressed(
            file,
            model=np.array(self.model),
            genres=np.array(self.genres),
            imdb_ids=self.imdb_ids,
            domains=self.domains,
            labels=np.packbits(self.labels, axis=1),
            probabilities=self.probabilities.astype(np.float32),
            **modes,  # type: ignore[arg-type]
        )
        write_whole(path, file.getvalue())

    def only(self, genres: list[str]) -> "Predictions":
        """The same for some of the genres, in the order given."""
        columns = [self.genres.index(genre) for genre in genres]
        return replace(
            self,
            genres=genres,
            labels=self.labels[:, columns],
            probabilities=self.probabilities[:, columns],
            thresholds={mode: row[columns] for mode, row in self.thresholds.items()},
        )

    @staticmethod
    def load(path: Path) -> "Predictions":
        """Read what save() wrote. Raises GenreInferError."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                genres = [str(genre) for genre in stored["genres"]]
                return Predictions(
                    model=str(stored["model"]),
                    genres=genres,
                    imdb_ids=stored["imdb_ids"],
                    domains=stored["domains"],
                    labels=np.unpackbits(stored["labels"], axis=1, count=len(genres)).astype(bool),
                    probabilities=stored["probabilities"],
                    thresholds={
                        name.removeprefix("thresholds."): stored[name]
                        for name in stored.files
                        if name.startswith("thresholds.")
                    },
                )
        except (OSError, ValueError, KeyError) as error:
            raise GenreInferError(
                f"{path} holds no stored predictions (genre-train evaluate writes them): {error}"
            ) from None


def predict(
    model: Path,
    table: Path,
    posters: Path,
    *,
    split: str = "test",
    domains: tuple[str, ...] = (),
    device: str = "auto",
) -> tuple[Predictions, Dataset]:
    """Predict a split with a checkpoint folder (in PyTorch) or an exported ONNX file (through the
    runtime). Posters are decoded by the same function for both.

    A table without a column 'split' is split as it was for the model's training. Raises
    GenreInferError.
    """
    if model.is_dir():
        return predict_checkpoint(
            model, table, posters, split=split, domains=domains, device=device
        )
    from genre_infer import Classifier

    with Classifier(model, device=device) as classifier:
        genres = list(classifier.genres)
        size = (classifier.metadata.width, classifier.metadata.height)
        seed = int(classifier.metadata.details.get("split_seed", 0))
        dataset = _load(table, posters, size, split, domains, seed, genres)
        batches = (dataset.pixels[i : i + 8] for i in range(0, len(dataset.pixels), 8))
        probabilities = np.concatenate([classifier.predict(batch) for batch in batches])
        name = f"{classifier.metadata.name} {classifier.metadata.version}"
        name += f", {classifier.metadata.precision}, {classifier.provider}"
        thresholds = {mode: dict(row) for mode, row in classifier.metadata.thresholds.items()}
    return _predictions(name, dataset, probabilities, thresholds), dataset


def predict_checkpoint(
    folder: Path,
    table: Path,
    posters: Path,
    *,
    split: str = "test",
    domains: tuple[str, ...] = (),
    device: str = "auto",
) -> tuple[Predictions, Dataset]:
    """predict() of a checkpoint folder. device: 'auto', 'cpu' or 'cuda'. Raises GenreInferError."""
    from .checkpoint import predict_logits, read_checkpoint
    from .learner import choose_device

    device = choose_device(device)
    checkpoint = read_checkpoint(folder)
    checkpoint.require_multi_label()
    document = checkpoint.document
    seed = document["arguments"]["seed"]
    dataset = _load(table, posters, checkpoint.size, split, domains, seed, checkpoint.genres)
    logits = predict_logits(checkpoint.network, dataset.pixels, device)
    probabilities = checkpoint.probabilities(logits).astype(np.float32)
    name = f"{document['name']} {document['version']}, checkpoint in float32, PyTorch"
    return _predictions(name, dataset, probabilities, document["thresholds"]), dataset


def _load(
    table: Path,
    posters: Path,
    size: tuple[int, int],
    split: str,
    domains: tuple[str, ...],
    seed: int,
    genres: list[str],
) -> Dataset:
    return load_dataset(
        table, posters, size, seed=seed, domains=domains, splits=(split,), genres=genres
    )


def _predictions(
    model: str,
    dataset: Dataset,
    probabilities: NDArray[np.float32],
    thresholds: dict[str, dict[str, float | None]],
) -> Predictions:
    return Predictions(
        model=model,
        genres=dataset.genres,
        imdb_ids=np.array([poster.imdb_id for poster in dataset.posters]),
        domains=dataset.domains(),
        labels=dataset.labels(),
        probabilities=probabilities,
        thresholds={
            mode: metrics.threshold_row(row, dataset.genres) for mode, row in thresholds.items()
        },
    )


def score_rows(predictions: Predictions, mode: str = "balanced") -> list[dict[str, Any]]:
    """The model's measures per domain, their mean and pooled, and those of the four constant
    baselines: one row per system and domain."""
    p = predictions
    systems = {"model": (p.probabilities, p.thresholds[mode])}
    half = np.full(len(p.genres), 0.5)
    for name, answer in metrics.constant_baselines(p.genres, len(p.labels)).items():
        systems[name] = (answer, half)
    return [
        {"system": name, "domain": domain, **row}
        for name, (probabilities, thresholds) in systems.items()
        for domain, row in metrics.by_domain(probabilities, p.labels, p.domains, thresholds).items()
    ]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows of one kind as CSV, figures with six digits."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_whole(path, file.getvalue())


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if np.isnan(value) else f"{value:.6g}"


def left_out_genres(predictions: Predictions) -> dict[str, list[str]]:
    """domain -> the genres with too few posters there to count in its macro averages."""
    p = predictions
    return {
        str(domain): [
            genre
            for column, genre in enumerate(p.genres)
            if column not in metrics.supported(p.labels[p.domains == domain])
        ]
        for domain in np.unique(p.domains)
    }


COLUMNS: Iterable[tuple[str, str]] = (
    ("macro_ap", "macro AP"),
    ("macro_auc", "macro AUC"),
    ("macro_f1", "macro F1"),
    ("micro_f1", "micro F1"),
    ("calibration_error", "calibration error"),
    ("accuracy_multi", "accuracy_multi (degenerate)"),
)
