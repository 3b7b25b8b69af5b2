"""genre-bench accuracy: the exported model beside the original and the baselines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_accuracy(model: Path, split: tuple[str, ...], measured: Callable[..., Any]) -> None:
    rows = measured("accuracy", model, *split, "--device", "cpu")
    found = {(row["system"], row["domain"]): row for row in rows}
    assert len(found) == 6 * 4
    original = found["original, PyTorch", "pooled"]
    exported = found["float32, CPUExecutionProvider", "pooled"]
    assert float(original["micro_ap"]) == pytest.approx(float(exported["micro_ap"]), abs=1e-4)
    assert float(original["micro_ap"]) > float(found["everything", "pooled"]["micro_ap"])
