"""A model's predictions for a split: computed by a checkpoint or an exported file, and stored."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_infer.errors import GenreInferError
from genre_infer.posters import Pixels

from . import metrics
from .dataset import Dataset, load_dataset
from .files import write_whole

BATCH_SIZE = 8  # for an exported file


@dataclass
class Predictions:
    """What a model predicts for a split: enough to remake every table and picture.

    Attributes:
        model: A line about the model and its engine.
        genres: The names of the columns.
        imdb_ids: int64 [posters].
        domains: str [posters].
        labels: bool [posters, genres].
        probabilities: float32 [posters, genres].
        thresholds: Mode -> float64 [genres], infinity for a genre that is never named.
    """

    model: str
    genres: list[str]
    imdb_ids: NDArray[np.int64]
    domains: NDArray[np.str_]
    labels: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    thresholds: dict[str, NDArray[np.float64]]

    def save(self, path: Path) -> None:
        """Write an npz file without pickles."""
        modes = {f"thresholds.{mode}": row for mode, row in self.thresholds.items()}
        file = io.BytesIO()  # numpy would add .npz to a path without it
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
        """Return the predictions for some of the genres, in the given order."""
        columns = [self.genres.index(genre) for genre in genres]
        return replace(
            self,
            genres=genres,
            labels=self.labels[:, columns],
            probabilities=self.probabilities[:, columns],
            thresholds={mode: row[columns] for mode, row in self.thresholds.items()},
        )

    def of(self, posters: NDArray[np.int64]) -> "Predictions":
        """Return the predictions for the posters at these positions."""
        return replace(
            self,
            imdb_ids=self.imdb_ids[posters],
            domains=self.domains[posters],
            labels=self.labels[posters],
            probabilities=self.probabilities[posters],
        )

    @staticmethod
    def load(path: Path) -> "Predictions":
        """Read what save() wrote.

        Raises:
            GenreInferError: The file holds something else.
        """
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
                f"{path} holds no stored predictions (genre-train evaluate --predictions writes "
                f"them): {error}"
            ) from None


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to predict.

    Attributes:
        name: A line about the model and its engine.
        genres: The names of its outputs.
        size: Width and height of its input, in pixels.
        split_seed: The seed of its training's split, for tables without a column 'split'.
        thresholds: Mode -> genre -> threshold, None for a genre that is never named.
        probabilities: uint8 [posters, height, width, 3] -> float32 [posters, genres].
    """

    name: str
    genres: list[str]
    size: tuple[int, int]
    split_seed: int
    thresholds: dict[str, dict[str, float | None]]
    probabilities: Callable[[Pixels], NDArray[np.float32]]


@contextmanager
def open_predictor(model: Path, device: str) -> Iterator[Predictor]:
    """Open a checkpoint folder (in PyTorch) or an exported ONNX file (in the runtime).

    Args:
        model: The folder or the file.
        device: 'auto', 'cpu' or 'cuda'; for a file also 'openvino'.

    Raises:
        GenreInferError: The model or the device cannot be used.
    """
    if model.is_dir():
        yield _open_checkpoint(model, device)
        return
    from genre_infer import Classifier

    with Classifier(model, device=device) as classifier:
        metadata = classifier.metadata

        def probabilities(pixels: Pixels) -> NDArray[np.float32]:
            batches = range(0, len(pixels), BATCH_SIZE)
            return np.concatenate([classifier.predict(pixels[i : i + BATCH_SIZE]) for i in batches])

        yield Predictor(
            name=f"{metadata.name} {metadata.version}, {metadata.precision}, {classifier.provider}",
            genres=list(classifier.genres),
            size=(metadata.width, metadata.height),
            split_seed=int(metadata.details.get("split_seed", 0)),
            thresholds={mode: dict(row) for mode, row in metadata.thresholds.items()},
            probabilities=probabilities,
        )


def _open_checkpoint(folder: Path, device: str) -> Predictor:
    # Imported here, because exported files need no PyTorch.
    from .checkpoint import predict_logits, read_checkpoint
    from .learner import choose_device

    device = choose_device(device)
    checkpoint = read_checkpoint(folder)
    checkpoint.require_multi_label()

    def probabilities(pixels: Pixels) -> NDArray[np.float32]:
        logits = predict_logits(checkpoint.network, pixels, device)
        return checkpoint.probabilities(logits).astype(np.float32)

    document = checkpoint.document
    return Predictor(
        name=f"{document['name']} {document['version']}, checkpoint in float32, PyTorch",
        genres=checkpoint.genres,
        size=checkpoint.size,
        split_seed=document["arguments"]["seed"],
        thresholds=document["thresholds"],
        probabilities=probabilities,
    )


def predict(
    model: Path,
    table: Path,
    posters: Path,
    *,
    split: str = "test",
    domains: tuple[str, ...] = (),
    device: str = "auto",
) -> tuple[Predictions, Dataset]:
    """Predict the posters of a split. The runtime's own function decodes them for every model.

    Args:
        model: A checkpoint folder or an exported ONNX file.
        table: The table of films. Without a column 'split', it is split as for the model's
            training.
        posters: The posters' folder.
        split: The split to predict.
        domains: If given, only posters of these domains are used.
        device: 'auto', 'cpu' or 'cuda'; for a file also 'openvino'.

    Returns:
        The predictions, and the posters that they are for.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used.
    """
    with open_predictor(model, device) as predictor:
        dataset = load_dataset(
            table,
            posters,
            predictor.size,
            seed=predictor.split_seed,
            domains=domains,
            splits=(split,),
            genres=predictor.genres,
        )
        predictions = Predictions(
            model=predictor.name,
            genres=dataset.genres,
            imdb_ids=np.array([poster.imdb_id for poster in dataset.posters]),
            domains=dataset.domains(),
            labels=dataset.labels(),
            probabilities=predictor.probabilities(dataset.pixels),
            thresholds={
                mode: metrics.threshold_row(row, dataset.genres)
                for mode, row in predictor.thresholds.items()
            },
        )
    return predictions, dataset


def score_rows(predictions: Predictions, mode: str = "balanced") -> list[dict[str, Any]]:
    """Measure the model and the four constant baselines.

    Args:
        predictions: The model's predictions.
        mode: The mode of the model's thresholds.

    Returns:
        One row per system and domain, where the mean of domains and pooled count as domains.
    """
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


def left_out_genres(predictions: Predictions) -> dict[str, list[str]]:
    """Return domain -> the genres with too few posters there to count in its macro averages."""
    p = predictions
    return {
        str(domain): [
            genre
            for column, genre in enumerate(p.genres)
            if column not in metrics.supported(p.labels[p.domains == domain])
        ]
        for domain in np.unique(p.domains)
    }
