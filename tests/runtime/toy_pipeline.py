"""A pipeline of numbers in place of posters: decoded to a colour, computed to their squares."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from genre_infer.decoders import InThread
from genre_infer.pipeline import Stages

SIZE = (2, 3)


def decode(n: int) -> np.ndarray:
    return np.full((*SIZE, 3), n, np.uint8)


def run(batch: np.ndarray) -> np.ndarray:
    """One 'genre': the square of the number that the pixels are."""
    return batch[:, 0, 0, :1].astype(np.float32) ** 2


def stages(decode: Callable[[int], np.ndarray] = decode, **changes: Any) -> Stages[int]:
    usual: dict[str, Any] = {"run": run, "size": SIZE, "batch_size": 4, "workers": 2, "lanes": 1}
    return Stages(decoder=lambda: InThread(decode), **{**usual, **changes})


def values(outcomes: Iterator[tuple[int, Any]]) -> list[Any]:
    return [o if isinstance(o, Exception) else float(o[0]) for _, o in outcomes]


def our_threads() -> int:
    return sum(thread.name.startswith("genre-infer-") for thread in threading.enumerate())
