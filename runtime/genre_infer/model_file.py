"""One model file: found by path or name, checked before an engine gets its bytes, and described.

A model can be installed as a package of its own, which holds data only (genre-export wheel makes
one). Its entry point in the group genre_infer.models names the module.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import PACKAGED_NAME as PACKAGED_NAME
from . import PACKAGED_VERSION as PACKAGED_VERSION
from .errors import ModelError
from .metadata import INPUT, OUTPUT, Metadata
from .onnx_reader import OnnxFile, check, content_sha256, read_file
from .rows import printable

PACKAGED_PATH = Path(__file__).with_name("model") / "genre-infer.onnx"
PACKAGED_SHA256 = "afe3602b14540e056d2782ce62e1ff44345aed1bf0a001c3c8410d7d220ab1db"

GROUP = "genre_infer.models"

# A line of sha256sum: the hash, a blank, a blank or an asterisk, the name. A backslash in front
# says that newlines and backslashes in the name are escaped.
_LINE = re.compile(rb"\\?([0-9a-fA-F]{64})(?: [ *][^\n]*)?\r?\n?")
_LONGEST_LINE = 8192
_MOST_BYTES = 1 << 31  # a protocol buffer can have no more
_REINSTALL = "Reinstall it: pip install --force-reinstall genre-infer"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was read once and passed every check.

    Attributes:
        name: What messages call it.
        data: Its bytes; an engine gets these very bytes.
        sha256: Their hash, in hexadecimal digits.
        metadata: What it says about itself.
        file: What its ONNX header says.
        vouched: Whether its hash is known from elsewhere: it was given, is in MODEL.sha256, or is
            that of the packaged model.
    """

    name: str
    data: bytes
    sha256: str
    metadata: Metadata
    file: OnnxFile
    vouched: bool


def load_model(
    model: str | os.PathLike[str] | bytes | None = None,
    sha256: str | None = None,
    *,
    require_hash: bool = False,
) -> Model:
    """Read a model, and check all that can be checked before it runs.

    Args:
        model: A file, the name of an installed model, or a file's bytes; None is the packaged one.
        sha256: The hash that its bytes must have, in hexadecimal digits. The packaged model must
            also have the one in this package, and a file the one in its sidecar (MODEL.sha256, a
            line as sha256sum writes it) where there is one.
        require_hash: Refuse a model whose hash is not known from elsewhere.

    Raises:
        ModelError: It is missing, damaged or has another hash, or this runtime cannot use it.
        ValueError: `sha256` is not a hash.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"a sha256 has 64 hexadecimal digits, unlike {sha256!r}")
    path = None if isinstance(model, bytes) else find_model(model)
    name = "<bytes>" if isinstance(model, bytes) else str(path or PACKAGED_PATH.name)
    try:
        data = model if isinstance(model, bytes) else _read(path or PACKAGED_PATH, _MOST_BYTES)
    except OSError as error:
        fix = "" if path else " " + _REINSTALL
        raise ModelError(f"The model {name} cannot be read: {error.strerror}.{fix}") from None
    if len(data) > _MOST_BYTES:
        raise ModelError(f"The model {name} is larger than 2 GiB, which no ONNX file is.")
    found = hashlib.sha256(data).hexdigest()
    if model is None and found != PACKAGED_SHA256:
        hashes = f"its sha256 is {found}, not {PACKAGED_SHA256}"
        released = "the one that this version was released with"
        raise ModelError(f"The packaged model {name} is not {released}: {hashes}. {_REINSTALL}")
    if sha256 is not None and found != sha256.lower():
        hashes = f"its sha256 is {found}, not {sha256.lower()}"
        fix = "Fetch it again, or give the hash of this file."
        raise ModelError(f"The model {name} is not the requested one: {hashes}. {fix}", "sha256")
    beside = path is not None and _check_sidecar(path, found)
    vouched = model is None or sha256 is not None or beside
    if require_hash and not vouched:
        cause = "its hash was not given" + (f", and there is no {sidecar(path)}" if path else "")
        raise ModelError(f"Nothing vouches for the model {name}: {cause}.", "sha256")
    try:
        file = read_file(data)
        metadata = check(file)
        # The hash that a file has of itself tells of damage, not of malice.
        if not vouched and metadata.content_sha256 not in (None, content_sha256(data, file)):
            raise ModelError("The file is damaged: it is not what was exported. Fetch it again.")
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    return Model(name, data, found, metadata, file, vouched)


def _read(path: Path, most: int) -> bytes:
    """Read a file, up to a byte more than `most`. Raises OSError, also for what is no file."""
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe could wait for ever
        raise OSError(None, "it is not a file")
    with path.open("rb") as file:
        return file.read(most + 1)


def sidecar(model: Path) -> Path:
    """Return the path of a model's hash: beside it, with .sha256 appended."""
    return model.with_name(model.name + ".sha256")


