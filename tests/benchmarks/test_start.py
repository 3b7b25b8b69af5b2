"""genre-bench start: whole processes once, and what their figures mean."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_start(
    model: Path,
    checkpoint: Path,
    folder: Path,
    measured: Callable[..., Any],
    number: Callable[..., Any],
) -> None:
    args = ["start", "--posters", folder, "--model", model, "--checkpoint", checkpoint]
    rows = measured(*args, "--device", "cpu", "--repeats", 1)
    found = {row["process"]: row for row in rows}
    nothing, version = found["python -c pass"], found["genre-infer --version"]
    cold, original = (row for row in rows if row["engine"])
    assert (nothing["runs"], cold["runs"]) == ("3", "1")
    assert cold["process"] == "genre-infer one.jpg, CPUExecutionProvider"
    assert original["engine"].startswith("fastai ")
    median = {row["process"]: float(row["median_ms"]) for row in rows}
    ratio = median["genre-infer --version"] / median["python -c pass"]
    assert ratio == number(version, "times_pass")
    over = median["import genre_infer"] - median["python -c pass"]
    assert over == pytest.approx(float(found["import genre_infer"]["over_pass_ms"]), abs=0.01)
    share = median[cold["process"]] / median[original["process"]]
    assert share == number(cold, "share_of_fastai")
