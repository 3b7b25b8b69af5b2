"""From a checkpoint to its int8 network. Each step is a module."""

import hashlib
from dataclasses import asdict
from typing import Any

import onnx

from genre_infer.posters import Pixels
from genre_train.checkpoint import Checkpoint

from ..fold import Folded
from ..graph import network_graph
from .bias import correct_biases
from .equalisation import equalise
from .qdq import Settings, quantize
from .rounding import round_weights


def int8_network(
    checkpoint: Checkpoint, posters: Pixels, settings: Settings
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Make the quantized network of a checkpoint.

    Args:
        checkpoint: The checkpoint.
        posters: Train posters, uint8 [n, height, width, 3] at the input size. The first
            settings.posters of them are used.
        settings: How it is quantized.

    Returns:
        The network, 'levels' -> 'probabilities', and details for the file's metadata.

    Raises:
        GenreInferError: onnxruntime is not installed.
    """
    posters = posters[: settings.posters]
    quantized = quantized_network(float_networks(checkpoint, posters, settings), posters, settings)
    steps = asdict(settings)
    del steps["posters"]
    details = steps | {
        "weights": "int8 per channel, within 7 bits",
        "activations": "uint8",
        "calibration_posters": len(posters),
        "calibration_sha256": hashlib.sha256(posters.tobytes()).hexdigest(),  # of their pixels
    }
    return quantized, details


def float_networks(
    checkpoint: Checkpoint, posters: Pixels, settings: Settings
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Make the equalised network of a checkpoint in float32.

    Args:
        checkpoint: The checkpoint.
        posters: Train posters, uint8 [n, height, width, 3] at the input size.
        settings: Of these, equalisation, rounding and float_convolutions are used.

    Returns:
        The network, 'levels' -> 'probabilities', before and after its weights are rounded.
    """
    folded = Folded(checkpoint)
    if settings.equalisation:
        equalise(folded, posters, settings.equalisation)
    unrounded = network_graph(folded, checkpoint.size)
    if not settings.rounding:
        return unrounded, unrounded
    round_weights(folded, posters, skip=settings.float_convolutions)
    return unrounded, network_graph(folded, checkpoint.size)


def quantized_network(
    floats: tuple[onnx.ModelProto, onnx.ModelProto], posters: Pixels, settings: Settings
) -> onnx.ModelProto:
    """Quantize a network.

    Args:
        floats: What float_networks returned.
        posters: Train posters, uint8 [n, height, width, 3] at the input size.
        settings: How it is quantized.
    """
    unrounded, network = floats
    quantized = quantize(network, posters, settings)
    if settings.bias_correction:
        correct_biases(quantized, unrounded, posters)
    return quantized
