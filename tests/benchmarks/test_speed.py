"""genre-bench throughput, latency, start and memory: tiny runs, and what their figures mean.

Nothing is said of how fast anything is: that would hang on the machine.
"""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from genre_bench.cli import main
from genre_bench.processes import run_process
from genre_bench.timing import alternate
from genre_infer import GenreInferError, model_file

COMMANDS = ("throughput", "latency", "start", "memory")


def bench(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def measured(target: Path, *args: str | Path) -> list[dict[str, str]]:
    """The rows of a run, which must go well; every row names where it comes from."""
    done = bench(*args, "--csv", target)
    assert done.exit_code == 0, done.stderr
    assert "processor: " in done.stdout
    with target.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert row["processor"]
        assert row["date"]
        assert row["commit"]
    return rows


def number(row: dict[str, str], key: str) -> Any:
    return pytest.approx(float(row[key]), rel=1e-4)  # six digits are stored


def test_throughput(model: Path, checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    for unneeded in range(5, 13):
        (folder / f"{unneeded}.jpg").unlink()
    args = ["throughput", "--posters", folder, "--count", "6", "--repeats", "2"]
    args += ["--model", model, "--float32", model, "--checkpoint", checkpoint, "--device", "cpu"]
    rows = measured(tmp_path / "figures.csv", *args)
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


def test_throughput_of_drawn_posters_on_all_devices(tmp_path: Path) -> None:
    args = ["--count", "3", "--size", "64x96", "--repeats", "1", "--threads", "1"]
    rows = measured(tmp_path / "figures.csv", "throughput", *args, "--no-fastai")
    assert {(row["posters"], row["poster_size"], row["threads"]) for row in rows} == {
        ("3", "64x96", "1")
    }
    assert "cpu" in {row["device"] for row in rows}
    assert not {"get_preds", "network, float32"} & {row["stage"] for row in rows}
    assert {row["times_get_preds"] + row["times_float32"] for row in rows} == {""}


def test_latency(model: Path, checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    args = ["latency", "--posters", folder, "--count", "2", "--repeats", "2", "--model", model]
    args += ["--checkpoint", checkpoint, "--device", "cpu"]
    ours, original = measured(tmp_path / "figures.csv", *args)
    assert (ours["device"], ours["system"]) == ("cpu", "CPUExecutionProvider")
    assert original["system"] == "fastai learn.predict"
    for row in (ours, original):
        figures = [float(row[f"{name}_ms"]) for name in ("fastest", "median", "p90", "slowest")]
        assert figures == sorted(figures)
        assert (row["posters"], row["runs"]) == ("2", "4")
    share = float(ours["median_ms"]) / float(original["median_ms"])
    assert share == number(ours, "share_of_predict")
    assert 1 / share == number(ours, "times_faster")


def test_start(model: Path, checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    args = ["start", "--posters", folder, "--model", model, "--checkpoint", checkpoint]
    rows = measured(tmp_path / "figures.csv", *args, "--device", "cpu", "--repeats", "1")
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


def test_memory(model: Path, folder: Path, tmp_path: Path) -> None:
    args = ["memory", "--posters", folder, "--counts", "30,3", "--model", model, "--device", "cpu"]
    few, many = measured(tmp_path / "figures.csv", *args)
    assert (few["posters"], many["posters"]) == ("3", "30")
    assert float(few["growth_mb"]) == 0
    growth = float(many["peak_mb"]) - float(few["peak_mb"])
    assert growth == pytest.approx(float(many["growth_mb"]), abs=0.01)
    assert 30 < float(few["peak_mb"]) < 2000


def test_memory_of_the_pipeline_alone(folder: Path, tmp_path: Path) -> None:
    args = ["memory", "--posters", folder, "--counts", "100", "--stand-in", "--device", "cpu"]
    (row,) = measured(tmp_path / "figures.csv", *args)
    assert (row["system"], row["posters"]) == ("CPUExecutionProvider, stand-in", "100")
    assert 30 < float(row["peak_mb"]) < 2000


def test_the_peak_is_the_process_s_own() -> None:
    held = np.ones(300_000_000, np.uint8)  # what this process holds is not counted
    nothing = run_process([sys.executable, "-c", "pass"]).peak_bytes
    much = run_process([sys.executable, "-c", "print(len(b'x' * 100_000_000))"]).peak_bytes
    assert held.all()
    assert nothing is not None
    assert much is not None
    assert nothing < 200e6
    assert 90e6 < much - nothing < 150e6


def test_a_process_that_fails_is_an_error() -> None:
    with pytest.raises(GenreInferError, match="status 5: its last words"):
        run_process(
            [
                sys.executable,
                "-c",
                "import sys; print('its last words', file=sys.stderr)\nsys.exit(5)",
            ]
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_named_device_that_is_not_there_is_an_error(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    original = [] if command == "memory" else ["--no-fastai"]
    done = bench(command, "--device", "openvino", *original)
    assert done.exit_code == 3
    assert "genre-infer[openvino]" in done.stderr


def test_devices_that_are_not_there_are_named(
    model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    args = ["--posters", folder, "--count", "1", "--repeats", "1", "--model", model]
    done = bench("latency", *args, "--no-fastai")
    assert done.exit_code == 0, done.stderr
    assert "Not measured: The device openvino" in done.stderr


@pytest.mark.parametrize("command", ["throughput", "latency"])
def test_a_poster_that_cannot_be_read_is_named(command: str, model: Path, folder: Path) -> None:
    (folder / "2.jpg").write_bytes(b"no poster")
    args = ["--posters", folder, "--model", model, "--device", "cpu", "--repeats", "1"]
    done = bench(command, *args, "--no-fastai")
    assert done.exit_code == 3
    assert str(folder / "2.jpg") in done.stderr


def test_a_model_of_another_checkpoint_is_refused(checkpoint: Path) -> None:
    args = ["--model", model_file.PACKAGED_PATH, "--checkpoint", checkpoint, "--device", "cpu"]
    done = bench("throughput", *args)
    assert done.exit_code == 3
    assert "not exported from this --checkpoint" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["throughput"], "--no-fastai"),
        (["latency", "--posters", ".", "--size", "64x96", "--no-fastai"], "--size is of drawn"),
        (["memory", "--counts", "10,many"], "not numbers of posters"),
        (["memory", "--stand-in", "--model", __file__], "leave it or --model out"),
        (["start", "--no-fastai", "--csv", __file__], "--force replaces it"),
    ],
)
def test_wrong_usage(args: list[str], words: str) -> None:
    done = bench(*args)
    assert done.exit_code == 2
    assert words in done.stderr


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    done = bench("latency", "--posters", tmp_path, "--no-fastai", "--device", "cpu")
    assert done.exit_code == 3
    assert "has no posters" in done.stderr


def test_the_original_is_the_checkpoint(
    checkpoint: Path, poster: Callable[..., Image.Image], tmp_path: Path
) -> None:
    from genre_bench.original import Original, TorchNetwork

    from genre_train.checkpoint import predict_logits, read_checkpoint

    files = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, file in enumerate(files):
        poster(seed, (64, 96)).save(file)
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    logits = predict_logits(read_checkpoint(checkpoint).network, pixels)
    expected = 1 / (1 + np.exp(-logits))
    original = Original(checkpoint, files)
    for workers in (0, 1):
        assert original.get_preds(files, workers) == pytest.approx(expected, abs=1e-5)
    assert original.predict(files[1]) == pytest.approx(expected[1], abs=1e-5)
    network = TorchNetwork(checkpoint, "cpu", compiled=False)  # in bfloat16
    assert network.run(pixels) == pytest.approx(logits, abs=0.05 * float(np.abs(logits).max()))


def test_contenders_take_turns() -> None:
    order = []

    def contender(name: str, seconds: float) -> Callable[[], float]:
        return lambda: (order.append(name), seconds)[1]

    seconds = alternate({name: contender(name, s) for name, s in (("a", 3.0), ("b", 2.0))}, 3)
    assert "".join(order) == "ababab"
    assert (seconds["a"].runs, seconds["b"].median) == ((3.0, 3.0, 3.0), 2.0)
