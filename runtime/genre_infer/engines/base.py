"""What all engines have in common."""

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..posters import Pixels

Probabilities: TypeAlias = NDArray[np.float32]


class Engine(Protocol):
    """A model, opened.

    device: its name in the table of engines, as "cpu" or "openvino". provider: what really
    computes. batch_size: posters a batch of its fixed shape. lanes: batches that it runs at once
    without one waiting for another.
    """

    device: str
    provider: str
    batch_size: int
    lanes: int

    def run(self, batch: Pixels) -> Probabilities:
        """uint8 [N, height, width, 3] -> float32 [N, genres]. Any N, height and width; fastest are
        those it was opened for. Safe from many threads; a contiguous batch is not copied."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is opened with.

    model: the bytes of an ONNX file. size: height and width that most batches will have. threads:
    cores to use. batch_size: posters that most batches will have; None is what suits the engine.
    """

    model: bytes
    size: tuple[int, int]
    threads: int
    batch_size: int | None = None


def installed(package: str) -> bool:
    """Whether a distribution of this name is installed: importlib.metadata's question, without the
    import, which takes a tenth of the time to a first poster."""
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
    """An engine's error without its pages of context: OpenVINO begins with places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return (telling or lines or [type(error).__name__])[0]


def parts_of(batch: Pixels, size: int) -> list[Pixels]:
    """A batch of any number of posters in parts of one size, the last one padded: for engines that
    plan anew for each further shape."""
    if len(batch) == size:
        return [batch]
    parts = [batch[start : start + size] for start in range(0, len(batch), size)]
    missing = size - len(parts[-1])
    if missing:
        padding = np.zeros((missing, *batch.shape[1:]), np.uint8)
        parts[-1] = np.concatenate([parts[-1], padding])
    return parts


def whole(results: list[Probabilities], count: int) -> Probabilities:
    """The rows of `count` posters, from what the parts gave."""
    return results[0] if len(results[0]) == count else np.concatenate(results)[:count]
