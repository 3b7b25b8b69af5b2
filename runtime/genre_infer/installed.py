"""Models that were installed as packages of their own, found by name without importing anything.

Such a package, made by genre-export wheel, holds data only: a model, its sidecar, a README. Its
entry point in the group genre_infer.models says which module it is.
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from .errors import ModelError
from .metadata import Metadata
from .model_file import sidecar

GROUP = "genre_infer.models"


def installed_name(name: str, precision: str) -> str:
    """What a model is called once it is installed, e.g. genre-infer-resnet34-float16."""
    return re.sub("[^a-z0-9]+", "-", f"{name}-{precision}".lower()).strip("-")


def find_model(model: str | os.PathLike[str] | None) -> Path | None:
    """The file that is meant: a path that exists, else the installed model of that name. None is
    the packaged model. Raises ModelError for a name that is not installed."""
    if model is None:
        return None
    path, name = Path(model), os.fspath(model)
    if os.path.exists(path):  # for a name too long, too
        return path
    installed = installed_models()
    if name in installed:
        return _model_in(name, installed[name])
    if path.suffix or path.name != name:  # meant as a path: reading it will say what is wrong
        return path
    there = f"installed are: {', '.join(sorted(installed))}" if installed else "none is installed"
    raise ModelError(
        f"There is no file {name} and no installed model of that name; {there}. One is installed "
        "with pip install from the wheel that genre-export wheel makes of a model file."
    )


def installed_models() -> dict[str, str]:
    """name -> module. Raises ModelError where two packages claim one name."""
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    found: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        if found.setdefault(entry.name, entry.value) != entry.value:
            raise ModelError(
                f"Two installed packages have a model {entry.name}: {found[entry.name]} and "
                f"{entry.value}. Remove one: pip uninstall {entry.value}"
            )
    return found


def faster_model(device: str, metadata: Metadata) -> str | None:
    """A sentence where another file of the same model would be faster on the device in use."""
    if device != "cuda" or metadata.precision == "float16":
        return None
    name = installed_name(metadata.name, "float16")
    try:
        there = name in installed_models()
    except ModelError as error:  # this run had nothing to do with them
        return str(error)
    if there:
        return f"Faster on a GPU is the float16 file, which is installed: --model {name}"
    return (
        "Faster on a GPU would be the float16 file: genre-export CHECKPOINT -o MODEL.onnx "
        "--precision float16, genre-export wheel MODEL.onnx -o DIR, pip install the wheel in DIR, "
        f"then --model {name}"
    )


def _model_in(name: str, module: str) -> Path:
    # A top-level module is found without running it; a dotted one would run its parents.
    spec = find_spec(module) if module.isidentifier() else None
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.onnx"))]
    if len(files) != 1 or not sidecar(files[0]).exists():
        raise ModelError(
            f"The installed model {name} is not whole: its package {module} has not one model with "
            "its sha256. Install it anew: pip install --force-reinstall, and the wheel."
        )
    return files[0]
