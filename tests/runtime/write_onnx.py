"""Writes small ONNX files by hand, with any fault: onnx is not in the runtime's environment."""

import json
from collections.abc import Iterable

import numpy as np

Field = tuple[int, "int | bytes | str"]


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def message(fields: Iterable[Field]) -> bytes:
    """Fields of (number, value) as a protocol buffer."""
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            encoded += varint(number << 3 | 2) + varint(len(data)) + data
    return encoded


def value_info(name: str, kind: int, shape: list[int | None]) -> bytes:
    dims = message(
        (1, message([(2, f"any{axis}")] if size is None else [(1, size)]))
        for axis, size in enumerate(shape)
    )
    tensor = message([(1, kind), (2, dims)])
    return message([(1, name), (2, message([(1, tensor)]))])


METADATA = {
    "format": 1,
    "name": "test",
    "version": "1",
    "genres": ["Drama", "Horror"],
    "thresholds": {"balanced": {"Drama": 0.5, "Horror": None}},
    "width": 182,
    "height": 268,
    "precision": "float32",
    "checkpoint_sha256": "0" * 64,
    "licences": {},
    "created_with": {},
}


def node(operator: str, domain: str = "", *attributes: Field) -> bytes:
    parts = [(5, message([(1, "attribute"), attribute])) for attribute in attributes]
    return message([(1, "image"), (2, "probabilities"), (4, operator), (7, domain), *parts])


EXTERNAL = message([(8, "weight"), (14, 1)])
"""A tensor whose data is in another file."""


def model_bytes(
    *,
    nodes: Iterable[bytes] = (),
    graph_fields: Iterable[Field] = (),
    model_fields: Iterable[Field] = (),
    domain: str = "",
    metadata: dict[str, object] | str | None = METADATA,
    input_name: str = "image",
    input_type: int = 2,
    input_shape: list[int | None] | None = None,
    extra_input: bool = False,
    output_name: str = "probabilities",
    output_type: int = 1,
    output_shape: list[int | None] | None = None,
    initializer_listed_as_input: bool = False,
) -> bytes:
    """An ONNX file with a correct header, except for what is asked; its graph computes nothing.

    nodes, graph_fields, model_fields: more of each. metadata: changes to METADATA, or a text."""
    inner = message([(1, node("Identity"))])
    graph: list[Field] = [(1, node("If", domain, (6, inner))), *((1, more) for more in nodes)]
    graph.append((5, message([(8, "weight")])))
    graph.append((11, value_info(input_name, input_type, input_shape or [None, None, None, 3])))
    if extra_input:
        graph.append((11, value_info("more", 1, [None])))
    if initializer_listed_as_input:
        graph.append((11, value_info("weight", 1, [1])))
    graph.append((12, value_info(output_name, output_type, output_shape or [None, 2])))
    opset = message([(1, ""), (2, 18)])
    fields: list[Field] = [(1, 10), (7, message([*graph, *graph_fields])), (8, opset)]
    if metadata is not None:
        text = metadata if isinstance(metadata, str) else json.dumps(METADATA | metadata)
        fields.append((14, message([(1, "genre_infer"), (2, text)])))
    return message([*fields, *model_fields])


TOY_GENRES = ["Comedy", "Drama", "Horror", "Western"]
TOY_SIZE = (40, 60)  # width, height


def tensor(name: str, values: np.ndarray) -> bytes:
    kind = {"float32": 1, "int64": 7}[values.dtype.name]
    fields: list[Field] = [(1, size) for size in values.shape]
    return message([*fields, (2, kind), (8, name), (9, values.tobytes())])


def step(operator: str, inputs: list[str], output: str, **numbers: int) -> bytes:
    attributes = [(5, message([(1, name), (3, n), (20, 2)])) for name, n in numbers.items()]
    return message([*((1, name) for name in inputs), (2, output), (4, operator), *attributes])


def toy_model(**changes: object) -> bytes:
    """A model of a kilobyte that every engine runs: probabilities from the mean colour.

    changes: to its metadata."""
    weights = np.array([[9, 1, -9, 3], [5, -6, 1, 2], [-9, 4, 2, -7]], np.float32) / 255
    steps = [
        step("Cast", ["image"], "numbers", to=1),
        step("ReduceMean", ["numbers", "axes"], "colour", keepdims=0),
        step("MatMul", ["colour", "weights"], "weighted"),
        step("Add", ["weighted", "bias"], "logits"),
        step("Sigmoid", ["logits"], "probabilities"),
    ]
    tensors = [
        tensor("axes", np.array([1, 2])),
        tensor("weights", weights),
        tensor("bias", np.array([-1, 0.5, 1, 0], np.float32)),
    ]
    graph: list[Field] = [(1, one) for one in steps]
    graph.append((2, "toy"))
    graph += [(5, one) for one in tensors]
    graph.append((11, value_info("image", 2, [None, None, None, 3])))
    graph.append((12, value_info("probabilities", 1, [None, len(TOY_GENRES)])))
    width, height = TOY_SIZE
    modes = {"balanced": 0.5, "high-precision": 0.8, "high-recall": 0.3}
    document = METADATA | {
        "genres": TOY_GENRES,
        "thresholds": {mode: dict.fromkeys(TOY_GENRES, t) for mode, t in modes.items()},
        "width": width,
        "height": height,
    }
    properties = message([(1, "genre_infer"), (2, json.dumps(document | changes))])
    opset = message([(1, ""), (2, 18)])
    return message([(1, 8), (7, message(graph)), (8, opset), (14, properties)])
