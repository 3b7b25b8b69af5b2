"""One model file: found by path or name, its bytes checked before an engine gets them, and shown.

A model can be installed as a package of its own, which holds data only (genre-export wheel makes
one): its entry point in the group genre_infer.models says which module it is.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import ModelError
from .metadata import INPUT, OUTPUT, Metadata
from .onnx_reader import OnnxFile, check, read_file
from .rows import printable

# The model that travels in the wheel.
PACKAGED_PATH = Path(__file__).with_name("model") / "genre-infer.onnx"
PACKAGED_NAME = "genre-infer-resnet34"
PACKAGED_VERSION = "0.1.0"
PACKAGED_SHA256 = "ebc91f190221a21d7804145d50a91cfc479ece359de2d2d8d6325d32faa7775e"

GROUP = "genre_infer.models"

# A line of sha256sum: the hash, a blank, a blank or an asterisk, the name. A backslash in front
# says that newlines and backslashes in the name are escaped.
_LINE = re.compile(rb"\\?([0-9a-fA-F]{64})(?: [ *][^\n]*)?\r?\n?")
_LONGEST_LINE = 8192
_SHA256 = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that was read once and passed every check.

    name: for sentences. data: its bytes; an engine gets these very bytes. sha256: theirs, in hex.
    metadata: what it says of itself. file: what its ONNX header says.
    """

    name: str
    data: bytes
    sha256: str
    metadata: Metadata
    file: OnnxFile


def load_model(path: Path | None = None, sha256: str | None = None) -> Model:
    """Read a model file, or the packaged one, and check all of it that can be checked before it
    runs.

    Its sha256 must be the one that was given, the one in its sidecar (PATH.sha256, a line as
    sha256sum writes it) where there is one, and for the packaged model the one in this package.
    Raises ModelError, ValueError for a `sha256` that is none.
    """
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise ValueError(f"a sha256 has 64 hexadecimal digits, which {sha256!r} has not")
    where = path or PACKAGED_PATH
    name = str(path) if path else PACKAGED_PATH.name
    try:
        data = where.read_bytes()
    except OSError as error:
        mend = "" if path else " " + _REINSTALL
        raise ModelError(f"The model {name} cannot be read: {error.strerror}.{mend}") from None
    found = hashlib.sha256(data).hexdigest()
    if path is None and found != PACKAGED_SHA256:
        raise ModelError(
            f"The packaged model {name} is not the one that this version was released with: its "
            f"sha256 is {found}, not {PACKAGED_SHA256}. {_REINSTALL}"
        )
    if sha256 is not None and found != sha256.lower():
        raise ModelError(
            f"The model {name} is not the file that was asked for: its sha256 is {found}, "
            f"--sha256 says {sha256.lower()}. Fetch it anew, or name the hash of this file."
        )
    if path is not None:
        _check_sidecar(path, found)
    try:
        file = read_file(data)
        return Model(name, data, found, check(file), file)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None


_REINSTALL = "Reinstall it: pip install --force-reinstall genre-infer"


def sidecar(model: Path) -> Path:
    """Where a model's hash lies: beside it, with .sha256 appended."""
    return model.with_name(model.name + ".sha256")


def sidecar_line(model: Path, sha256: str) -> bytes:
    """The sidecar's content, as sha256sum writes it in the model's folder."""
    name = os.fsencode(model.name)
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    return (b"\\" if escaped != name else b"") + sha256.encode() + b"  " + escaped + b"\n"


def _check_sidecar(model: Path, found: str) -> None:
    path = sidecar(model)
    try:
        with path.open("rb") as file:
            line = file.read(_LONGEST_LINE)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ModelError(
            f"The hash of the model {model} cannot be read from {path}: {error.strerror}."
        ) from None
    again = f"Write it anew: sha256sum {model.name} > {path.name}"
    match = _LINE.fullmatch(line)
    if not match:
        raise ModelError(f"{path} is not one line as sha256sum writes it. {again}")
    expected = match[1].decode().lower()
    if found != expected:
        raise ModelError(
            f"The model {model} was changed or is not whole: its sha256 is {found}, {path} says "
            f"{expected}. Fetch or install both anew; if the change was meant: {again}"
        )


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


def info_document(model: Model) -> dict[str, Any]:
    """The metadata with what the file itself tells: sha256, bytes, opset, ir_version."""
    return {
        **model.metadata.to_document(),
        "sha256": model.sha256,
        "bytes": len(model.data),
        "opset": model.file.opset,
        "ir_version": model.file.ir_version,
    }


def info_lines(model: Model) -> Iterator[str]:
    """The same, readable: everything that info_document has, a line or more each."""
    metadata = model.metadata
    genres = len(metadata.genres)
    yield f"{metadata.name} {metadata.version}, {metadata.precision}"
    yield f"  sha256      {model.sha256}"
    yield f"  size        {len(model.data) / 1e6:.1f} MB ({len(model.data)} bytes)"
    yield f"  input       {INPUT}, uint8 [N, height, width, 3], RGB, any size"
    yield f"              squished to {metadata.width}x{metadata.height} inside"
    yield f"  output      {OUTPUT}, float32 [N, {genres}]"
    form = metadata.to_document()["format"]
    yield f"  format      ONNX opset {model.file.opset}, IR version {model.file.ir_version}"
    yield f"              metadata format {form}"
    yield f"  checkpoint  {metadata.checkpoint_sha256}"
    for title, values in (
        ("licences", metadata.licences),
        ("made with", metadata.created_with),
        ("details", metadata.details),
    ):
        yield f"  {title}"
        yield from _mapping(values, 4)
    yield f"  thresholds of the {genres} genres"
    yield from _thresholds(metadata)


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


def _thresholds(metadata: Metadata) -> Iterator[str]:
    width = max(map(len, metadata.genres))
    yield "    " + " ".join([" " * width, *(f"{mode:>15}" for mode in metadata.thresholds)])
    for genre in metadata.genres:
        cells = [_cell(row[genre]) for row in metadata.thresholds.values()]
        yield "    " + " ".join([f"{genre:{width}}", *cells])


def _cell(threshold: float | None) -> str:
    return f"{'never':>15}" if threshold is None else f"{threshold:15.6g}"
