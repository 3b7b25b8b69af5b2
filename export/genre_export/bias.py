"""Gives the quantized convolutions back the mean that rounding took from them."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from genre_infer.posters import Pixels

from .quantize import as_levels


def correct_biases(
    quantized: onnx.ModelProto, network: onnx.ModelProto, posters: Pixels, batch_size: int = 32
) -> None:
    """Move each convolution's biases, first to last and in place, so that every channel of its
    output has over the posters the mean that it has in float32 (Nagel et al., 2019, section 4.2,
    measured instead of derived).

    quantized, network: 'levels' -> 'probabilities', from one network. posters: uint8
    [n, height, width, 3] at the input size.
    """
    batches = [as_levels(posters[i : i + batch_size]) for i in range(0, len(posters), batch_size)]
    # Biases that are all 0, as in a network that was never trained, are not in the graph.
    convolutions = [n for n in quantized.graph.node if n.op_type == "Conv" and len(n.input) > 2]
    if not convolutions:
        return
    twins = {n.name: n for n in network.graph.node if n.op_type == "Conv"}
    wanted = _means(network, [twins[node.name].output[0] for node in convolutions], batches)
    for node, mean in zip(convolutions, wanted, strict=True):
        (given,) = _means(quantized, [node.output[0]], batches)
        _add_to_bias(quantized, node, mean - given)


def _means(
    model: onnx.ModelProto, names: list[str], batches: list[NDArray[np.float32]]
) -> list[NDArray[np.float64]]:
    """The mean of each channel of tensors [n, channels, height, width], as [channels] each."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    # Means in the graph, so that no activation has to be kept.
    axes = numpy_helper.from_array(np.array([0, 2, 3], np.int64), "mean_axes")
    probe.graph.initializer.append(axes)
    for number, name in enumerate(names):
        mean = f"mean_{number}"
        probe.graph.node.append(
            onnx.helper.make_node("ReduceMean", [name, "mean_axes"], [mean], keepdims=0)
        )
        probe.graph.output.append(onnx.helper.make_tensor_value_info(mean, 1, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    sums: list[Any] = [0.0] * len(names)
    for batch in batches:
        means = session.run(None, {"levels": batch})
        sums = [s + m.astype(np.float64) * len(batch) for s, m in zip(sums, means, strict=True)]
    posters = sum(len(batch) for batch in batches)
    return [s / posters for s in sums]


def _add_to_bias(model: onnx.ModelProto, node: onnx.NodeProto, change: NDArray[np.float64]) -> None:
    """Add to a convolution's bias: an int32 tensor behind a DequantizeLinear, or a float one."""
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    producers = {output: n for n in model.graph.node for output in n.output}
    source = producers.get(node.input[2])
    tensor = values[source.input[0] if source else node.input[2]]
    bias = numpy_helper.to_array(tensor)
    if source:
        scale = numpy_helper.to_array(values[source.input[1]]).astype(np.float64)
        changed = bias + np.round(change / scale).astype(np.int64)
        changed = np.clip(changed, -(2**31), 2**31 - 1)
    else:
        changed = bias + change
    tensor.CopyFrom(numpy_helper.from_array(changed.astype(bias.dtype), tensor.name))
