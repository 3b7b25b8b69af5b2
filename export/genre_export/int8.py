"""From a checkpoint to its int8 network: each step is a module of its own."""

import hashlib
from dataclasses import asdict
from typing import Any

import onnx

from genre_infer.posters import Pixels

from .bias import correct_biases
from .checkpoint import Checkpoint, Folded
from .equalise import equalise
from .graph import network_graph
from .quantize import Settings, quantize
from .rounding import round_weights


def int8_network(
    checkpoint: Checkpoint, posters: Pixels, settings: Settings
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The quantized network, 'levels' -> 'probabilities', and what a reader should know of it.

    posters: train posters, uint8 [n, height, width, 3] at the input size; the first
    settings.posters of them are looked at. Raises GenreInferError where onnxruntime is missing.
    """
    posters = posters[: settings.posters]
    folded = Folded(checkpoint)
    if settings.equalisation:
        equalise(folded, posters, settings.equalisation)
    unrounded = network_graph(folded, checkpoint.size)
    network = unrounded
    if settings.rounding:
        round_weights(folded, posters)
        network = network_graph(folded, checkpoint.size)
    quantized = quantize(network, posters, settings)
    if settings.bias_correction:
        correct_biases(quantized, unrounded, posters)
    steps = asdict(settings)
    del steps["posters"]
    details = steps | {
        "weights": "int8 per channel, within 7 bits",
        "activations": "uint8",
        "calibration_posters": len(posters),
        "calibration_sha256": hashlib.sha256(posters.tobytes()).hexdigest(),  # of their pixels
    }
    return quantized, details
