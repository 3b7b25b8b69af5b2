"""What is refused of a poster, the error that says so, and the memory that decoding may take."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .result import Limit, Status


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded.

    Attributes:
        pixels: The largest width x height. 64 million is a poster of 6,500 x 9,800.
        bytes: The largest file, in bytes.
        memory: What decoding may take, in bytes, of one picture and of all that are decoded at a
            time in this process. It is estimated from size and format.
    """

    pixels: int = 64_000_000
    bytes: int = 64 * 1024 * 1024
    memory: int = 400_000_000


class PosterError(Exception):
    """A poster that cannot be classified; the message is one sentence for its row.

    Attributes:
        status: The row's status.
        limit: The limit that the poster exceeded, or None.
    """

    def __init__(self, status: Status, message: str, limit: Limit | None = None) -> None:
        super().__init__(message)
        self.status: Status = status
        self.limit: Limit | None = limit


class _Memory:
    """Lets pictures be decoded side by side while they fit into memory together."""

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed, self._used = threading.Condition(), 0

    @contextmanager
    def reserved(self, need: int, limits: Limits) -> Iterator[None]:
        """Wait until so many bytes are free, and hold them.

        Raises:
            PosterError: It is more than decoding may take.
        """
        if need > limits.memory:
            cause = f"Decoding it takes about {need / 1e6:,.0f} MB"
            message = f"{cause}, over the limit of {limits.memory / 1e6:,.0f} MB."
            raise PosterError("too-large", message, "memory")
        with self._changed:
            self._changed.wait_for(lambda: self._used + need <= max(limits.memory, need))
            self._used += need
        try:
            yield
        finally:
            with self._changed:
                self._used -= need
                self._changed.notify_all()


MEMORY = _Memory()
