"""What a decoding thread decodes with."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from .posters import Pixels

Item = TypeVar("Item", contravariant=True)


class Decoder(Protocol[Item]):
    """One thread's own. What prepare and decode raise is the item's fault."""

    def prepare(self, item: Item, /) -> None:
        """Start what its decoding needs; this does not count against a time limit."""

    def decode(self, item: Item, /) -> Pixels:
        """One poster to uint8 [height, width, 3], which hold until the next call."""

    def stop(self) -> None:
        """Called by other threads: end a decode that is under way, as far as that can be done."""

    def close(self) -> None:
        """Called by the thread that decodes, in the end."""


class InThread(Generic[Item]):
    """Decodes by a function that the thread calls: it needs nothing, and nothing can stop it."""

    def __init__(self, decode: Callable[[Item], Pixels]) -> None:
        self.decode = decode

    def prepare(self, _item: Item, /) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
