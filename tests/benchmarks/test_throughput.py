"""genre-bench throughput: tiny runs, and what their figures mean.

Nothing is asserted about speed, which depends on the machine.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_throughput(
    model: Path,
    checkpoint: Path,
    folder: Path,
    measured: Callable[..., Any],
    number: Callable[..., Any],
) -> None:
    for unneeded in range(5, 13):
        (folder / f"{unneeded}.jpg").unlink()
    args = ["throughput", "--posters", folder, "--count", 6, "--repeats", 2]
    args += ["--model", model, "--float32", model, "--checkpoint", checkpoint, "--device", "cpu"]
    rows = measured(*args)
    rates = {row["stage"]: 0.0 for row in rows}
    for row in rows:
        rates[row["stage"]] = max(rates[row["stage"]], float(row["posters_per_s"]))
        runs = [float(row[key]) for key in ("slowest", "posters_per_s", "fastest")]
        assert runs == sorted(runs)
        assert row["posters"] == "6"
        assert row["poster_size"] == "182x268"
        assert row["engine"].split()[0] in ("onnxruntime", "onnxruntime-gpu", "pillow", "fastai")
    original = [row["system"] for row in rows if row["stage"] == "get_preds"]
    assert original[:3] == ["fastai, 0 workers", "fastai, 1 worker", "fastai, 2 workers"]
    assert {row["runs"] for row in rows} == {"2"}
    whole = {row["stage"]: row for row in rows}
    cores = int(rows[0]["threads"])
    limit = 1 / (1 / rates["network"] + 1 / rates["decode, one core"] / cores)
    for stage in ("folder to rows", "whole process"):
        row, rate = whole[stage], rates[stage]
        assert rate / rates["get_preds"] == number(row, "times_get_preds")
        assert rate / rates["full decode, all cores"] == number(row, "times_full_decode")
        assert rate / limit == number(row, "share_of_limit")
    row = whole["network"]
    assert rates["network"] / rates["network, float32"] == number(row, "times_float32")
    assert row["times_get_preds"] == row["share_of_limit"] == ""


@pytest.mark.slow
def test_throughput_of_drawn_posters_on_all_devices(measured: Callable[..., Any]) -> None:
    args = ["--count", 3, "--size", "64x96", "--repeats", 1, "--threads", 1]
    rows = measured("throughput", *args, "--no-fastai")
    assert {(row["posters"], row["poster_size"], row["threads"]) for row in rows} == {
        ("3", "64x96", "1")
    }
    assert "cpu" in {row["device"] for row in rows}
    assert not {"get_preds", "network, float32"} & {row["stage"] for row in rows}
    assert {row["times_get_preds"] + row["times_float32"] for row in rows} == {""}


def test_a_model_of_another_checkpoint_is_refused(
    checkpoint: Path, bench: Callable[..., Any]
) -> None:
    from genre_infer import model_file

    args = ["--model", model_file.PACKAGED_PATH, "--checkpoint", checkpoint, "--device", "cpu"]
    done = bench("throughput", *args)
    assert done.exit_code == 3
    assert "not exported from this --checkpoint" in done.stderr
