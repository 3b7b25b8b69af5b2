"""Reads of an ONNX file what must be known before an engine gets it, without the package onnx.

An ONNX file is a protocol buffer: fields of (number, wire type, value). The numbers below are those
of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import ModelError
from .metadata import INPUT, KEY, OUTPUT, Metadata

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT, _UINT8 = 1, 2  # TensorProto.DataType
_EXTERNAL = 1  # TensorProto.DataLocation
_STANDARD_DOMAINS = {"", "ai.onnx"}


@dataclass
class OnnxFile:
    """metadata: key -> text. inputs, outputs: name -> (element type, dimensions; None: any).
    domains: operator domains in use. external: whether data lies in other files."""

    metadata: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, tuple[int, list[int | None]]] = field(default_factory=dict)
    outputs: dict[str, tuple[int, list[int | None]]] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    external: bool = False


def read_metadata(model: bytes) -> Metadata:
    """Check that a file is a model that this runtime can use, and return its metadata.

    Refused, each with its own sentence: what is not ONNX, data in other files, operators outside
    the standard domain, missing or faulty metadata, other inputs and outputs. Raises ModelError.
    """
    try:
        file = _read_model(memoryview(model))
    except (IndexError, ValueError, RecursionError):
        raise ModelError("The file is not an ONNX model, or it is damaged.") from None
    if not file.inputs and not file.outputs:
        raise ModelError("The file is not an ONNX model, or it is damaged.")
    if file.external:
        raise ModelError("The model keeps weights in other files; export it as one file.")
    strange = sorted(file.domains - _STANDARD_DOMAINS)
    if strange:
        raise ModelError(
            f"The model has operators outside the ONNX standard: {', '.join(strange)}."
        )
    if KEY not in file.metadata:
        raise ModelError(
            "The ONNX file has no metadata of genre-infer; it was not made by genre-export."
        )
    metadata = Metadata.from_json(file.metadata[KEY])
    _check_signature(file, len(metadata.genres))
    return metadata


def _check_signature(file: OnnxFile, genres: int) -> None:
    kind, shape = file.inputs.get(INPUT, (0, []))
    if list(file.inputs) != [INPUT] or kind != _UINT8 or shape != [None, None, None, 3]:
        raise ModelError(f"The model's input is not {INPUT!r}, uint8 [N, height, width, 3].")
    kind, shape = file.outputs.get(OUTPUT, (0, []))
    if list(file.outputs) != [OUTPUT] or kind != _FLOAT or shape != [None, genres]:
        raise ModelError(f"The model's output is not {OUTPUT!r}, float32 [N, {genres}].")


def _read_model(model: memoryview) -> OnnxFile:
    file = OnnxFile()
    for number, value in _fields(model):
        if number == 7:  # graph
            _read_graph(_bytes(value), file, outermost=True)
        elif number == 14:  # metadata_props: key = 1, value = 2
            entry = {n: _text(v) for n, v in _fields(_bytes(value))}
            file.metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == 25:  # functions: domain = 10
            file.domains.add(_first_text(_bytes(value), 10) or "a model's own functions")
    return file


def _read_graph(graph: memoryview, file: OnnxFile, *, outermost: bool) -> None:
    initializers = set()
    inputs: dict[str, tuple[int, list[int | None]]] = {}
    for number, value in _fields(graph):
        if number == 1:  # node
            _read_node(_bytes(value), file)
        elif number == 5:  # initializer
            initializers.add(_first_text(_bytes(value), 8))
            _read_tensor(_bytes(value), file)
        elif number == 11 and outermost:
            inputs |= _value_info(_bytes(value))
        elif number == 12 and outermost:
            file.outputs |= _value_info(_bytes(value))
    file.inputs |= {name: info for name, info in inputs.items() if name not in initializers}


def _read_node(node: memoryview, file: OnnxFile) -> None:
    domain = ""
    for number, value in _fields(node):
        if number == 7:
            domain = _text(value)
        elif number == 5:  # attribute: tensor = 5, graph = 6, tensors = 10, graphs = 11
            for part, inner in _fields(_bytes(value)):
                if part in (5, 10):
                    _read_tensor(_bytes(inner), file)
                elif part in (6, 11):
                    _read_graph(_bytes(inner), file, outermost=False)
    file.domains.add(domain)


def _read_tensor(tensor: memoryview, file: OnnxFile) -> None:
    # external_data = 13, data_location = 14
    for number, value in _fields(tensor):
        if number == 13 or (number == 14 and value == _EXTERNAL):
            file.external = True


def _value_info(info: memoryview) -> dict[str, tuple[int, list[int | None]]]:
    name, kind, shape = "", 0, []
    for number, value in _fields(info):
        if number == 1:
            name = _text(value)
        elif number == 2:  # type: tensor_type = 1: elem_type = 1, shape = 2: dim = 1
            for _, tensor in _fields(_bytes(value)):
                for part, inner in _fields(_bytes(tensor)):
                    if part == 1:
                        kind = _int(inner)
                    elif part == 2:
                        shape = [_dimension(_bytes(d)) for _, d in _fields(_bytes(inner))]
    return {name: (kind, shape)}


def _dimension(dimension: memoryview) -> int | None:
    for number, value in _fields(dimension):
        if number == 1:  # dim_value; a named dimension (dim_param = 2) can be anything
            return _int(value)
    return None


def _first_text(message: memoryview, wanted: int) -> str:
    return next((_text(value) for number, value in _fields(message) if number == wanted), "")


def _text(value: int | memoryview) -> str:
    return str(_bytes(value), "utf-8")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _int(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise ValueError("a message where a number belongs")
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message. Raises ValueError or IndexError on what is not one."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire = key & 7
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            size, position = _varint(message, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + size > len(message):
            raise ValueError("a field runs past the end")
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