def _check_sidecar(model: Path, found: str) -> bool:
    """Check the hash beside a model. Returns whether there is one."""
    path = sidecar(model)
    try:
        line = _read(path, _LONGEST_LINE)
    except FileNotFoundError:
        return False
    except OSError as error:
        cause = f"cannot be read from {path}: {error.strerror}"
        raise ModelError(f"The hash of the model {model} {cause}.") from None
    rewrite = f"sha256sum {model.name} > {path.name}"
    match = _LINE.fullmatch(line)
    if not match:
        raise ModelError(f"{path} is not one line as sha256sum writes it. Rewrite it: {rewrite}")
    expected = match[1].decode().lower()
    if found != expected:
        hashes = f"its sha256 is {found}, but {path} says {expected}"
        fix = "Fetch or install both again; if you meant to change it, rewrite the hash"
        raise ModelError(f"The model {model} was changed or is cut: {hashes}. {fix}: {rewrite}")
    return True


def installed_name(name: str, precision: str) -> str:
    """Return a model's name once it is installed, e.g. genre-infer-resnet34-float16."""
    return re.sub("[^a-z0-9]+", "-", f"{name}-{precision}".lower()).strip("-")


def find_model(model: str | os.PathLike[str] | None) -> Path | None:
    """Find a model's file: a path that exists, otherwise the installed model of that name.

    Returns:
        The file, which may not exist; None for the packaged model.

    Raises:
        ModelError: No model of that name is installed, or its package is damaged.
    """
    if model is None:
        return None
    path, name = Path(model), os.fspath(model)
    if os.path.exists(path):  # Path.exists would raise for a name that is too long
        return path
    installed = installed_models()
    if name in installed:
        return _model_in(name, installed[name])
    if path.suffix or path.name != name:  # meant as a path: reading it will say what is wrong
        return path
    known = f"installed are: {', '.join(sorted(installed))}" if installed else "none is installed"
    message = f"There is no file {name} and no installed model of that name; {known}."
    raise ModelError(f"{message} genre-export wheel makes one that you can pip install.")


def installed_models() -> dict[str, str]:
    """Map the names of the installed models to their modules.

    Raises:
        ModelError: Two packages claim one name.
    """
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    found: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        if found.setdefault(entry.name, entry.value) != entry.value:
            both = f"{found[entry.name]} and {entry.value}"
            fix = f"Remove one: pip uninstall {entry.value}"
            raise ModelError(f"Two installed packages have a model {entry.name}: {both}. {fix}")
    return found


def _model_in(name: str, module: str) -> Path:
    # A top-level module is found without running it; a dotted one would run its parents.
    spec = find_spec(module) if module.isidentifier() else None
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = [file for folder in folders for file in Path(folder).glob("*.onnx")]
    if len(files) != 1 or not sidecar(files[0]).exists():
        cause = f"its package {module} must have one model and its sha256"
        fix = "Reinstall its wheel with pip install --force-reinstall."
        raise ModelError(f"The installed model {name} is incomplete: {cause}. {fix}")
    return files[0]


def info_document(model: Model) -> dict[str, Any]:
    """Return the metadata, and what the file itself tells: sha256, bytes, opset, ir_version."""
    file = {"sha256": model.sha256, "bytes": len(model.data), "opset": model.file.opset}
    return {**model.metadata.to_document(), **file, "ir_version": model.file.ir_version}


def info_lines(model: Model) -> Iterator[str]:
    """Yield the lines that show people all of info_document."""
    metadata, file, size = model.metadata, model.file, len(model.data)
    genres = len(metadata.genres)
    form = metadata.to_document()["format"]
    yield f"{metadata.name} {metadata.version}, {metadata.precision}"
    yield f"  sha256      {model.sha256}"
    yield f"  size        {size / 1e6:.1f} MB ({size} bytes)"
    yield f"  input       {INPUT}, uint8 [N, height, width, 3], RGB, any size"
    yield f"              squished to {metadata.width}x{metadata.height} inside"
    yield f"  output      {OUTPUT}, float32 [N, {genres}]"
    yield f"  format      ONNX opset {file.opset}, IR version {file.ir_version}"
    yield f"              metadata format {form}"
    yield f"  checkpoint  {metadata.checkpoint_sha256}"
    yield from _mapping({"licences": metadata.licences, "made with": metadata.created_with}, 2)
    yield from _mapping({"details": metadata.details}, 2)
    yield f"  thresholds of the {genres} genres"
    width = max(map(len, metadata.genres))
    yield "    " + " ".join([" " * width, *(f"{mode:>15}" for mode in metadata.thresholds)])
    for genre in metadata.genres:
        row = (thresholds[genre] for thresholds in metadata.thresholds.values())
        cells = (f"{'never':>15}" if value is None else f"{value:15.6g}" for value in row)
        yield "    " + " ".join([f"{genre:{width}}", *cells])


def _mapping(values: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, value in values.items():
        name = " " * indent + printable(key).replace("_", " ")
        if isinstance(value, Mapping):
            yield name
            yield from _mapping(value, indent + 2)
        else:
            yield f"{name:26} {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{printable(key)}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return printable(str(value))
