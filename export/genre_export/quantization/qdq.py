"""Static quantization in QDQ format: uint8 activations, int8 weights per channel within 7 bits."""

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from genre_infer.errors import GenreInferError
from genre_infer.posters import Pixels


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is quantized.

    Attributes:
        posters: How many train posters are used for calibration.
        equalisation: The strength of equalisation.py, 0 to 1.
        rounding: Whether rounding.py rounds the weights; otherwise each is rounded to the nearest.
        method: How the range of an activation is found: "minmax", "percentile" or "entropy".
        bias_correction: Whether bias.py corrects the biases.
        operators: The operators that compute in int8. All but 0.02 % of the multiplications are in
            convolutions. With "Relu" a convolution's output is rounded once, after its ReLU, and
            not before it too. The rest (sums of the shortcuts, pools, the head's two layers) stays
            in float: fewer roundings, closer to the original.
        float_convolutions: How many of the first convolutions stay in float.
    """

    posters: int = 128
    equalisation: float = 0.5
    rounding: bool = True
    method: str = "minmax"
    bias_correction: bool = True
    operators: tuple[str, ...] = ("Conv", "Relu")
    float_convolutions: int = 0


def quantize(
    network: onnx.ModelProto, posters: Pixels, settings: Settings, batch_size: int = 32
) -> onnx.ModelProto:
    """Quantize a network with the activation ranges that posters cause in it.

    Weights are kept within 7 bits (reduce_range). With 8 bits, the 16-bit pair sums of AVX2 without
    VNNI saturate silently, in onnxruntime and OpenVINO alike.

    Args:
        network: The network in float32, 'levels' -> 'probabilities'.
        posters: uint8 [n, height, width, 3] at the input size.
        settings: How it is quantized.
        batch_size: Posters in a batch.

    Raises:
        GenreInferError: onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization
    except ImportError:
        raise GenreInferError(
            'int8 needs onnxruntime to quantize; install it with: pip install "genre-infer[cpu]"'
        ) from None
    methods = {
        "minmax": quantization.CalibrationMethod.MinMax,
        "percentile": quantization.CalibrationMethod.Percentile,
        "entropy": quantization.CalibrationMethod.Entropy,
    }
    logging.getLogger().setLevel(logging.ERROR)  # it advises preprocessing, which is done here
    convolutions = [node.name for node in network.graph.node if node.op_type == "Conv"]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save(network, source)
        with redirect_stdout(io.StringIO()):  # it prints its progress
            quantization.quantize_static(
                source,
                target,
                _Reader(posters, batch_size),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(settings.operators),
                nodes_to_exclude=convolutions[: settings.float_convolutions],
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method=methods[settings.method],
            )
        return onnx.load(target)


class _Reader:
    """A CalibrationDataReader of onnxruntime over posters in memory."""

    def __init__(self, posters: Pixels, batch_size: int) -> None:
        self.posters, self.batch_size = posters, batch_size
        self.rewind()

    def rewind(self) -> None:
        """Start again at the first batch."""
        self._batches = self._read()

    def _read(self) -> Iterator[dict[str, Any]]:
        # The calibrators need batches of one shape: the last is filled up with the first posters.
        positions = np.arange(-(-len(self.posters) // self.batch_size) * self.batch_size)
        for chosen in np.split(positions % len(self.posters), len(positions) // self.batch_size):
            yield {"levels": as_levels(self.posters[chosen])}

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None at the end."""
        return next(self._batches, None)


def as_levels(posters: Pixels) -> Any:
    """Turn uint8 [n, height, width, 3] into the network's input, float32 [n, 3, height, width]."""
    return np.ascontiguousarray(posters.transpose(0, 3, 1, 2)).astype(np.float32)
