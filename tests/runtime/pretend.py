"""Installations and sessions that claim to be something else."""

import onnxruntime
import pytest

from genre_infer import engines
from genre_infer.engines import Engine, Request, open_engine
from genre_infer.engines import onnxruntime as engine


def installed(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Make it look as if only these engines were installed."""
    for module in (engines, engine):
        monkeypatch.setattr(module, "installed", lambda name: name in packages)


def device_is(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make classifiers use the processor under the name of another device."""

    def renamed(request: Request, _: str) -> tuple[Engine, list[str]]:
        opened, skipped = open_engine(request, "cpu")
        opened.device = device
        return opened, skipped

    monkeypatch.setattr("genre_infer.classifier.open_engine", renamed)


class PretendedSession(onnxruntime.InferenceSession):
    """A session on the processor that claims to be another."""

    claims = "CPUExecutionProvider"

    def __init__(self, model: bytes, options: object, **_: object) -> None:
        super().__init__(model, options, providers=["CPUExecutionProvider"])

    def get_providers(self) -> list[str]:
        return [self.claims, "CPUExecutionProvider"]
