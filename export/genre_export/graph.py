"""The ONNX graph: preprocessing of raw pixels, then the network."""

import io
import json
from dataclasses import replace
from typing import Any

import onnx
import torch
from onnx import compose, parser

from genre_infer.metadata import INPUT, KEY, OUTPUT, Metadata
from genre_infer.onnx_reader import content_sha256, read_file

from .fold import Folded

OPSET = 18
IR_VERSION = 10  # nothing in the graph needs a newer one, and older readers take it


def network_graph(network: Folded, size: tuple[int, int]) -> onnx.ModelProto:
    """Export the folded network: 'levels' -> 'probabilities'.

    Args:
        network: The network.
        size: Width and height of the input in pixels.

    Returns:
        A graph from float32 [N, 3, height, width] in levels of 0 to 255 to float32 [N, genres].
    """
    width, height = size
    example = torch.zeros(2, 3, height, width)
    program = torch.onnx.export(
        network,
        (example,),
        input_names=["levels"],
        output_names=[OUTPUT],
        dynamic_shapes={"levels": {0: torch.export.Dim("N")}},
        opset_version=OPSET,
        dynamo=True,
        optimize=True,
        verbose=False,
    )
    buffer = io.BytesIO()
    onnx.save(program.model_proto, buffer)
    return strip(onnx.load_from_string(buffer.getvalue()))


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter recorded about the machine: stack traces with paths."""
    model.producer_name, model.producer_version, model.doc_string = "genre-export", "", ""
    del model.metadata_props[:]
    _strip_graph(model.graph)
    return model


def _strip_graph(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _strip_graph(attribute.g)


def preprocessing_graph(size: tuple[int, int]) -> onnx.ModelProto:
    """Build Pillow's bilinear resize: 'image' -> 'levels'.

    Columns are resized first, then rows. Each step is a product with a matrix of triangular
    weights, which average when shrinking, and rounds to whole levels as Pillow does,
    floor(x + 0.5). The weight of input pixel x for output pixel i is (precompute_coeffs in Pillow's
    Resample.c) max(0, 1 - |x + 0.5 - (i + 0.5) scale| / max(scale, 1)) with scale = input / output,
    normalised. It needs float32. ONNX's own Resize is not used because engines disagree on its
    antialias.

    A batch that already has the input size must not pay for the products. An If could skip them,
    but behind an If OpenVINO (2026.4) gives wrong probabilities for the first batch of each shape,
    without an error. So the batch is cut in two: the posters that have the size (all or none) and
    the others (none or all); a product with no posters costs nothing. onnxruntime before 1.32 takes
    an empty operand only on the left, and only without a Transpose right before the product,
    because it fuses the two.

    Args:
        size: Width and height of the input in pixels.

    Returns:
        A graph from uint8 [N, any height, any width, 3] to float32 [N, 3, height, width].
    """
    width, height = size
    text = f"""
    <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
    preprocessing (uint8[N, height, width, 3] {INPUT}) => (float[N, 3, {height}, {width}] levels)
    <int64[2] input_size = {{{height}, {width}}}, int64[3] origin = {{0, 0, 0}},
     int64[3] first_axes = {{0, 1, 2}}, int64[1] zero = {{0}}, int64[1] one = {{1}},
     int64[1] three = {{3}}, int64[1] end = {{{2**63 - 1}}},
     int64[4] output_shape = {{-1, 3, {height}, {width}}}>
    {{
      shape = Shape ({INPUT})
      posters = Slice (shape, zero, one)
      given_size = Slice (shape, one, three)
      same = Equal (given_size, input_size)
      same_number = Cast <to = 7> (same)
      has_size = ReduceMin <keepdims = 1> (same_number)
      ready_posters = Mul (posters, has_size)
      ready_end = Concat <axis = 0> (ready_posters, input_size)
      ready = Slice ({INPUT}, origin, ready_end, first_axes)
      ready_planes = Transpose <perm = [0, 3, 1, 2]> (ready)
      ready_pixels = Cast <to = 1> (ready_planes)
      ready_shape = Concat <axis = 0> (ready_posters, three, input_size)
      ready_levels = Reshape <allowzero = 1> (ready_pixels, ready_shape)

      other = Slice ({INPUT}, ready_posters, end, zero)
      other_planes = Transpose <perm = [0, 3, 1, 2]> (other)
      pixels = Cast <to = 1> (other_planes)
      {_axis("x", 2, width)}
      rows = MatMul (pixels, x_weights)
      columns = Transpose <perm = [0, 1, 3, 2]> (rows)
      {_rounded("columns")}
      {_axis("y", 1, height)}
      both_axes = MatMul (columns_level, y_weights)
      {_rounded("both_axes")}
      upright = Transpose <perm = [0, 1, 3, 2]> (both_axes_level)

      together = Concat <axis = 0> (ready_levels, upright)
      levels = Reshape (together, output_shape)
    }}
    """
    model = parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    return model


def _axis(a: str, position: int, target: int) -> str:
    """Return lines that compute {a}_weights, float32 [input pixels, target pixels]."""
    return f"""
          {a}_index = Constant <value_ints = [{position}]> ()
          {a}_zero = Constant <value_float = 0.0> ()
          {a}_one = Constant <value_float = 1.0> ()
          {a}_half = Constant <value_float = 0.5> ()
          {a}_target = Constant <value_float = {float(target)}> ()
          {a}_size_1d = Gather (shape, {a}_index)
          {a}_size_int = Squeeze ({a}_size_1d)
          {a}_size = Cast <to = 1> ({a}_size_int)
          {a}_scale = Div ({a}_size, {a}_target)
          {a}_support = Max ({a}_scale, {a}_one)
          {a}_in = Range ({a}_zero, {a}_size, {a}_one)
          {a}_in_middle = Add ({a}_in, {a}_half)
          {a}_out = Range ({a}_zero, {a}_target, {a}_one)
          {a}_out_middle = Add ({a}_out, {a}_half)
          {a}_centre = Mul ({a}_out_middle, {a}_scale)
          {a}_last = Constant <value_ints = [1]> ()
          {a}_column = Unsqueeze ({a}_in_middle, {a}_last)
          {a}_distance_signed = Sub ({a}_column, {a}_centre)
          {a}_distance = Abs ({a}_distance_signed)
          {a}_share = Div ({a}_distance, {a}_support)
          {a}_triangle = Sub ({a}_one, {a}_share)
          {a}_positive = Relu ({a}_triangle)
          {a}_first = Constant <value_ints = [0]> ()
          {a}_sum = ReduceSum <keepdims = 1> ({a}_positive, {a}_first)
          {a}_weights = Div ({a}_positive, {a}_sum)"""


def _rounded(name: str) -> str:
    """Return lines that compute {name}_level: rounded half up, within 0 to 255."""
    return f"""
          {name}_half = Constant <value_float = 0.5> ()
          {name}_up = Add ({name}, {name}_half)
          {name}_floor = Floor ({name}_up)
          {name}_low = Constant <value_float = 0.0> ()
          {name}_high = Constant <value_float = 255.0> ()
          {name}_level = Clip ({name}_floor, {name}_low, {name}_high)"""


def join(preprocessing: onnx.ModelProto, network: onnx.ModelProto) -> onnx.ModelProto:
    """Join preprocessing and network to one model: 'image' -> 'probabilities'."""
    for model in (preprocessing, network):
        model.ir_version = IR_VERSION
    joined = compose.merge_models(preprocessing, network, io_map=[("levels", "levels")])
    joined.graph.name = "genre_infer"
    del joined.opset_import[1:]  # merge_models lists OPSET twice, once for each graph
    return strip(joined)


def with_metadata(model: onnx.ModelProto, metadata: Metadata) -> bytes:
    """Return the model's bytes with its metadata inside, and in it the hash of all else."""
    data = _serialized(model, metadata)
    hashed = replace(metadata, content_sha256=content_sha256(data, read_file(data)))
    onnx.checker.check_model(model, full_check=True)
    return _serialized(model, hashed)


def _serialized(model: onnx.ModelProto, metadata: Metadata) -> bytes:
    onnx.helper.set_model_props(model, {KEY: json.dumps(metadata.to_document())})
    data: bytes = model.SerializeToString(deterministic=True)
    return data
