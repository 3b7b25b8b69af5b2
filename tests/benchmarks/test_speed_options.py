"""What throughput, latency, start and memory have in common: options, devices, turns."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genre_bench.timing import alternate


@pytest.mark.parametrize("command", ["throughput", "latency", "start", "memory"])
def test_a_named_device_that_does_not_work_is_an_error(
    command: str, bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    original = [] if command == "memory" else ["--no-fastai"]
    done = bench(command, "--device", "openvino", *original)
    assert done.exit_code == 3
    assert "genre-infer[openvino]" in done.stderr


@pytest.mark.parametrize("command", ["throughput", "latency"])
def test_a_poster_that_cannot_be_read_is_named(
    command: str, model: Path, folder: Path, bench: Callable[..., Any]
) -> None:
    (folder / "2.jpg").write_bytes(b"no poster")
    args = ["--posters", folder, "--model", model, "--device", "cpu", "--repeats", 1]
    done = bench(command, *args, "--no-fastai")
    assert done.exit_code == 3
    assert str(folder / "2.jpg") in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["throughput"], "--no-fastai"),
        (["latency", "--posters", ".", "--size", "64x96", "--no-fastai"], "--size is for drawn"),
        (["memory", "--counts", "10,many"], "not a list of numbers"),
        (["memory", "--stand-in", "--model", __file__], "leave out --stand-in or --model"),
        (["start", "--no-fastai", "--csv", __file__], "--force replaces it"),
    ],
)
def test_wrong_usage(args: list[str], words: str, bench: Callable[..., Any]) -> None:
    done = bench(*args)
    assert done.exit_code == 2
    assert words in done.stderr


def test_contenders_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gc.collect", int)  # slow in a process as large as this one
    order = []

    def contender(name: str, seconds: float) -> Callable[[], float]:
        return lambda: (order.append(name), seconds)[1]

    seconds = alternate({name: contender(name, s) for name, s in (("a", 3.0), ("b", 2.0))}, 3)
    assert "".join(order) == "ababab"
    assert (seconds["a"].runs, seconds["b"].median) == ((3.0, 3.0, 3.0), 2.0)
