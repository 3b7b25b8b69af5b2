"""What all engines have in common."""

import atexit
import os
import re
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from ..errors import GenreInferError, ModelError
from ..posters import Pixels

Probabilities: TypeAlias = NDArray[np.float32]

_LONGEST_BATCH = 10.0  # seconds that the end of Python waits for


class Engine(Protocol):
    """An opened model.

    Attributes:
        device: Its name in the table of engines, for example "cpu" or "openvino".
        provider: What really computes.
        batch_size: Posters in a batch of its fixed shape.
        lanes: How many batches it runs at once without one waiting for another.
    """

    device: str
    provider: str
    batch_size: int
    lanes: int

    def run(self, batch: Pixels) -> Probabilities:
        """Compute a batch. Safe from many threads; a contiguous batch is not copied.

        Args:
            batch: uint8 [N, height, width, 3]. Any N, height and width; those that the engine was
                opened for are fastest.

        Returns:
            float32 [N, genres].
        """


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is opened with.

    Attributes:
        model: The bytes of an ONNX file.
        size: Height and width of most batches.
        threads: Cores to use.
        batch_size: Posters in most batches; None is what suits the engine.
    """

    model: bytes
    size: tuple[int, int]
    threads: int
    batch_size: int | None = None


class _AtWork:
    """Counts the batches that engines compute, and lets Python end only when there is none.

    Python stops other threads as they return from an engine to it, and the engines' C++ code aborts
    the whole process then.
    """

    def __init__(self) -> None:
        self._reset()
        atexit.register(self._end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed, self._count, self._ending = threading.Condition(), 0, False

    def _end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: self._count == 0, _LONGEST_BATCH)

    def __enter__(self) -> None:
        with self._changed:
            if self._ending and threading.current_thread() is not threading.main_thread():
                raise SystemExit  # ends this thread without a word, as the end of Python would
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()


_AT_WORK = _AtWork()


class CheckedEngine:
    """An engine whose results are checked, and which is used only in the process that opened it.

    Args:
        engine: The engine.
        genres: How many probabilities it returns for each poster.
    """

    def __init__(self, engine: Engine, genres: int) -> None:
        self.device, self.provider = engine.device, engine.provider
        self.batch_size, self.lanes = engine.batch_size, engine.lanes
        self._engine, self._genres = engine, genres
        self._process = os.getpid()
        _OPENED.add(self)

    def run(self, batch: Pixels) -> Probabilities:
        """See Engine.

        Raises:
            ModelError: The result has another shape, or is not finite.
            GenreInferError: This is a fork of the process that opened the engine.
        """
        if os.getpid() != self._process:  # an engine's threads are not there, and it would hang
            raise GenreInferError(
                "The classifier was opened before this process was forked from another, and does "
                "not work here: open it in the process that uses it."
            )
        with _AT_WORK:
            found = self._engine.run(batch)
        if found.shape != (len(batch), self._genres) or not np.isfinite(found).all():
            cause = f"does not return {self._genres} probabilities for each poster"
            fix = "export it again, or try another device"
            raise ModelError(f"The model {cause}; {fix}.", "device")
        return found


_OPENED: WeakSet[CheckedEngine] = WeakSet()


def _keep_for_ever() -> None:
    """Never free a forked process's engines: they would wait for threads that are not there."""
    import ctypes

    for opened in _OPENED:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(opened._engine))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_for_ever)


def installed(package: str) -> bool:
    """Whether a distribution of this name is installed.

    importlib.metadata knows too, but importing it takes a tenth of the time to a first poster.
    """
    wanted = package.replace("-", "_")
    for folder in sys.path:
        with suppress(OSError):
            for entry in os.listdir(folder or "."):
                stem, _, suffix = entry.rpartition(".")
                name = stem.partition("-")[0] if suffix == "dist-info" else ""
                if re.sub("[-_.]+", "_", name).lower() == wanted:
                    return True
    return False


def first_line(error: Exception) -> str:
    """Shorten an engine's error to its first line that is not a place in the engine's source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return (useful or lines or [type(error).__name__])[0]


def parts_of(batch: Pixels, size: int) -> list[Pixels]:
    """Split a batch into parts of one size, the last one padded.

    For engines that prepare again for every new shape.
    """
    if len(batch) == size:
        return [batch]
    parts = [batch[start : start + size] for start in range(0, len(batch), size)]
    missing = size - len(parts[-1])
    if missing:
        padding = np.zeros((missing, *batch.shape[1:]), np.uint8)
        parts[-1] = np.concatenate([parts[-1], padding])
    return parts


def joined(results: list[Probabilities], count: int) -> Probabilities:
    """Join the results of the parts, and drop the padding after `count` rows."""
    return results[0] if len(results[0]) == count else np.concatenate(results)[:count]
