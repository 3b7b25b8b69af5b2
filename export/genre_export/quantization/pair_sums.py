"""Whether sums of int8 products can overflow: computed from the weights, on any processor."""

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

_LARGEST_ACTIVATION = 255  # uint8


def pair_sums(model: onnx.ModelProto) -> dict[str, Any] | None:
    """Bound the sums of two products of uint8 activations and int8 weights.

    AVX2 without VNNI adds such products in pairs in 16 bits and saturates silently (Intel's
    vpmaddubsw). Each engine pairs weights in its own way, so the bound is over any two weights of
    one output channel: 255 x the two largest of one sign.

    Args:
        model: The model.

    Returns:
        None where the model has no int8 weights, else a document of: layers, how many layers have
        int8 weights; largest_weight, the largest magnitude; largest_pair_sum and smallest_pair_sum,
        the bounds; fits_16_bits, whether both are within -32,768 to 32,767.
    """
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    layers, weight, high, low = 0, 0, 0, 0
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in values:
            continue
        weights = numpy_helper.to_array(values[node.input[0]])
        if weights.dtype != np.int8 or weights.ndim < 2:
            continue
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        per_channel = values[node.input[1]].dims and int(np.prod(values[node.input[1]].dims)) > 1
        ranked = np.moveaxis(weights.astype(int), axis if per_channel else 0, 0)
        ranked = np.sort(ranked.reshape(len(ranked), -1), axis=1)
        layers += 1
        weight = max(weight, int(np.abs(ranked).max()))
        high = max(high, int(np.maximum(ranked[:, -2:], 0).sum(axis=1).max()))
        low = min(low, int(np.minimum(ranked[:, :2], 0).sum(axis=1).min()))
    if not layers:
        return None
    high, low = high * _LARGEST_ACTIVATION, low * _LARGEST_ACTIVATION
    return {
        "layers": layers,
        "largest_weight": weight,
        "largest_pair_sum": high,
        "smallest_pair_sum": low,
        "fits_16_bits": high <= 32_767 and low >= -32_768,
    }
