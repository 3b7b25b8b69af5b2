"""The result for one poster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal[
    "ok",
    "unreadable",
    "not-an-image",
    "truncated",
    "too-large",
    "not-found",
    "permission-denied",
    "timeout",
]
Limit = Literal["bytes", "pixels", "memory", "timeout"]

STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class GenreProbability:
    """A named genre with its probability (0 to 1)."""

    genre: str
    probability: float


@dataclass(frozen=True, slots=True)
class Result:
    """One poster's row.

    Attributes:
        path: The path as it was given; None for bytes, pictures and arrays.
        status: "ok", or what went wrong.
        genres: The genres at or above their thresholds, best first; empty if the poster failed.
        scores: Probability (0 to 1) of every genre of the model, in the model's order; None if the
            poster failed.
        error: One sentence about what is wrong with the poster, or None.
        limit: The limit that the poster exceeded, or None.
    """

    path: str | None
    status: Status
    genres: tuple[GenreProbability, ...]
    scores: Mapping[str, float] | None
    error: str | None
    limit: Limit | None = None

    @property
    def ok(self) -> bool:
        """Whether the poster was read and classified."""
        return self.status == "ok"
