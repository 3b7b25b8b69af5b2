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
_HERE = 0  # TensorProto.DataLocation
_STANDARD_DOMAINS = {"", "ai.onnx"}
_NOTHING = memoryview(b"")


@dataclass
class OnnxFile:
    """metadata: key -> text. inputs, outputs: name -> (element type, dimensions; None: any).
    domains: operator domains in use, in the graph, its subgraphs and functions. functions: names of
    the model's own. external: whether data lies in other files. ir_version, opset: of the format
    and of the standard operators; 0 where the file does not say."""

    metadata: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, tuple[int, list[int | None]]] = field(default_factory=dict)
    outputs: dict[str, tuple[int, list[int | None]]] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    functions: list[str] = field(default_factory=list)
    external: bool = False
    ir_version: int = 0
    opset: int = 0


def read_metadata(model: bytes) -> Metadata:
    """The metadata of a model that this runtime can use. Raises ModelError, see read_file and
    check."""
    return check(read_file(model))


def read_file(model: bytes) -> OnnxFile:
    """Read what an ONNX file says outside its weights. Raises ModelError for what is not ONNX and
    for a file that was cut short."""
    try:
        file = _read_model(memoryview(model))
    except _PastTheEndError:
        raise ModelError("The file ends before the model does; fetch or export it anew.") from None
    except (IndexError, ValueError, RecursionError):
        raise ModelError("The file is not an ONNX model, or it is damaged.") from None
    if not file.inputs and not file.outputs:
        raise ModelError("The file is not an ONNX model, or it is damaged.")
    return file


def check(file: OnnxFile) -> Metadata:
    """Refuse, each with its own sentence, data in other files, operators outside the standard
    domain, functions of a model's own, missing or faulty metadata, other inputs and outputs.

    Returns the metadata. Raises ModelError.
    """
    if file.external:
        raise ModelError("The model keeps weights in other files; export it as one file.")
    strange = sorted(file.domains - _STANDARD_DOMAINS)
    if strange:
        raise ModelError(
            f"The model has operators outside the ONNX standard: {', '.join(strange)}."
        )
    if file.functions:  # one could stand in for an operator of the standard
        raise ModelError(
            f"The model defines operators of its own: {', '.join(sorted(file.functions))}."
        )
    if KEY not in file.metadata:
        raise ModelError(
            "The ONNX file has no metadata of genre-infer; it was not made by genre-export, or its "
            "end is missing."
        )
    metadata = Metadata.from_json(file.metadata[KEY])
    _check_signature(file, len(metadata.genres))
    return metadata


def _check_signature(file: OnnxFile, genres: int) -> None:
    kind, shape = file.inputs.get(INPUT, (0, []))
    if list(file.inputs) != [INPUT] or kind != _UINT8 or shape != [None, None, None, 3]:
        raise ModelError(f"The model's input is not {INPUT!r}, uint8 [N, height, width, 3].")
    kind, shape = file.outputs.get(OUTPUT, (0, []))
    if list(file.outputs) != [OUTPUT] or kind != _FLOAT or shape[:1] != [None] or len(shape) != 2:
        raise ModelError(f"The model's output is not {OUTPUT!r}, float32 [N, {genres}].")
    if shape[1] != genres:
        raise ModelError(
            f"The model's metadata names {genres} genres, but its output is float32 "
            f"[N, {shape[1] or 'any'}]; it was changed after its export."
        )


class _PastTheEndError(ValueError):
    """The outermost message of what begins as ONNX does is not whole."""


def _read_model(model: memoryview) -> OnnxFile:
    file = OnnxFile()
    for number, value in _whole_fields(model):
        if number == 1:  # ir_version
            file.ir_version = _int(value)
        elif number == 7:  # graph
            _read_graph(_bytes(value), file, outermost=True)
        elif number == 8:  # opset_import: domain = 1, version = 2
            entry = dict(_fields(_bytes(value)))
            if _text(entry.get(1, _NOTHING)) in _STANDARD_DOMAINS:
                file.opset = _int(entry.get(2, 0))
        elif number == 14:  # metadata_props: key = 1, value = 2
            _read_property(_bytes(value), file)
        elif number == 20:  # training_info: initialization = 1, algorithm = 2
            for part, inner in _fields(_bytes(value)):
                if part in (1, 2):
                    _read_graph(_bytes(inner), file, outermost=False)
        elif number == 25:  # functions
            _read_function(_bytes(value), file)
    return file


