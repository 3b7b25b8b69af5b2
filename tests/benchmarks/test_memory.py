"""genre-bench memory: the peak of whole processes, and how it is measured."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genre_bench.processes import run_process
from genre_infer import GenreInferError


@pytest.mark.slow
def test_memory(model: Path, folder: Path, measured: Callable[..., Any]) -> None:
    args = ["--posters", folder, "--counts", "30,3", "--model", model, "--device", "cpu"]
    few, many = measured("memory", *args)
    assert (few["posters"], many["posters"]) == ("3", "30")
    assert float(few["growth_mb"]) == 0
    growth = float(many["peak_mb"]) - float(few["peak_mb"])
    assert growth == pytest.approx(float(many["growth_mb"]), abs=0.01)
    assert 30 < float(few["peak_mb"]) < 2000


def test_memory_of_the_pipeline_alone(folder: Path, measured: Callable[..., Any]) -> None:
    args = ["--posters", folder, "--counts", "100", "--stand-in", "--device", "cpu"]
    (row,) = measured("memory", *args)
    assert (row["system"], row["posters"]) == ("CPUExecutionProvider, stand-in", "100")
    assert 30 < float(row["peak_mb"]) < 2000


def test_the_peak_is_that_of_the_process_alone() -> None:
    held = np.ones(150_000_000, np.uint8)  # the memory of this process is not counted
    nothing = run_process([sys.executable, "-c", "pass"]).peak_bytes
    much = run_process([sys.executable, "-c", "print(len(b'x' * 50_000_000))"]).peak_bytes
    assert held.all()
    assert nothing is not None
    assert much is not None
    assert nothing < 100e6
    assert 45e6 < much - nothing < 75e6


def test_a_process_that_fails_is_an_error() -> None:
    code = "import sys; print('its last words', file=sys.stderr)\nsys.exit(5)"
    with pytest.raises(GenreInferError, match="status 5: its last words"):
        run_process([sys.executable, "-c", code])
