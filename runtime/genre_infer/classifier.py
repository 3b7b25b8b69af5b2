"""The public class: a model, opened once, that classifies posters."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from .cores import available_cores
from .engines import Engine, Request, open_engine
from .errors import GenreInferError
from .metadata import Metadata
from .model_file import read_model
from .onnx_file import read_metadata
from .pipeline import ordered_map
from .posters import Limits, Pixels, PosterError, Source, poster_pixels
from .results import GenreProbability, Result

BATCH_SIZE = 8  # larger ones gain nothing on a CPU and need more memory


class Classifier:
    """Names the genres of film posters.

    model: a file made by genre-export; None is the packaged model.
    device: "auto" (the first that runs of "cuda", "openvino", "cpu"), one of them, or "tensorrt".
    mode: the operating point, one of those in the model's metadata ("balanced").
    threshold: one probability (0 to 1) in place of every genre's own.
    top: at most this many genres a poster.
    threads: cores to use; None is all that this process may use, by its CPU affinity and its
        container's quota.
    batch_size: posters a batch. timeout: seconds for reading and decoding one of classify_many's
        posters; None: no end.
    limits: what is refused before it is decoded.
    exact: decode large JPEGs in full, as training did, and not at a fraction of their size that is
        at least twice the model's.

    Raises ModelError for a model that cannot be used, DeviceError for a device that is not there.
    All methods may be called from many threads.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        mode: str = "balanced",
        threshold: float | None = None,
        top: int | None = None,
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
        timeout: float | None = None,
        limits: Limits | None = None,
        exact: bool = False,
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold is a probability from 0 to 1, not {threshold}")
        if batch_size < 1 or (top is not None and top < 1) or (threads is not None and threads < 1):
            raise ValueError("batch_size, top and threads are at least 1")
        data, self.sha256 = read_model(Path(model) if model is not None else None)
        self.metadata: Metadata = read_metadata(data)
        if mode not in self.metadata.thresholds:
            modes = ", ".join(self.metadata.thresholds)
            raise GenreInferError(f"The model has no mode {mode!r}; it has: {modes}.")
        self.mode = mode
        self.top = top
        self.batch_size = batch_size
        self._timeout = timeout
        self._limits = limits or Limits()
        self._exact = exact
        self.threads = threads or available_cores()
        own = self.metadata.thresholds[mode]
        self.thresholds: dict[str, float | None] = {
            genre: own[genre] if threshold is None else threshold for genre in self.genres
        }
        size = (self.metadata.height, self.metadata.width)
        engine, self.skipped = open_engine(Request(data, size, self.threads, batch_size), device)
        self._opened: Engine | None = engine

    @property
    def genres(self) -> tuple[str, ...]:
        """The model's genres, in the order of predict's columns."""
        return self.metadata.genres

    @property
    def device(self) -> str:
        """The device in use: "cpu", "openvino", "cuda" or "tensorrt"."""
        return self._engine.device

    @property
    def provider(self) -> str:
        """The execution provider in use, as the engine itself names it."""
        return self._engine.provider

    def classify(self, source: Source) -> Result:
        """Classify one poster: a path, a file's bytes, a PIL image, or uint8 [height, width, 3] in
        RGB. A poster that cannot be used gives a Result with another status than "ok".

        Raises TypeError for a source of another type.
        """
        try:
            pixels = self._decode(source)
        except PosterError as error:
            return _failed(source, error)
        return self._result(source, self.predict(pixels[None])[0])

    def classify_many(self, sources: Iterable[Source]) -> Iterator[Result]:
        """Classify posters lazily: one Result for each source, in order.

        Decoding runs ahead in threads, by a few batches and no more, whatever the number of
        sources. Closing the generator, or leaving its loop, stops the threads.
        """
        decoded = ordered_map(
            self._decode,
            sources,
            workers=self.threads,
            ahead=2 * self.batch_size + self.threads,
            timeout=self._timeout,
        )
        while group := list(islice(decoded, self.batch_size)):
            yield from self._classify_group(group)

    def predict(self, batch: Pixels) -> NDArray[np.float32]:
        """Probabilities, float32 [N, genres], 0 to 1, for uint8 [N, height, width, 3] in RGB, of
        any height and width: the model resizes by itself. Raises TypeError for another array."""
        if (
            batch.dtype != np.uint8
            or batch.ndim != 4
            or batch.shape[3] != 3
            or 0 in batch.shape[1:]
        ):
            raise TypeError(
                "a batch is uint8 [N, height, width, 3] in RGB, "
                f"not {batch.dtype} {list(batch.shape)}"
            )
        if len(batch) == 0:
            return np.empty((0, len(self.genres)), np.float32)
        return self._engine.run(batch)

    def close(self) -> None:
        """Let go of the model. The classifier cannot be used afterwards."""
        self._opened = None

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            raise GenreInferError("The classifier is closed.")
        return self._opened

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _decode(self, source: Source) -> Pixels:
        width, height = self.metadata.width, self.metadata.height
        return poster_pixels(source, width, height, self._limits, draft=not self._exact)

    def _classify_group(self, group: list[tuple[Source, Pixels | Exception]]) -> Iterator[Result]:
        good = [outcome for _, outcome in group if not isinstance(outcome, Exception)]
        rows = iter(self._predict_padded(good))
        for source, outcome in group:
            if not isinstance(outcome, Exception):
                yield self._result(source, next(rows))
            elif isinstance(outcome, TimeoutError):
                message = f"Reading took longer than {self._timeout:g} seconds (--timeout)."
                yield _failed(source, PosterError("timeout", message))
            elif isinstance(outcome, PosterError):
                yield _failed(source, outcome)
            else:
                raise outcome

    def _predict_padded(self, posters: list[Pixels]) -> NDArray[np.float32]:
        """Batches of one shape: engines plan anew for each further one, and a poster's
        probabilities must not hang on how many others came with it."""
        if not posters:
            return np.empty((0, len(self.genres)), np.float32)
        batch = np.zeros((self.batch_size, *posters[0].shape), np.uint8)
        for position, pixels in enumerate(posters):
            batch[position] = pixels
        return self._engine.run(batch)[: len(posters)]

    def _result(self, source: Source, probabilities: NDArray[np.float32]) -> Result:
        scores = {
            genre: float(value) for genre, value in zip(self.genres, probabilities, strict=True)
        }
        named = [
            GenreProbability(genre, score)
            for genre, score in scores.items()
            if (threshold := self.thresholds[genre]) is not None and score >= threshold
        ]
        named.sort(key=lambda one: -one.probability)
        return Result(_path(source), "ok", tuple(named[: self.top]), scores, None)


def _failed(source: Source, error: PosterError) -> Result:
    return Result(_path(source), error.status, (), None, str(error))


def _path(source: Source) -> str | None:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None
