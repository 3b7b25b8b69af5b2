"""int8: static QDQ, uint8 activations, int8 weights per channel that stay within 7 bits."""

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

    posters: how many train posters are looked at. equalisation: see equalise.py, 0 to 1. rounding:
    see rounding.py, else each weight to the nearest. method: how an activation's range is found,
    "minmax", "percentile" or "entropy". bias_correction: see bias.py. operators: what computes in
    int8. The convolutions are all but 0.02 % of the multiplications; with "Relu" a convolution's
    output is rounded once, after its ReLU, and not also before it. What lies between them (sums of
    the shortcuts, pools, the head's two layers) stays in float: fewer roundings, closer to the
    original. float_convolutions: how many of the first convolutions stay in float.
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
    """Quantize the network by the activations that posters cause in it.

    network: 'levels' -> 'probabilities' in float32. posters: uint8 [n, height, width, 3] at the
    input size. Weights are kept within 7 bits (reduce_range): with 8 bits against 8-bit activations
    the 16-bit pair sums of AVX2 without VNNI saturate, in onnxruntime and OpenVINO alike, silently.
    """
    try:
        from onnxruntime import quantization
    except ImportError:
        raise GenreInferError(
            'int8 needs onnxruntime\'s quantizer; install it with: pip install "genre-infer[cpu]"'
        ) from None
    methods = {
        "minmax": quantization.CalibrationMethod.MinMax,
        "percentile": quantization.CalibrationMethod.Percentile,
        "entropy": quantization.CalibrationMethod.Entropy,
    }
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer's advice to preprocess, done here
    convolutions = [node.name for node in network.graph.node if node.op_type == "Conv"]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save(network, source)
        with redirect_stdout(io.StringIO()):  # it prints what it is about to do
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
    """onnxruntime's CalibrationDataReader over posters in memory."""

    def __init__(self, posters: Pixels, batch_size: int) -> None:
        self.posters, self.batch_size = posters, batch_size
        self.rewind()

    def rewind(self) -> None:
        """Begin again."""
        self._batches = self._read()

    def _read(self) -> Iterator[dict[str, Any]]:
        # The calibrators want batches of one shape: the last one is filled up from the front.
        positions = np.arange(-(-len(self.posters) // self.batch_size) * self.batch_size)
        for chosen in np.split(positions % len(self.posters), len(positions) // self.batch_size):
            yield {"levels": as_levels(self.posters[chosen])}

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None at the end."""
        return next(self._batches, None)


def as_levels(posters: Pixels) -> Any:
    """uint8 [n, height, width, 3] -> the network's input, float32 [n, 3, height, width]."""
    return np.ascontiguousarray(posters.transpose(0, 3, 1, 2)).astype(np.float32)
