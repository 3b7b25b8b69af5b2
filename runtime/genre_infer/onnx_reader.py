"""Reads what must be known of an ONNX file before an engine gets it, without the package onnx.

An ONNX file is a protocol buffer: each message is a list of fields of (number, wire type, value).
The numbers below are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from .errors import ModelError
from .metadata import INPUT, KEY, OUTPUT, Metadata

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_FLOAT, _UINT8 = 1, 2  # TensorProto.DataType
_PROPERTIES = 14  # ModelProto.metadata_props
_STANDARD_DOMAINS = {"", "ai.onnx"}

# The messages that are read, and which of their fields hold further ones. An inner graph's inputs
# and outputs are not the model's.
_INNER = {
    "model": {7: "graph", 8: "opset", 14: "property", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "inner": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "inner", 2: "inner"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "inner", 10: "tensor", 11: "inner", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}

_Value: TypeAlias = int | memoryview
_Fields: TypeAlias = list[tuple[int, _Value]]
_Signature: TypeAlias = tuple[int, list[int | None]]


@dataclass
class OnnxFile:
    """What an ONNX file says outside its weights.

    Attributes:
        metadata: Key -> text.
        inputs: Name -> (element type, dimensions; None: any size). Initializers are left out.
        outputs: The same of the outputs.
        domains: Operator domains in use, in the graph, its subgraphs and functions.
        functions: Names of the operators that the model defines itself.
        external: Whether weights are in other files.
        ir_version: Version of the format; 0 where the file does not say.
        opset: Version of the standard operators; 0 where the file does not say.
    """

    metadata: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, _Signature] = field(default_factory=dict)
    outputs: dict[str, _Signature] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    functions: list[str] = field(default_factory=list)
    external: bool = False
    ir_version: int = 0
    opset: int = 0


def read_file(model: bytes) -> OnnxFile:
    """Read what an ONNX file says outside its weights.

    Raises:
        ModelError: The file is not ONNX, is damaged, or was cut short.
    """
    file, outermost = OnnxFile(), None
    try:
        outermost = list(_fields(memoryview(model)))
        for kind, fields in _messages("model", outermost):
            _read(kind, fields, file)
    except (IndexError, ValueError, RecursionError) as error:
        # Every ONNX file begins with its ir_version.
        if outermost is None and isinstance(error, IndexError) and model.startswith(b"\x08"):
            message = "The file ends before the model does; fetch or export it again."
            raise ModelError(message) from None
        file = OnnxFile()
    if not file.inputs and not file.outputs:
        raise ModelError("The file is not an ONNX model, or it is damaged.")
    return file


def check(file: OnnxFile) -> Metadata:
    """Check that this runtime can use a file, and return its metadata.

    Raises:
        ModelError: Weights are in other files, operators are not of the standard domain, the model
            defines operators, or its metadata, inputs or outputs are missing or wrong.
    """
    if file.external:
        raise ModelError("The model keeps weights in other files; export it as one file.")
    unknown = ", ".join(sorted(file.domains - _STANDARD_DOMAINS))
    if unknown:
        raise ModelError(f"The model has operators outside the ONNX standard: {unknown}.")
    if file.functions:  # one could stand in for an operator of the standard
        functions = ", ".join(sorted(file.functions))
        raise ModelError(f"The model defines operators of its own: {functions}.")
    if KEY not in file.metadata:
        cause = "it was not made by genre-export, or its end is missing"
        raise ModelError(f"The ONNX file has no metadata of genre-infer; {cause}.")
    metadata = Metadata.from_json(file.metadata[KEY])
    genres = len(metadata.genres)
    if file.inputs != {INPUT: (_UINT8, [None, None, None, 3])}:
        raise ModelError(f"The model's input is not {INPUT!r}, uint8 [N, height, width, 3].")
    kind, shape = file.outputs.get(OUTPUT, (0, []))
    if list(file.outputs) != [OUTPUT] or kind != _FLOAT or shape[:1] != [None] or len(shape) != 2:
        raise ModelError(f"The model's output is not {OUTPUT!r}, float32 [N, {genres}].")
    if shape[1] != genres:
        output = f"its output is float32 [N, {shape[1] or 'any'}]; it was changed after its export"
        raise ModelError(f"The model's metadata names {genres} genres, but {output}.")
    return metadata


def content_sha256(model: bytes, file: OnnxFile) -> str:
    """Hash what a file says, except for this hash itself, which is in its metadata.

    Args:
        model: The file's bytes.
        file: What read_file() returned for them.

    Returns:
        In hexadecimal digits.
    """
    digest = hashlib.sha256()
    for number, value in _fields(memoryview(model)):
        if number != _PROPERTIES:
            digest.update(b"%d:" % number)
            digest.update(b"%d" % value if isinstance(value, int) else value)
    document = json.loads(file.metadata[KEY])
    document.pop("content_sha256", None)
    digest.update(json.dumps(document, sort_keys=True).encode())
    return digest.hexdigest()


def _read(kind: str, fields: _Fields, file: OnnxFile) -> None:
    """Note what one message says."""
    last = dict(fields)  # of a field that appears twice, the last one counts
    if kind == "model":
        file.ir_version = _int(last.get(1, 0))
    elif kind == "opset" and _text(last, 1) in _STANDARD_DOMAINS:
        file.opset = _int(last.get(2, 0))
    elif kind == "property":
        key = _text(last, 1)
        if key in file.metadata:
            raise ModelError(f"The model's metadata has {key!r} twice.")
        file.metadata[key] = _text(last, 2)
    elif kind == "function":
        name, domain = _text(last, 1), _text(last, 10)
        file.functions.append(f"{domain}:{name}" if domain else name)
        file.domains.add(domain)
    elif kind == "node":
        file.domains.add(_text(last, 7))
    elif kind == "tensor":  # external_data, data_location
        file.external |= any(n == 13 or (n == 14 and value != 0) for n, value in fields)
    elif kind == "graph":
        tensors = {_text(dict(_fields(value)), 8) for n, value in fields if n == 5}
        _read_signatures(fields, 11, file.inputs, tensors)
        _read_signatures(fields, 12, file.outputs, set())


def _read_signatures(
    fields: _Fields, wanted: int, found: dict[str, _Signature], but: set[str]
) -> None:
    for info in (list(_fields(value)) for number, value in fields if number == wanted):
        name = _text(dict(info), 1)
        if name in found:
            raise ValueError("two of one name")
        if name not in but:
            found[name] = _signature(info)


def _signature(info: _Fields) -> _Signature:
    """Read the element type and the dimensions; the type is 0 for what is not a plain tensor."""
    types = [part for number, value in info if number == 2 for part in _fields(value)]
    if {which for which, _ in types} - {1, 6}:  # neither tensor_type nor denotation
        return 0, []
    tensor = [part for which, value in types if which == 1 for part in _fields(value)]
    shape = [dim for number, value in tensor if number == 2 for _, dim in _fields(value)]
    return _int(dict(tensor).get(1, 0)), [_dimension(dim) for dim in shape]


def _dimension(dimension: _Value) -> int | None:
    # dim_value; a named dimension (dim_param) can be anything
    sizes = [_int(v) if number == 1 else None for number, v in _fields(dimension) if number < 3]
    return sizes[-1] if sizes else None


def _messages(kind: str, fields: _Fields) -> Iterator[tuple[str, _Fields]]:
    """Yield a message and all those in it that _INNER names, each with its kind."""
    yield kind, fields
    inner = _INNER.get(kind, {})
    for number, value in fields:
        if number in inner:
            yield from _messages(inner[number], list(_fields(value)))


def _text(fields: dict[int, _Value], number: int) -> str:
    value = fields.get(number, memoryview(b""))
    if isinstance(value, int):
        raise ValueError("a number where a text belongs")
    return str(value, "utf-8")


def _int(value: _Value) -> int:
    if not isinstance(value, int):
        raise ValueError("a message where a number belongs")
    return value


def _fields(message: _Value) -> Iterator[tuple[int, _Value]]:
    """Split a message into fields.

    Raises:
        IndexError: The message ends within a field.
        ValueError: This is not a message.
    """
    if isinstance(message, int):
        raise ValueError("a number where a message belongs")
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        # Engines take a key's lower 32 bits: to them a larger key would be another field.
        if not 0 < key >> 3 < 1 << 29:
            raise ValueError("not a field's number")
        wire = key & 7
        size = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if wire in (_VARINT, _BYTES):
            size, position = _varint(message, position)
        elif not size:
            raise ValueError(f"wire type {wire}")
        if wire == _VARINT:
            yield key >> 3, size
            continue
        if position + size > len(message):
            raise IndexError("a field is longer than what is left of its message")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number too long")
