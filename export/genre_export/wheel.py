"""A data-only wheel around a model file, from which the runtime opens it by name."""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click
from packaging.version import InvalidVersion, Version

from genre_infer import __version__
from genre_infer.errors import GenreInferError
from genre_infer.model_file import (
    GROUP,
    Model,
    info_lines,
    installed_name,
    load_model,
    sidecar_line,
)
from genre_train.files import write_whole

# The earliest time that a zip archive can hold: with the files' own times no two wheels are alike.
_EPOCH = "315532800"
_BUILD = (
    "import os, sys; os.umask(0o022); from setuptools import build_meta; "
    "build_meta.build_wheel(sys.argv[1])"
)


def make_wheel(path: Path, folder: Path, *, force: bool = False) -> tuple[Path, str]:
    """Write the wheel of a model file into a folder; the same model gives the same bytes.

    Returns its path, and the name by which the runtime finds the model once it is installed.
    Raises GenreInferError for a model that the runtime would refuse, or whose version cannot be a
    package's; click.UsageError for a wheel that exists.
    """
    if find_spec("setuptools") is None:
        raise ModuleNotFoundError("setuptools", name="setuptools")
    model = load_model(path)
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        _write_project(project, model)
        environment = {"SOURCE_DATE_EPOCH": _EPOCH, **os.environ}
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, "dist"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        built = list((project / "dist").glob("*.whl"))
        if done.returncode or len(built) != 1:
            cause = (done.stderr.strip().splitlines() or ["no wheel was written"])[-1]
            raise GenreInferError(f"setuptools could not build the wheel of {path}: {cause}")
        wheel = folder / built[0].name
        if wheel.exists() and not force:
            raise click.UsageError(f"{wheel} exists; --force replaces it.")
        write_whole(wheel, built[0].read_bytes())
    return wheel, installed_name(model.metadata.name, model.metadata.precision)


def _write_project(project: Path, model: Model) -> None:
    name = installed_name(model.metadata.name, model.metadata.precision)
    package = "genre_infer_model_" + name.replace("-", "_")
    file = Path(f"{name}.onnx")
    contents = {
        "pyproject.toml": _pyproject(model, name, package).encode(),
        f"{package}/__init__.py": b'"""Data: a model for genre_infer, and its hash."""\n',
        f"{package}/README.md": _readme(model, name).encode(),
        f"{package}/{file}": model.data,
        f"{package}/{file}.sha256": sidecar_line(file, model.sha256),
    }
    (project / package).mkdir()
    (project / "dist").mkdir()
    for target, data in contents.items():
        (project / target).write_bytes(data)
        (project / target).chmod(0o644)


def _pyproject(model: Model, name: str, package: str) -> str:
    version = model.metadata.version
    try:
        Version(version)
    except InvalidVersion:
        raise GenreInferError(
            f"A package cannot have the version {version!r} of {model.name}: export it from a "
            "checkpoint with one like 1.2 (genre-train fit --model-version)."
        ) from None
    return f"""\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{package.replace("_", "-")}"
version = "{version}"
description = "A model for genre-infer: data only"
readme = "{package}/README.md"
requires-python = ">=3.11"

[project.entry-points."{GROUP}"]
{name} = "{package}"

[tool.setuptools]
packages = ["{package}"]
include-package-data = false

[tool.setuptools.package-data]
"{package}" = ["*.onnx", "*.sha256", "README.md"]
"""


def _readme(model: Model, name: str) -> str:
    shown = "\n".join(info_lines(model))
    return f"""\
# {model.metadata.name} {model.metadata.version}, {model.metadata.precision}

A model for genre-infer: film posters in, genres out. This
package holds data only, the model file and its sha256; installed beside genre-infer it is used by

```sh
genre-infer --model {name} POSTERS
```

or `Classifier("{name}")`. Packed by `genre-export wheel`, genre-infer {__version__}. What the
file says of itself:

```text
{shown}
```
"""
