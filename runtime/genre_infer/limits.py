"""What is refused of a poster, and the error that says so."""

from dataclasses import dataclass

from .result import Limit, Status


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded.

    Attributes:
        pixels: The largest width x height. 64 million is a poster of 6,500 x 9,800.
        bytes: The largest file, in bytes.
    """

    pixels: int = 64_000_000
    bytes: int = 64 * 1024 * 1024


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