def _whole_fields(model: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The outermost fields. A file that begins with ir_version, as every ONNX file does, and whose
    last field runs past the end was cut short; any other that does so is something else."""
    try:
        yield from _fields(model)
    except (IndexError, _FieldPastTheEndError):
        if bytes(model[:1]) == b"\x08":
            raise _PastTheEndError from None
        raise


def _read_property(entry: memoryview, file: OnnxFile) -> None:
    parts = {n: _text(v) for n, v in _fields(entry)}
    key = parts.get(1, "")
    if key in file.metadata:
        raise ModelError(f"The model's metadata has {key!r} twice.")
    file.metadata[key] = parts.get(2, "")


def _read_function(function: memoryview, file: OnnxFile) -> None:
    # name = 1, node = 7, domain = 10
    name, domain = _last_text(function, 1), _last_text(function, 10)
    file.functions.append(f"{domain}:{name}" if domain else name)
    file.domains.add(domain)
    for number, value in _fields(function):
        if number == 7:
            _read_node(_bytes(value), file)


def _read_graph(graph: memoryview, file: OnnxFile, *, outermost: bool) -> None:
    initializers = set()
    inputs: list[tuple[str, tuple[int, list[int | None]]]] = []
    for number, value in _fields(graph):
        if number == 1:  # node
            _read_node(_bytes(value), file)
        elif number == 5:  # initializer
            initializers.add(_last_text(_bytes(value), 8))
            _read_tensor(_bytes(value), file)
        elif number == 15:  # sparse_initializer
            _read_sparse(_bytes(value), file)
        elif number == 11 and outermost:
            inputs.append(_value_info(_bytes(value)))
        elif number == 12 and outermost:
            _add(file.outputs, *_value_info(_bytes(value)))
    for name, info in inputs:
        if name not in initializers:
            _add(file.inputs, name, info)


def _add(
    values: dict[str, tuple[int, list[int | None]]], name: str, info: tuple[int, list[int | None]]
) -> None:
    if name in values:
        raise ValueError("two of one name")
    values[name] = info


def _read_node(node: memoryview, file: OnnxFile) -> None:
    domain = ""
    for number, value in _fields(node):
        if number == 7:
            domain = _text(value)
        elif number == 5:  # attribute
            for part, inner in _fields(_bytes(value)):
                if part in (5, 10):  # tensor, tensors
                    _read_tensor(_bytes(inner), file)
                elif part in (6, 11):  # graph, graphs
                    _read_graph(_bytes(inner), file, outermost=False)
                elif part in (22, 23):  # sparse_tensor, sparse_tensors
                    _read_sparse(_bytes(inner), file)
    file.domains.add(domain)


def _read_tensor(tensor: memoryview, file: OnnxFile) -> None:
    # external_data = 13, data_location = 14
    for number, value in _fields(tensor):
        if number == 13 or (number == 14 and value != _HERE):
            file.external = True


def _read_sparse(tensor: memoryview, file: OnnxFile) -> None:
    for number, value in _fields(tensor):
        if number in (1, 2):  # values, indices
            _read_tensor(_bytes(value), file)


def _value_info(info: memoryview) -> tuple[str, tuple[int, list[int | None]]]:
    name, kind, shape = "", 0, []
    for number, value in _fields(info):
        if number == 1:
            name = _text(value)
        elif number == 2:  # type: tensor_type = 1; any other is no plain tensor
            for which, tensor in _fields(_bytes(value)):
                if which not in (1, 6):  # 6: a remark
                    kind = 0
                for part, inner in _fields(_bytes(tensor)) if which == 1 else ():
                    if part == 1:  # elem_type
                        kind = _int(inner)
                    elif part == 2:  # shape: dim = 1; of a message that is there twice, both count
                        shape += [_dimension(_bytes(d)) for _, d in _fields(_bytes(inner))]
    return name, (kind, shape)


def _dimension(dimension: memoryview) -> int | None:
    size = None
    for number, value in _fields(dimension):
        if number in (1, 2):  # dim_value; a named dimension (dim_param) can be anything
            size = _int(value) if number == 1 else None
    return size


def _last_text(message: memoryview, wanted: int) -> str:
    """Of a field that is there twice, the last one counts."""
    return _text(dict(_fields(message)).get(wanted, _NOTHING))


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
        # Engines take a key's lower 32 bits: a larger one would be another field to them.
        if not 0 < key >> 3 < 1 << 29:
            raise ValueError("no number of a field")
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
            raise _FieldPastTheEndError
        yield key >> 3, message[position : position + size]
        position += size


class _FieldPastTheEndError(ValueError):
    """A field is longer than what is left of its message."""


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
