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


def test_a_named_device_that_does_not_work_is_an_error(
    model: Path, split: tuple[str, ...], bench: Callable[..., Any]
) -> None:
    done = bench("accuracy", model, *split, "--device", "cuda")
    assert done.exit_code == 3
    assert "genre-infer[gpu]" in done.stderr


@pytest.mark.parametrize("command", ["accuracy", "parity"])
def test_a_model_of_another_checkpoint_is_refused(
    command: str, split: tuple[str, ...], bench: Callable[..., Any]
) -> None:
    from genre_infer import model_file

    done = bench(command, model_file.PACKAGED_PATH, *split, "--device", "cpu")
    assert done.exit_code == 3
    assert "not exported from this --checkpoint" in done.stderr
