"""A pipeline of numbers in place of posters: decoded to a colour, computed to their squares."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from genre_infer.decoder import Decoder
from genre_infer.pipeline import classified

SIZE = (2, 3)


def decode(n: int) -> np.ndarray:
    return np.full((*SIZE, 3), n, np.uint8)


def run(batch: np.ndarray) -> np.ndarray:
    """One 'genre': the square of the number that the pixels are."""
    return batch[:, 0, 0, :1].astype(np.float32) ** 2


def squares(
    items: Iterable[int | None],
    *,
    decode: Callable[[int], np.ndarray] = decode,
    run: Callable[[np.ndarray], np.ndarray] = run,
    batch_size: int = 4,
    lanes: int = 1,
    workers: int = 2,
    timeout: float | None = None,
) -> Generator[tuple[int, Any], None, None]:
    """The pipeline over these numbers."""
    engine: Any = SimpleNamespace(run=run, batch_size=batch_size, lanes=lanes)
    settings: dict[str, Any] = {"size": SIZE, "workers": workers, "timeout": timeout}
    return classified(items, lambda: Decoder(decode), engine, **settings)


def values(outcomes: Iterator[tuple[int, Any]]) -> list[Any]:
    return [o if isinstance(o, Exception) else float(o[0]) for _, o in outcomes]


def our_threads() -> int:
    return sum(thread.name.startswith("genre-infer-") for thread in threading.enumerate())
