"""The model that travels in the wheel: where it lies and which one it is."""

from pathlib import Path

PATH = Path(__file__).with_name("model") / "genre-infer.onnx"
NAME = "genre-infer-resnet34"
VERSION = "0.1.0"
SHA256 = "ebc91f190221a21d7804145d50a91cfc479ece359de2d2d8d6325d32faa7775e"
