"""What a model file says of itself: one JSON document in the ONNX metadata."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import ModelError

FORMAT = 1
"""Version of this schema. A reader refuses a newer one; fields may be added within a version."""

KEY = "genre_infer"
"""The key of the document in the ONNX file's metadata_props."""

INPUT, OUTPUT = "image", "probabilities"
PRECISIONS = ("float32", "float16", "int8")
_DEEPEST = 20  # details within details; without a bound, readers run out of stack


@dataclass(frozen=True, slots=True)
class Metadata:
    """The document, checked.

    name, version: of the model, apart from the package's. genres: in the order of the output.
    thresholds: mode -> genre -> probability (0 to 1), or None for a genre that is never named.
    width, height: the input size in pixels to which a poster is squished. precision: "float32",
    "float16" or "int8". checkpoint_sha256: of the weights it was made from. licences, created_with:
    what -> licence, package -> version. details: anything else worth knowing, e.g. the dataset.
    """

    name: str
    version: str
    genres: tuple[str, ...]
    thresholds: Mapping[str, Mapping[str, float | None]]
    width: int
    height: int
    precision: str
    checkpoint_sha256: str
    licences: Mapping[str, str]
    created_with: Mapping[str, str]
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """The JSON document as a dict, its format first."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"format": FORMAT, **own, "genres": list(self.genres)}

    def to_json(self) -> str:
        """The JSON document as ASCII text."""
        return json.dumps(self.to_document(), ensure_ascii=True)

    @staticmethod
    def from_json(text: str) -> "Metadata":
        """Read and check a document. Raises ModelError, saying what is missing or inconsistent."""
        try:
            document = json.loads(
                text,
                object_pairs_hook=_no_doubles,
                parse_constant=_no_constant,
                parse_float=_finite,
            )
        except (ValueError, RecursionError) as error:
            raise ModelError(f"The model's metadata is not JSON ({error}).") from None
        form = document.get("format") if isinstance(document, dict) else None
        if not isinstance(form, int) or isinstance(form, bool) or form < 1:
            raise ModelError("The model's metadata names no format.")
        if form > FORMAT:
            raise ModelError(
                f"The model's metadata has format {form}, newer than this runtime's "
                f"{FORMAT}: pip install --upgrade genre-infer"
            )
        required = [f.name for f in fields(Metadata) if f.name != "details"]
        missing = [name for name in required if name not in document]
        if missing:
            raise ModelError(f"The model's metadata lacks {', '.join(missing)}.")
        known = {f.name: document[f.name] for f in fields(Metadata) if f.name in document}
        _check(known)
        known["genres"] = tuple(known["genres"])
        return Metadata(**known)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON leaves open which of two equal keys counts; readers differ."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key is there twice")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _finite(number: str) -> float:
    if math.isinf(float(number)):
        raise ValueError(f"{number} is too large")
    return float(number)


def _is_name(value: Any) -> bool:
    """Text that can stand in a row or on a terminal. | separates genres in CSV."""
    return isinstance(value, str) and value != "" and value.isprintable() and "|" not in value


def _check(known: dict[str, Any]) -> None:
    genres = known["genres"]
    if (
        not isinstance(genres, list)
        or not genres
        or not all(_is_name(genre) for genre in genres)
        or len(set(genres)) != len(genres)
    ):
        raise ModelError("The model's metadata has no list of different genres.")
    for name in ("name", "version"):
        if not _is_name(known[name]):
            raise ModelError(f"The model's metadata: {name} is not text.")
    for name in ("width", "height"):
        size = known[name]
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 10_000:
            raise ModelError(f"The model's metadata: {name} is no size in pixels.")
    if known["precision"] not in PRECISIONS:
        raise ModelError(f"The model's metadata: precision is none of {', '.join(PRECISIONS)}.")
    sha256 = known["checkpoint_sha256"]
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ModelError("The model's metadata: checkpoint_sha256 is not 64 hexadecimal digits.")
    for name in ("licences", "created_with"):
        texts = known[name]
        if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
            raise ModelError(f"The model's metadata: {name} is not a mapping to texts.")
    if not isinstance(known.get("details", {}), dict):
        raise ModelError("The model's metadata: details is not a mapping.")
    if _deeper(known.get("details"), _DEEPEST):
        raise ModelError(f"The model's metadata: details are nested over {_DEEPEST} levels deep.")
    _check_thresholds(known["thresholds"], genres)


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def _check_thresholds(thresholds: Any, genres: list[str]) -> None:
    if not isinstance(thresholds, dict) or "balanced" not in thresholds:
        raise ModelError("The model's metadata has no thresholds for the mode 'balanced'.")
    for mode, row in thresholds.items():
        if not _is_name(mode):
            raise ModelError(f"The model's metadata: the mode {mode!r} is not text.")
        if not isinstance(row, dict) or set(row) != set(genres):
            raise ModelError(f"The thresholds of the mode {mode!r} are not for the model's genres.")
        for genre, value in row.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and 0 <= value <= 1):
                raise ModelError(f"The threshold of {genre} in {mode!r} is not between 0 and 1.")
