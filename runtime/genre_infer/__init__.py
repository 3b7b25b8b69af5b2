"""Genres from film posters.

    from genre_infer import Classifier

    with Classifier() as classifier:
        print(classifier.classify("poster.jpg").genres)

Importing this package imports nothing heavy: the names below are loaded on first use, so that
``genre-infer --version`` needs neither numpy nor an engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

ROW_FORMAT = 1
"""Version of the rows that ``genre-infer`` writes. Fields and statuses may be added within a
version; renaming or removing one would raise it."""

# The model in this package's own wheel; here, so that --version imports no more than this.
PACKAGED_NAME, PACKAGED_VERSION = "genre-infer-resnet34", "0.2.0"

if TYPE_CHECKING:
    from .classifier import Classifier as Classifier
    from .errors import DeviceError as DeviceError
    from .errors import GenreInferError as GenreInferError
    from .errors import ModelError as ModelError
    from .limits import Limits as Limits
    from .metadata import Metadata as Metadata
    from .result import GenreProbability as GenreProbability
    from .result import Result as Result
    from .result import Status as Status

_NAMES = {
    "classifier": ("Classifier",),
    "errors": ("DeviceError", "GenreInferError", "ModelError"),
    "metadata": ("Metadata",),
    "limits": ("Limits",),
    "result": ("GenreProbability", "Result", "Status"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["ROW_FORMAT", "__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'genre_infer' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
