"""The public class: a model, opened once, that classifies posters."""

import os
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from types import TracebackType

import numpy as np

from .cores import available_cores
from .decoders import Decoder, InThread
from .engines import GPUS, Engine, Probabilities, Request, open_engine
from .errors import GenreInferError, ModelError
from .metadata import Metadata
from .model_file import find_model, load_model
from .pipeline import Stages, classified
from .posters import Limits, Pixels, PosterError, Source, poster_pixels
from .result import GenreProbability, Result

DECODERS = ("auto", "threads", "processes")

# Up to so many, decoding threads get by with one interpreter beside a GPU.
_THREADS_OF_ONE_INTERPRETER = 4


class Classifier:
    """Names the genres of film posters.

    model: a file made by genre-export, or the name of an installed model; None is the packaged one.
    sha256: the hash, in hex, that the model's bytes must have. That in MODEL.sha256 beside it,
        where there is one, is checked in any case.
    device: "auto" (the first that runs of "cuda", "openvino", "cpu"), one of them, or "tensorrt".
    mode: the operating point, one of those in the model's metadata ("balanced").
    threshold: one probability (0 to 1) in place of every genre's own.
    top: at most this many genres a poster.
    threads: cores to use; None is all that this process may use, by its CPU affinity and its
        container's quota.
    batch_size: posters a batch of classify_many; None is what suits the device. 1 opens soonest and
        takes the least memory. timeout: seconds for reading and decoding one of classify_many's
        posters; None: no end.
    decoders: how classify_many decodes files: in "threads"; in "processes", one for each of
        threads, which a decoder's crash or a time limit can end; or "auto", which is processes
        beside a GPU where threads is more than 4.
    limits: what is refused before it is decoded.
    exact: decode large JPEGs in full, as training did, and not at a fraction of their size that is
        at least twice the model's.

    Raises ModelError for a model that cannot be used, DeviceError for a device that is not there,
    GenreInferError where decoders="processes" cannot be had.
    All methods may be called from many threads.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        sha256: str | None = None,
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
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold is a probability from 0 to 1, not {threshold}")
        if any(number is not None and number < 1 for number in (batch_size, top, threads)):
            raise ValueError("batch_size, top and threads are at least 1")
        if decoders not in DECODERS:
            raise ValueError(f"decoders is one of {', '.join(DECODERS)}, not {decoders!r}")
        if decoders == "processes" and not _can_start_processes():
            raise GenreInferError('Only python itself can start processes: decoders="threads".')
        loaded = load_model(find_model(model), sha256)
        self.sha256 = loaded.sha256
        self.metadata: Metadata = loaded.metadata
        if mode not in self.metadata.thresholds:
            modes = ", ".join(self.metadata.thresholds)
            raise GenreInferError(f"The model has no mode {mode!r}; it has: {modes}.")
        self.mode = mode
        self.top = top
        self._timeout = timeout
        self._limits = limits or Limits()
        self._exact = exact
        self.threads = threads or available_cores()
        own = self.metadata.thresholds[mode]
        self.thresholds: dict[str, float | None] = {
            genre: own[genre] if threshold is None else threshold for genre in self.genres
        }
        self._named = [(g, t) for g, t in self.thresholds.items() if t is not None]
        size = (self.metadata.height, self.metadata.width)
        engine, self.skipped = open_engine(
            Request(loaded.data, size, self.threads, batch_size), device
        )
        self._opened: Engine | None = engine
        self.batch_size = engine.batch_size
        self._may_go_without = decoders == "auto"
        if decoders == "auto":
            held_back = engine.device in GPUS and self.threads > _THREADS_OF_ONE_INTERPRETER
            decoders = "processes" if held_back and _can_start_processes() else "threads"
        self.decoders = decoders

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

    @property
    def lanes(self) -> int:
        """How many batches the engine computes at once without one waiting for another."""
        return self._engine.lanes

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

    def classify_many(self, sources: Iterable[Source]) -> Generator[Result, None, None]:
        """Classify posters lazily: one Result for each source, in order.

        Decoding and computing run ahead in threads, by a few batches and no more, whatever the
        number of sources. Closing the generator, or leaving its loop, stops the threads, and ends
        the processes where there are any. Sources are taken by the thread that asks for results.
        """
        stages: Stages[Source] = Stages(
            decoder=self._new_decoder(),
            run=self._computed,
            size=(self.metadata.height, self.metadata.width),
            batch_size=self.batch_size,
            workers=self.threads,
            lanes=self._engine.lanes,
            timeout=self._timeout,
        )
        with closing(classified(sources, stages)) as outcomes:
            for source, outcome in outcomes:
                yield self._outcome(source, outcome)

    def predict(self, batch: Pixels) -> Probabilities:
        """Probabilities, float32 [N, genres], 0 to 1, for uint8 [N, height, width, 3] in RGB, of
        any height and width: the model resizes by itself. Raises TypeError for another array,
        ModelError where what the model gives are not probabilities."""
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
        return self._computed(batch)

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

    def _computed(self, batch: Pixels) -> Probabilities:
        probabilities = self._engine.run(batch)
        expected = (len(batch), len(self.genres))
        if probabilities.shape != expected or not np.isfinite(probabilities).all():
            raise ModelError(
                f"The model does not answer with {expected[1]} probabilities for each poster; "
                "export it anew, or try another --device."
            )
        return probabilities

    def _decode(self, source: Source) -> Pixels:
        width, height = self.metadata.width, self.metadata.height
        return poster_pixels(source, width, height, self._limits, draft=not self._exact)

    def _new_decoder(self) -> Callable[[], Decoder[Source]]:
        """What makes a decoder."""
        if self.decoders == "threads":
            return lambda: InThread(self._decode)
        # Here: threads, and whoever waits for a first poster, do without its imports.
        from .decoder_process import Job
        from .in_process import InProcess

        size = self.metadata.width, self.metadata.height
        job = Job(*size, self._limits, draft=not self._exact)
        return lambda: InProcess(job, self._decode, self._without_processes)

    def _without_processes(self, error: GenreInferError) -> None:
        """Go on where they were not asked for, and say so."""
        if not self._may_go_without:
            raise error
        self.decoders = "threads"
        if str(error) not in self.skipped:
            self.skipped.append(str(error))

    def _outcome(self, source: Source, outcome: Probabilities | Exception) -> Result:
        if not isinstance(outcome, Exception):
            return self._result(source, outcome)
        if isinstance(outcome, TimeoutError):
            message = f"Reading took longer than {self._timeout:g} seconds (--timeout)."
            return _failed(source, PosterError("timeout", message))
        if isinstance(outcome, PosterError):
            return _failed(source, outcome)
        raise outcome

    def _result(self, source: Source, probabilities: Probabilities) -> Result:
        values = probabilities.tolist()
        scores = dict(zip(self.genres, values, strict=True))
        named = [
            GenreProbability(genre, scores[genre])
            for genre, threshold in self._named
            if scores[genre] >= threshold
        ]
        named.sort(key=lambda one: -one.probability)
        return Result(_path(source), "ok", tuple(named[: self.top]), scores, None)


def _can_start_processes() -> bool:
    """Whether python can be started once more: an application with python inside would start
    itself."""
    return bool(sys.executable) and not hasattr(sys, "frozen")


def _failed(source: Source, error: PosterError) -> Result:
    return Result(_path(source), error.status, (), None, str(error))


def _path(source: Source) -> str | None:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None
