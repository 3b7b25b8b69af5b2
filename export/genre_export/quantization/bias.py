"""Bias correction: restores the means of the convolutions' outputs that rounding has moved."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from genre_infer.posters import Pixels

from .qdq import as_levels

Batches: TypeAlias = list[NDArray[Any]]
"""One tensor's values, batch after batch."""


def correct_biases(
    quantized: onnx.ModelProto, network: onnx.ModelProto, posters: Pixels, batch_size: int = 32
) -> None:
    """Move each convolution's biases so that its channels have the same means as in float32.

    This is the method of Nagel et al. (2019, 'Data-Free Quantization Through Weight Equalization
    and Bias Correction', section 4.2) with measured means in place of derived ones. Convolutions
    are corrected in place, first to last. The quantized network is run piece by piece, each piece
    on the output of the corrected pieces before it. In a ResNet-34 the tensors between two pieces
    take up to 7 MB for a poster of 182x268, including the float weights of all layers.

    Args:
        quantized: The network to correct, 'levels' -> 'probabilities'.
        network: The same network in float32.
        posters: uint8 [n, height, width, 3] at the input size.
        batch_size: Posters in a batch.
    """
    levels = [as_levels(posters[i : i + batch_size]) for i in range(0, len(posters), batch_size)]
    pieces = list(_pieces(quantized.graph))
    if not pieces:
        return
    twins = {node.name: node for node in network.graph.node if node.op_type == "Conv"}
    wanted = _means_in_float(network, [twins[piece.conv.name] for piece in pieces], levels)
    held = {"levels": levels}
    for piece, mean in zip(pieces, wanted, strict=True):
        given = _run(quantized, piece, held)
        output = given[piece.conv.output[0]]
        change = _add_to_bias(quantized, piece.conv, mean - _channel_means(output))
        for batch in output:
            batch += change.astype(np.float32)[:, None, None]
        held = {name: values for name, values in (held | given).items() if name in piece.kept}


@dataclass(frozen=True, slots=True)
class _Piece:
    """The nodes after one convolution up to and including the next.

    Attributes:
        nodes: The nodes, sorted.
        inputs: The tensors of earlier pieces that they read.
        kept: The tensors of this and earlier pieces that later pieces read.
    """

    nodes: list[onnx.NodeProto]
    inputs: list[str]
    kept: set[str]

    @property
    def conv(self) -> onnx.NodeProto:
        return self.nodes[-1]


def _pieces(graph: onnx.GraphProto) -> Iterator[_Piece]:
    """Cut the graph after every convolution that has biases; what follows the last is left out.

    Biases that are all 0, as in an untrained network, are not in the graph.
    """
    parts: list[list[onnx.NodeProto]] = [[]]
    for node in graph.node:  # ONNX requires them to be sorted
        parts[-1].append(node)
        if node.op_type == "Conv" and len(node.input) > 2:
            parts.append([])
    weights = {tensor.name for tensor in graph.initializer}
    reads = [{name for node in part for name in node.input} - weights for part in parts]
    made: set[str] = {"levels"}
    for number, part in enumerate(parts[:-1]):
        inputs = sorted(reads[number] & made)
        made |= {name for node in part for name in node.output}
        yield _Piece(part, inputs, made & set().union(*reads[number + 1 : -1]))


def _run(model: onnx.ModelProto, piece: _Piece, held: dict[str, Batches]) -> dict[str, Batches]:
    """Run a piece.

    Returns:
        The output of its convolution, and all tensors that later pieces read.
    """
    made = {name for node in piece.nodes for name in node.output}
    outputs = sorted(piece.kept & made | {piece.conv.output[0]})
    reads = {name for node in piece.nodes for name in node.input}
    graph = onnx.helper.make_graph(
        piece.nodes,
        "piece",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(held[name][0].dtype), None
            )
            for name in piece.inputs
        ],
        [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
        [tensor for tensor in model.graph.initializer if tensor.name in reads],
    )
    part = onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    session = _session(part)
    results: dict[str, Batches] = {name: [] for name in outputs}
    for number in range(len(held[piece.inputs[0]])):
        feeds = {name: held[name][number] for name in piece.inputs}
        for name, values in zip(outputs, session.run(outputs, feeds), strict=True):
            results[name].append(values)
    return results


def _means_in_float(
    network: onnx.ModelProto, convolutions: list[onnx.NodeProto], levels: Batches
) -> list[NDArray[np.float64]]:
    """Return the means of each convolution's output channels, [channels] each."""
    probe = onnx.ModelProto()
    probe.CopyFrom(network)
    del probe.graph.output[:]
    # The graph itself computes the means, so that no activation has to be kept.
    axes = numpy_helper.from_array(np.array([2, 3], np.int64), "mean_axes")
    probe.graph.initializer.append(axes)
    for number, node in enumerate(convolutions):
        mean = f"mean_{number}"
        probe.graph.node.append(
            onnx.helper.make_node("ReduceMean", [node.output[0], "mean_axes"], [mean], keepdims=0)
        )
        probe.graph.output.append(onnx.helper.make_tensor_value_info(mean, 1, None))
    session = _session(probe)
    batches = [session.run(None, {"levels": batch}) for batch in levels]
    return [np.concatenate(means).mean(0, dtype=np.float64) for means in zip(*batches, strict=True)]


def _channel_means(output: Batches) -> NDArray[np.float64]:
    """Return the mean of each channel over batches of [n, channels, height, width]."""
    means = [batch.mean((2, 3), dtype=np.float64) for batch in output]
    mean: NDArray[np.float64] = np.concatenate(means).mean(0)
    return mean


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime  # only after qdq.py has said how to install it

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _add_to_bias(
    model: onnx.ModelProto, node: onnx.NodeProto, change: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add to a convolution's bias: an int32 tensor before a DequantizeLinear, or a float tensor.

    Returns:
        What was added, rounded as the bias is.
    """
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    producers = {output: n for n in model.graph.node for output in n.output}
    source = producers.get(node.input[2])
    tensor = values[source.input[0] if source else node.input[2]]
    bias = numpy_helper.to_array(tensor)
    scale: Any = 1.0
    if source:
        scale = numpy_helper.to_array(values[source.input[1]]).astype(np.float64)
        steps = np.round(change / scale)
        changed = np.clip(bias + steps, -(2**31), 2**31 - 1).astype(np.int32)
    else:
        changed = (bias + change).astype(bias.dtype)
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    return (changed.astype(np.float64) - bias) * scale
