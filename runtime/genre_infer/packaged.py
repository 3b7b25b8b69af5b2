"""The model that travels in the wheel: where it lies and which one it is."""

from pathlib import Path

PATH = Path(__file__).with_name("model") / "genre-infer.onnx"
NAME = "genre-infer-resnet34"
VERSION = "0.1.0"
SHA256 = "052f1dae1f158fc06905cc98e64887a5c1f5649fd130bfe107bd5b4679ecfed9"
