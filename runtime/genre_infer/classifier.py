"""The public class: a model, opened once, that classifies posters."""

import os
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from .cores import available_cores
from .decoder import Decoder
from .engines import GPUS, CheckedEngine, Engine, Probabilities, Request, open_engine
from .errors import GenreInferError
from .limits import Limits, PosterError
from .metadata import Metadata
from .model_file import load_model
from .pipeline import classified
from .posters import Pixels, Source, poster_pixels
from .result import GenreProbability, Result

DECODERS = ("auto", "threads", "processes")

# Beside a GPU, more decoding threads than this hold each other up by Python's interpreter lock.
_THREADS_OF_ONE_INTERPRETER = 4
_MOST_ABANDONED = 2  # threads that are left behind, in one run


class Classifier:
    """Names the genres of film posters. All methods may be called from many threads.

    Args:
        model: A file made by genre-export, the name of an installed model, or a file's bytes; None
            is the packaged model.
        sha256: The hash, in hexadecimal digits, that the model's bytes must have. The one in
            MODEL.sha256 beside a file, where there is one, is always checked.
        require_hash: Refuse a model whose hash was not given and is not in MODEL.sha256.
        device: "cpu", "openvino", "cuda", "tensorrt", or "auto": the first of "cuda", "openvino"
            and "cpu" that works.
        mode: The operating point, one of those in the model's metadata.
        threshold: One probability (0 to 1) in place of every genre's own threshold.
        top: At most this many genres per poster.
        threads: Cores to use; None is all that CPU affinity and a container's quota allow.
        batch_size: Posters in a batch of classify_many; None is what suits the device.
        timeout: Seconds for reading and decoding one poster of classify_many; None is no limit.
        decoders: How classify_many decodes files: in "threads"; in "processes", one for each
            thread, which can be ended when a decoder crashes or exceeds the time limit; or "auto":
            in processes beside a GPU if there are more than 4 threads.
        limits: What is refused before it is decoded.
        exact: Decode large JPEGs in full, as in training; otherwise at a fraction of their size
            that is at least twice the model's.
        expected_posters: How many posters are expected, if known. For 1 the batch size is 1 and
            "auto" decodes in threads, which opens soonest and needs the least memory.

    Attributes:
        genres: The model's genres, in the order of predict's columns.
        thresholds: Each genre's threshold, or None for a genre that is never named.
        metadata: What the model says about itself.
        sha256: The hash of the model's bytes.
        vouched: Whether this hash was given, is in MODEL.sha256, or is the packaged model's.
        device: The device in use: "cpu", "openvino", "cuda" or "tensorrt".
        provider: The execution provider in use, as the engine itself names it.
        batch_size: Posters in a batch of classify_many.
        lanes: How many batches the engine computes at once without one waiting for another.
        decoders: How classify_many decodes files: "threads" or "processes".
        skipped: A sentence for each faster way that was tried and does not work here.
        mode: As given.
        top: As given.
        threads: The cores in use.

    Raises:
        ModelError: The model cannot be used.
        DeviceError: The device is missing or does not run.
        GenreInferError: The model has no such mode, or decoders="processes" is not possible.
        ValueError: Another argument is out of its range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes | None = None,
        *,
        sha256: str | None = None,
        require_hash: bool = False,
        device: str = "auto",
        mode: str = "balanced",
        threshold: float | None = None,
        top: int | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        timeout: float | None = None,
        decoders: str = "auto",
        limits: Limits | None = None,
        exact: bool = False,
        expected_posters: int | None = None,
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold is a probability from 0 to 1, not {threshold}")
        if any(number is not None and number < 1 for number in (batch_size, top, threads)):
            raise ValueError("batch_size, top and threads are at least 1")
        if decoders not in DECODERS:
            raise ValueError(f"decoders is one of {', '.join(DECODERS)}, not {decoders!r}")
        # An application that contains python would start itself instead of python.
        self._can_start_processes = bool(sys.executable) and not hasattr(sys, "frozen")
        if decoders == "processes" and not self._can_start_processes:
            raise GenreInferError('Only python itself can start processes: decoders="threads".')
        loaded = load_model(model, sha256, require_hash=require_hash)
        self.sha256, self.vouched = loaded.sha256, loaded.vouched
        self.metadata: Metadata = loaded.metadata
        self.genres = loaded.metadata.genres
        if mode not in self.metadata.thresholds:
            modes = ", ".join(self.metadata.thresholds)
            raise GenreInferError(f"The model has no mode {mode!r}; it has: {modes}.")
        self.mode, self.top = mode, top
        self.threads = threads or available_cores()
        own = self.metadata.thresholds[mode]
        self.thresholds: dict[str, float | None] = {
            genre: own[genre] if threshold is None else threshold for genre in self.genres
        }
        self._size = (self.metadata.height, self.metadata.width)
        self._timeout = timeout
        self._decoding: dict[str, Any] = {
            "width": self.metadata.width,
            "height": self.metadata.height,
            "limits": limits or Limits(),
            "draft": not exact,
        }
        single = expected_posters == 1
        batch_size = batch_size or (1 if single else None)
        request = Request(loaded.data, self._size, self.threads, batch_size)
        engine, self.skipped = open_engine(request, device)
        self._opened: Engine | None = CheckedEngine(engine, len(self.genres))
        self.device, self.provider = engine.device, engine.provider
        self.batch_size, self.lanes = engine.batch_size, engine.lanes
        self._falls_back = decoders == "auto"
        if decoders == "auto":
            many = self.threads > _THREADS_OF_ONE_INTERPRETER and not single
            pays = engine.device in GPUS and many and self._can_start_processes
            decoders = "processes" if pays else "threads"
        self.decoders = decoders

    def classify(self, source: Source) -> Result:
        """Classify one poster. If it cannot be used, the Result has another status than "ok".

        Args:
            source: A path, a file's bytes, a PIL image, or uint8 [height, width, 3] in RGB.

        Raises:
            TypeError: The source is of another type.
        """
        try:
            pixels = poster_pixels(source, **self._decoding)
        except PosterError as error:
            return self._result(source, error)
        return self._result(source, self.predict(pixels[None])[0])

    def classify_many(self, sources: Iterable[Source | None]) -> Generator[Result, None, None]:
        """Classify posters lazily: one Result for each source, in order.

        Decoding and computing run ahead in threads, by a few batches and no more. They end when the
        generator is closed or nothing refers to it, as after a loop over it that was left, or when
        Python ends. Sources are taken by the thread that asks for results.

        Args:
            sources: What classify takes. None is no source: it says that the next one may take a
                while, and that the results of those before it are wanted now.

        Raises:
            TypeError: This is one source instead of several.
        """
        if isinstance(sources, str | bytes | os.PathLike | Image.Image | np.ndarray):
            raise TypeError(
                f"classify_many takes several sources, as in [source], not one {type(sources)}"
            )
        return self._classify_many(sources)

    def _classify_many(self, sources: Iterable[Source | None]) -> Generator[Result, None, None]:
        problems: list[str] = []
        settings: dict[str, Any] = {"workers": self.threads, "timeout": self._timeout}
        decoder = self._new_decoder(problems)
        outcomes: Generator[tuple[Source, Probabilities | Exception], None, None]
        outcomes = classified(sources, decoder, self._engine, size=self._size, **settings)
        with closing(outcomes):
            for source, outcome in outcomes:
                yield self._result(source, outcome)
                if problems:
                    self.decoders = "threads"
                    new = dict.fromkeys(problems)
                    self.skipped += [one for one in new if one not in self.skipped]

    def predict(self, batch: Pixels) -> Probabilities:
        """Compute the probabilities of a batch.

        Args:
            batch: uint8 [N, height, width, 3] in RGB, of any height and width: the model resizes.

        Returns:
            float32 [N, genres], 0 to 1.

        Raises:
            TypeError: The batch is another array.
            ModelError: The model does not return probabilities.
        """
        shape = batch.shape
        if batch.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape[1:]:
            found = f"{batch.dtype} {list(shape)}"
            raise TypeError(f"a batch is uint8 [N, height, width, 3] in RGB, not {found}")
        if len(batch) == 0:
            return np.empty((0, len(self.genres)), np.float32)
        return self._engine.run(batch)

    def close(self) -> None:
        """Release the model. The classifier cannot be used afterwards."""
        self._opened = None

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            raise GenreInferError("The classifier is closed.")
        return self._opened

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_decoder(self, problems: list[str]) -> Callable[[], Decoder[Source]]:
        in_thread = partial(Decoder, partial(poster_pixels, **self._decoding))
        left = self.threads + _MOST_ABANDONED if self.decoders == "threads" else 0

        def new() -> Decoder[Source]:
            # A thread that exceeds the time limit is left behind with its memory. After a few of
            # them, posters are decoded in processes, which can be ended.
            nonlocal left
            left -= 1
            if left >= 0 or (self.decoders == "threads" and not self._can_start_processes):
                return in_thread()
            from .decoder_process import ProcessDecoder  # whose imports threads do without

            told = problems if self._falls_back or self.decoders == "threads" else None
            return ProcessDecoder(**self._decoding, problems=told)

        return new

    def _result(self, source: Source, outcome: Probabilities | Exception) -> Result:
        path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        if isinstance(outcome, PosterError):
            return Result(path, outcome.status, (), None, str(outcome), outcome.limit)
        if isinstance(outcome, Exception):
            raise outcome
        scores = dict(zip(self.genres, outcome.tolist(), strict=True))
        named = [
            GenreProbability(genre, scores[genre])
            for genre, threshold in self.thresholds.items()
            if threshold is not None and scores[genre] >= threshold
        ]
        named.sort(key=lambda one: -one.probability)
        return Result(path, "ok", tuple(named[: self.top]), scores, None)
