"""What a model file says about itself: one JSON document in the ONNX metadata."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import ModelError

FORMAT = 1
"""Version of this schema. A reader refuses a newer one; fields may be added within a version."""

KEY = "genre_infer"
"""The key of the document in the ONNX file's metadata_props."""

INPUT, OUTPUT = "image", "probabilities"
PRECISIONS = ("float32", "float16", "int8")
_OPTIONAL = ("details", "content_sha256")
_DEEPEST = 20  # details within details; without a bound, readers run out of stack


@dataclass(frozen=True, slots=True)
class Metadata:
    """The document, checked.

    Attributes:
        name: The model's name.
        version: The model's version, apart from the package's.
        genres: The genres, in the order of the output.
        thresholds: Mode -> genre -> probability (0 to 1), or None for a genre that is never named.
        width: The input width in pixels, to which a poster is squished.
        height: The input height in pixels.
        precision: "float32", "float16" or "int8".
        checkpoint_sha256: The hash of the weights it was made from.
        licences: What -> licence.
        created_with: Package -> version.
        details: Anything else worth knowing, for example the dataset.
        content_sha256: The hash of all else in the file, by which damage is noticed; None in files
            from before 0.2.
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
    content_sha256: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the JSON document as a dict, its format first."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.content_sha256 is None:
            del own["content_sha256"]
        return {"format": FORMAT, **own, "genres": list(self.genres)}

    @staticmethod
    def from_json(text: str) -> "Metadata":
        """Read and check a document.

        Raises:
            ModelError: Something is missing or inconsistent; the message names it.
        """
        try:
            hooks: dict[str, Any] = {"parse_constant": _finite, "parse_float": _finite}
            document = json.loads(text, object_pairs_hook=_without_doubles, **hooks)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"The model's metadata is not JSON ({error}).") from None
        form = document.get("format") if isinstance(document, dict) else None
        if type(form) is not int or form < 1:
            raise ModelError("The model's metadata names no format.")
        if form > FORMAT:
            newer = f"The model's metadata has format {form}, newer than this runtime's {FORMAT}"
            raise ModelError(f"{newer}: pip install --upgrade genre-infer")
        names = [f.name for f in fields(Metadata)]
        missing = [name for name in names if name not in document and name not in _OPTIONAL]
        if missing:
            raise ModelError(f"The model's metadata lacks {', '.join(missing)}.")
        known = {name: document[name] for name in names if name in document}
        for name, (holds, fault) in _RULES.items():
            if name in known and not holds(known[name]):
                raise ModelError(f"The model's metadata: {name} {fault}.")
        _check_thresholds(known["thresholds"], known["genres"])
        known["genres"] = tuple(known["genres"])
        return Metadata(**known)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse equal keys: JSON does not say which of them counts, and readers differ."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key appears twice")
    return document


def _finite(number: str) -> float:
    """Refuse NaN and Infinity, which are not JSON, and numbers that are too large for a float."""
    if not math.isfinite(float(number)):
        raise ValueError(f"{number} is not a finite number")
    return float(number)


def _is_name(value: Any) -> bool:
    """Whether this is text for a row or a terminal. | separates genres in CSV."""
    return isinstance(value, str) and value != "" and value.isprintable() and "|" not in value


def _are_genres(value: Any) -> bool:
    names = isinstance(value, list) and all(map(_is_name, value))
    return names and 0 < len(value) == len(set(value))


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 10_000


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_shallow(value: Any, levels: int = _DEEPEST) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    flat = not isinstance(value, dict | list)
    return flat or (levels > 0 and all(_is_shallow(one, levels - 1) for one in inner))


_TOO_DEEP = f"is not a mapping, or is nested over {_DEEPEST} levels deep"
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "genres": (_are_genres, "is not a list of different genres"),
    "name": (_is_name, "is not text"),
    "version": (_is_name, "is not text"),
    "width": (_is_size, "is not a size in pixels"),
    "height": (_is_size, "is not a size in pixels"),
    "precision": (lambda value: value in PRECISIONS, f"is not one of {', '.join(PRECISIONS)}"),
    "checkpoint_sha256": (_is_sha256, "is not 64 hexadecimal digits"),
    "content_sha256": (_is_sha256, "is not 64 hexadecimal digits"),
    "licences": (_are_texts, "does not map names to texts"),
    "created_with": (_are_texts, "does not map names to texts"),
    "details": (lambda value: isinstance(value, dict) and _is_shallow(value), _TOO_DEEP),
}


def _check_thresholds(thresholds: Any, genres: list[str]) -> None:
    if not isinstance(thresholds, dict) or "balanced" not in thresholds:
        raise ModelError("The model's metadata has no thresholds for the mode 'balanced'.")
    for mode, row in thresholds.items():
        if not _is_name(mode):
            raise ModelError(f"The model's metadata: the mode {mode!r} is not text.")
        if not isinstance(row, dict) or set(row) != set(genres):
            raise ModelError(f"The thresholds of the mode {mode!r} are not for the model's genres.")
        for genre, value in row.items():
            if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
                raise ModelError(f"The threshold of {genre} in {mode!r} is not between 0 and 1.")
