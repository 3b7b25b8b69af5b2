"""genre-bench start: whole processes from nothing to their first answer."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from .contenders import model_used, open_classifiers, versions
from .folders import poster_folder
from .processes import engine_options, genre_infer, run_process
from .tables import finish
from .throughput_rows import ratio
from .timing import Seconds, alternate

PASS, IMPORT, VERSION = "python -c pass", "import genre_infer", "genre-infer --version"
FASTAI = "fastai, load and predict one poster"
LIGHT_TURNS = 3  # turns of the light processes for each of the others'

TITLES = {
    "process": "process",
    "runs": "runs",
    "median_ms": "median ms",
    "fastest_ms": "fastest ms",
    "slowest_ms": "slowest ms",
    "times_pass": "x pass",
    "over_pass_ms": "over pass, ms",
    "share_of_fastai": "/ fastai",
    "times_faster": "x faster",
}


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
    """Measure, print and write. Raises GenreInferError."""
    with open_classifiers(model, devices, checkpoint, threads=threads) as classifiers:
        there = {f"genre-infer one.jpg, {one.provider}": one.device for one in classifiers}
        file = model_used(classifiers[0])
    light = {
        PASS: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import genre_infer"],
        VERSION: [*genre_infer(), "--version"],
    }
    engines = dict.fromkeys(light, "")
    cold = {}
    with poster_folder(posters, 1, None) as folder:
        (poster,) = folder.files
        for name, device in there.items():
            cold[name] = [*genre_infer(), str(poster), "--format", "jsonl"]
            cold[name] += engine_options(device, model, threads)
            engines[name] = versions(device)
        if fastai and checkpoint:
            cold[FASTAI] = _fastai(checkpoint, poster, fastai_device, threads)
            engines[FASTAI] = versions("fastai")
        # Apart, and more often: seconds of PyTorch between them would blur a few milliseconds.
        seconds = _measure(light, LIGHT_TURNS * repeats) | _measure(cold, repeats)
    rows = [
        {**row, "model": file if row["process"] in there else ""}
        for row in figures(seconds, engines)
    ]
    finish("Whole processes", rows, TITLES, csv_file)


def _measure(commands: dict[str, list[str]], repeats: int) -> dict[str, Seconds]:
    for command in commands.values():  # the disk's cache shall be warm, the processes are not
        run_process(command)
    runs = {name: partial(_seconds, command) for name, command in commands.items()}
    return alternate(runs, repeats)


def _seconds(command: list[str]) -> float:
    return run_process(command).seconds


def _fastai(checkpoint: Path, poster: Path, device: str, threads: int | None) -> list[str]:
    from genre_train.learner import choose_device

    command = [sys.executable, "-m", "genre_bench.original", str(checkpoint), str(poster)]
    return [*command, choose_device(device), *([str(threads)] if threads else [])]


def figures(seconds: dict[str, Seconds], engines: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each process: milliseconds from its start to its end, and ratios of the medians.
    engines: the versions of what each process loads."""
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
                "times_faster": by / runs.median if by else "",
                "engine": engines[name],
            }
        )
    return rows
