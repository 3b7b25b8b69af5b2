"""What the classifier says of one poster."""

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

STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class GenreProbability:
    """A genre that was named, with its probability (0 to 1)."""

    genre: str
    probability: float


@dataclass(frozen=True, slots=True)
class Result:
    """One poster's row.

    path: the path as it was given, or None for bytes, pictures and arrays.
    status: "ok", or what went wrong.
    genres: the genres at or above their thresholds, best first; empty if the poster failed.
    scores: genre -> probability (0 to 1) for every genre of the model, in the model's order;
        None if the poster failed.
    error: None, or one sentence saying what is wrong with the poster.
    """

    path: str | None
    status: Status
    genres: tuple[GenreProbability, ...]
    scores: Mapping[str, float] | None
    error: str | None

    @property
    def ok(self) -> bool:
        """Whether the poster was read and classified."""
        return self.status == "ok"
