"""What decodes for one thread of the pipeline."""

from collections.abc import Callable
from typing import Generic, TypeVar

from .posters import Pixels

Item = TypeVar("Item")


class Decoder(Generic[Item]):
    """Decodes for one thread. This one calls a function, which nothing can stop.

    What prepare and decode raise counts as the item's fault.
    """

    def __init__(self, decode: Callable[[Item], Pixels]) -> None:
        self._decode = decode

    def decode(self, item: Item) -> Pixels:
        """Return the item's pixels, uint8 [height, width, 3]; they hold until the next call."""
        return self._decode(item)

    def prepare(self, item: Item) -> None:
        """Start what decoding this item needs; it does not count towards the time limit."""

    def stop(self) -> None:
        """End a decode that is under way, if possible. Called by other threads."""

    def close(self) -> None:
        """Release what the decoder holds. Called by its own thread when it ends."""
