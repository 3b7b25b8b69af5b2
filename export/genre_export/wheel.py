"""genre-export wheel: pack a model file as a data-only wheel that the runtime opens by name."""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from packaging.version import InvalidVersion, Version

from genre_infer import __version__
from genre_infer.errors import GenreInferError
from genre_infer.model_file import (
    GROUP,
    Model,
    info_lines,
    installed_name,
    load_model,
)
from genre_train.files import checksum_line, write_whole
from genre_train.markdown import render
from genre_train.options import refuse_existing

# 1980-01-01, the earliest time that a zip archive can hold. With real times no two wheels would be
# the same.
_EPOCH = "315532800"
_BUILD = (
    "import os, sys; os.umask(0o022); from setuptools import build_meta; "
    "build_meta.build_wheel(sys.argv[1])"
)


def make_wheel(path: Path, folder: Path, *, force: bool = False) -> tuple[Path, str]:
    """Write a model's wheel into a folder; the same model gives the same bytes.

    Args:
        path: The model file.
        folder: The folder.
        force: Whether to replace an existing wheel.

    Returns:
        The wheel's path, and the name by which the runtime finds the model once it is installed.

    Raises:
        GenreInferError: The runtime would refuse the model, no package can have its version, or
            setuptools cannot build the wheel.
        click.UsageError: The wheel exists already.
    """
    if find_spec("setuptools") is None:
        raise ModuleNotFoundError("setuptools", name="setuptools")
    model = load_model(path)
    _check_version(model)
    name = installed_name(model.metadata.name, model.metadata.precision)
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        _write_project(project, model, name)
        built = _build(project, path)
        wheel = folder / built.name
        refuse_existing(force, wheel)
        write_whole(wheel, built.read_bytes())
    return wheel, name


def _check_version(model: Model) -> None:
    try:
        Version(model.metadata.version)
    except InvalidVersion:
        raise GenreInferError(
            f"{model.name} has the version {model.metadata.version!r}, which no package can have. "
            "Export the model from a checkpoint with a version such as 1.2 (genre-train fit "
            "--model-version)."
        ) from None


def _write_project(project: Path, model: Model, name: str) -> None:
    package = "genre_infer_model_" + name.replace("-", "_")
    file = Path(f"{name}.onnx")
    values = {
        "metadata": model.metadata,
        "name": name,
        "module": package,
        "group": GROUP,
        "version": __version__,
        "info": "\n".join(info_lines(model)),
    }
    project_file = render("genre_export", "wheel-pyproject.toml.jinja", **values)
    readme = render("genre_export", "wheel-readme.md.jinja", **values)
    contents = {
        "pyproject.toml": project_file.encode(),
        f"{package}/__init__.py": b'"""Data: a model for genre_infer, and its hash."""\n',
        f"{package}/README.md": readme.encode(),
        f"{package}/{file}": model.data,
        f"{package}/{file}.sha256": checksum_line(file, model.sha256),
    }
    (project / package).mkdir()
    (project / "dist").mkdir()
    for target, data in contents.items():
        (project / target).write_bytes(data)
        (project / target).chmod(0o644)


def _build(project: Path, model: Path) -> Path:
    """Build the wheel in a process of its own, because setuptools works in the current folder."""
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, "dist"],
        cwd=project,
        env={"SOURCE_DATE_EPOCH": _EPOCH, **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    built = list((project / "dist").glob("*.whl"))
    if done.returncode or len(built) != 1:
        cause = (done.stderr.strip().splitlines() or ["no wheel was written"])[-1]
        raise GenreInferError(f"setuptools could not build the wheel of {model}: {cause}")
    return built[0]
