"""Genres from film posters.

    from genre_infer import Classifier

    with Classifier() as classifier:
        print(classifier.classify("poster.jpg").genres)

Importing this package imports nothing heavy: the names below are loaded when first used, so that
``genre-infer --version`` needs neither numpy nor an engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

ROW_FORMAT = 1
"""Version of the rows written by ``genre-infer``. Fields and statuses may be added within a
version; a rename or a removal would raise it."""

if TYPE_CHECKING:
    from .classifier import Classifier
    from .errors import DeviceError, GenreInferError, ModelError
    from .metadata import Metadata
    from .posters import Limits
    from .result import GenreProbability, Result, Status

_HOME = {
    "Classifier": "classifier",
    "DeviceError": "errors",
    "GenreInferError": "errors",
    "GenreProbability": "result",
    "Limits": "posters",
    "Metadata": "metadata",
    "ModelError": "errors",
    "Result": "result",
    "Status": "result",
}

__all__ = [
    "ROW_FORMAT",
    "Classifier",
    "DeviceError",
    "GenreInferError",
    "GenreProbability",
    "Limits",
    "Metadata",
    "ModelError",
    "Result",
    "Status",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genre_infer' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
