"""genre-bench latency: a tiny run, and what its figures mean."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_latency(
    model: Path,
    checkpoint: Path,
    folder: Path,
    measured: Callable[..., Any],
    number: Callable[..., Any],
) -> None:
    args = ["latency", "--posters", folder, "--count", 2, "--repeats", 2, "--model", model]
    ours, original = measured(*args, "--checkpoint", checkpoint, "--device", "cpu")
    assert (ours["device"], ours["system"]) == ("cpu", "CPUExecutionProvider")
    assert original["system"] == "fastai learn.predict"
    for row in (ours, original):
        figures = [float(row[f"{name}_ms"]) for name in ("fastest", "median", "p90", "slowest")]
        assert figures == sorted(figures)
        assert (row["posters"], row["runs"]) == ("2", "4")
    share = float(ours["median_ms"]) / float(original["median_ms"])
    assert share == number(ours, "share_of_predict")
    assert 1 / share == number(ours, "times_faster")


def test_devices_that_do_not_work_are_named(
    model: Path, folder: Path, bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    args = ["--posters", folder, "--count", 1, "--repeats", 1, "--model", model]
    done = bench("latency", *args, "--no-fastai")
    assert done.exit_code == 0, done.stderr
    assert "Not measured: The device openvino" in done.stderr


def test_an_empty_folder_is_an_error(
    model: Path, tmp_path: Path, bench: Callable[..., Any]
) -> None:
    args = ["--posters", tmp_path, "--no-fastai", "--device", "cpu", "--model", model]
    done = bench("latency", *args)
    assert done.exit_code == 3
    assert "has no posters" in done.stderr
