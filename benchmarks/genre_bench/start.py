"""genre-bench start: whole processes, from nothing to their first answer."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from .folders import poster_folder
from .processes import engine_options, genre_infer, run_process
from .systems import model_used, open_classifiers, versions
from .tables import print_and_write
from .timing import Seconds, alternate, ratio

PASS, IMPORT, VERSION = "python -c pass", "import genre_infer", "genre-infer --version"
FASTAI = "fastai, load and predict one poster"
LIGHT_TURNS = 3  # turns of the light processes for each of the others'


def run_start(
    *,
    posters: Path | None,
    checkpoint: Path | None,
    model: Path | None,
    devices: tuple[str, ...],
    fastai: bool,
    fastai_device: str,
    repeats: int,
    threads: int | None,
    csv_file: Path | None,
) -> None:
    """Measure, print and write: see the command's help for the arguments.

    Raises:
        GenreInferError: A model or a device cannot be used, or a process fails.
    """
    with open_classifiers(model, devices, checkpoint, threads=threads) as classifiers:
        devices_by_name = {f"genre-infer one.jpg, {c.provider}": c.device for c in classifiers}
        file = model_used(classifiers[0])
    light = {
        PASS: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import genre_infer"],
        VERSION: [*genre_infer(), "--version"],
    }
    engines = dict.fromkeys(light, "")
    heavy = {}
    with poster_folder(posters, 1, None) as folder:
        (poster,) = folder.files
        for name, device in devices_by_name.items():
            heavy[name] = [*genre_infer(), str(poster), "--format", "jsonl"]
            heavy[name] += engine_options(device, model, threads)
            engines[name] = versions(device)
        if fastai and checkpoint:
            heavy[FASTAI] = _fastai_command(checkpoint, poster, fastai_device, threads)
            engines[FASTAI] = versions("fastai")
        # Separate and more often: turns of PyTorch in between would blur a few milliseconds.
        seconds = _measure(light, LIGHT_TURNS * repeats) | _measure(heavy, repeats)
    rows = [
        {**row, "model": file if row["process"] in devices_by_name else ""}
        for row in _rows(seconds, engines)
    ]
    print_and_write("start", "Whole processes", rows, csv_file)


def _measure(commands: dict[str, list[str]], repeats: int) -> dict[str, Seconds]:
    for command in commands.values():  # reads all files into the disk's cache
        run_process(command)
    runs = {name: partial(_seconds, command) for name, command in commands.items()}
    return alternate(runs, repeats)


def _seconds(command: list[str]) -> float:
    return run_process(command).seconds


def _fastai_command(checkpoint: Path, poster: Path, device: str, threads: int | None) -> list[str]:
    from genre_train.learner import choose_device

    command = [sys.executable, "-m", "genre_bench.baseline", str(checkpoint), str(poster)]
    return [*command, choose_device(device), *([str(threads)] if threads else [])]


def _rows(seconds: dict[str, Seconds], engines: dict[str, str]) -> list[dict[str, Any]]:
    """Make a row for each process: milliseconds from start to end, and ratios of the medians.

    Args:
        seconds: Process -> its runs.
        engines: Process -> the versions of what it loads.
    """
    nothing = seconds[PASS].median
    fastai = seconds[FASTAI].median if FASTAI in seconds else None
    rows = []
    for name, runs in seconds.items():
        by = fastai if name not in (PASS, IMPORT, VERSION) else None
        rows.append(
            {
                "process": name,
                "runs": len(runs.runs),
                "median_ms": 1000 * runs.median,
                "fastest_ms": 1000 * runs.fastest,
                "slowest_ms": 1000 * runs.slowest,
                "times_pass": runs.median / nothing,
                "over_pass_ms": 1000 * (runs.median - nothing),
                "share_of_fastai": ratio(runs.median, by),
                "times_faster": ratio(by, runs.median),
                "engine": engines[name],
            }
        )
    return rows
