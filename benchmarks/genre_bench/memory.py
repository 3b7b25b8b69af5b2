"""genre-bench memory: the peak of whole genre-infer processes, for few posters and for many."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from genre_infer import GenreInferError

from .contenders import cores_used, model_used, open_classifiers, versions
from .folders import Folder, link_all, poster_folder
from .processes import engine_options, genre_infer, run_process
from .stand_in import NAME, write_stand_in
from .tables import finish
from .throughput_rows import ratio

TITLES = {
    "system": "system",
    "posters": "posters",
    "peak_mb": "peak MB",
    "growth_mb": "more than for the fewest, MB",
    "times_fewest": "x the fewest",
    "posters_per_s": "posters/s",
}


def run_memory(
    *,
    posters: Path | None,
    count: int | None,
    size: tuple[int, int] | None,
    counts: tuple[int, ...],
    model: Path | None,
    stand_in: bool,
    devices: tuple[str, ...],
    threads: int | None,
    batch_size: int | None,
    csv_file: Path | None,
) -> None:
    """Measure, print and write. Raises GenreInferError."""
    with _model(model, stand_in) as model:
        rows = _rows(posters, count, size, counts, model, devices, threads, batch_size)
    if stand_in:
        rows = [{**row, "system": f"{row['system']}, {NAME}"} for row in rows]
    finish("Peak memory of whole processes", rows, TITLES, csv_file)


@contextmanager
def _model(model: Path | None, stand_in: bool) -> Iterator[Path | None]:
    if not stand_in:
        yield model
        return
    with TemporaryDirectory(prefix="genre-bench-") as folder:
        path = Path(folder) / "stand-in.onnx"
        write_stand_in(path)
        yield path


def _rows(
    posters: Path | None,
    count: int | None,
    size: tuple[int, int] | None,
    counts: tuple[int, ...],
    model: Path | None,
    devices: tuple[str, ...],
    threads: int | None,
    batch_size: int | None,
) -> list[dict[str, Any]]:
    with open_classifiers(model, devices, None, threads=threads) as classifiers:
        there = {one.device: one.provider for one in classifiers}
        file = model_used(classifiers[0])
    measured = []
    with poster_folder(posters, count, size) as folder:
        for number in sorted(counts):
            for device, provider in there.items():
                options = engine_options(device, model, threads, batch_size)
                click.echo(f"{number} posters on {provider} …", err=True)
                peak, seconds = _run(folder, number, options)
                measured.append((device, provider, number, peak, seconds))
        described = folder.describe()
    del described["posters"]  # the links count, not these
    common = {"model": file, **described, "threads": cores_used(threads)}
    return figures(measured, common)


def _run(folder: Folder, number: int, options: list[str]) -> tuple[int, float]:
    """Peak in bytes and seconds of genre-infer over a folder with `number` links to the posters."""
    with TemporaryDirectory(prefix="genre-bench-") as name:
        links, rows = Path(name) / "posters", Path(name) / "rows.jsonl"
        links.mkdir()
        for _ in link_all(links, folder.files, number):
            pass
        command = [*genre_infer(), str(links), "--format", "jsonl", "--output", str(rows)]
        done = run_process([*command, *options])
        with rows.open("rb") as file:
            written = sum(1 for _ in file)
    if done.peak_bytes is None:
        raise GenreInferError("This system does not tell how much memory a process needed.")
    if written != number:
        raise GenreInferError(f"{written} rows came of {number} posters.")
    return done.peak_bytes, done.seconds


def figures(
    measured: list[tuple[str, str, int, int, float]], common: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each run: peak in MB (1,000,000 bytes), and how much more it is than for the fewest
    posters on the same device. measured: device, provider, posters, bytes, seconds."""
    fewest: dict[str, float] = {}
    rows = []
    for device, provider, number, peak, seconds in measured:
        first = fewest.setdefault(device, peak / 1e6)
        rows.append(
            {
                "system": provider,
                "posters": number,
                "peak_mb": peak / 1e6,
                "growth_mb": peak / 1e6 - first,
                "times_fewest": ratio(peak / 1e6, first),
                "posters_per_s": number / seconds,
                "device": device,
                "engine": versions(device),
                **common,
            }
        )
    return rows
