"""The model that travels in the wheel: where it lies and which one it is."""

from pathlib import Path

PATH = Path(__file__).with_name("model") / "genre-infer.onnx"
NAME = "genre-infer-resnet34"
VERSION = "0.1.0"
SHA256 = "46a5dddcbd49450780ee3ff3764a72ea5dfed5f3beb25fe5d59380d77ef78f5c"
