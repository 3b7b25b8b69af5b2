"""A model's bytes, checked before an engine gets them: which file it is, and what it says."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from . import packaged
from .errors import ModelError
from .metadata import Metadata
from .onnx_file import OnnxFile, check, read_file

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
    where = path or packaged.PATH
    name = str(path) if path else packaged.PATH.name
    try:
        data = where.read_bytes()
    except OSError as error:
        mend = "" if path else " " + _REINSTALL
        raise ModelError(f"The model {name} cannot be read: {error.strerror}.{mend}") from None
    found = hashlib.sha256(data).hexdigest()
    if path is None and found != packaged.SHA256:
        raise ModelError(
            f"The packaged model {name} is not the one that this version was released with: its "
            f"sha256 is {found}, not {packaged.SHA256}. {_REINSTALL}"
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
