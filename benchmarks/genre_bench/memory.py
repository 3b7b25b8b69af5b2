"""genre-bench memory: the peak of whole genre-infer processes, for few posters and for many."""

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from onnx import helper, parser

from genre_export.graph import IR_VERSION, OPSET, with_metadata
from genre_infer import GenreInferError
from genre_infer.metadata import INPUT, OUTPUT
from genre_infer.model_file import load_model

from .folders import Folder, link_all, poster_folder
from .processes import engine_options, genre_infer, run_process
from .systems import model_used, open_classifiers, versions
from .tables import print_and_write

STAND_IN = "stand-in"


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
    """Measure, print and write: see the command's help for the arguments.

    Raises:
        GenreInferError: A model or a device cannot be used, or a process fails.
    """
    with TemporaryDirectory(prefix="genre-bench-") as name:
        if stand_in:
            model = Path(name) / f"{STAND_IN}.onnx"
            _write_stand_in(model)
        with open_classifiers(model, devices, None, threads=threads) as classifiers:
            providers = {one.device: one.provider for one in classifiers}
            file, cores = model_used(classifiers[0]), classifiers[0].threads
        rows = []
        fewest: dict[str, float] = {}  # device -> peak in MB
        with poster_folder(posters, count, size) as folder:
            described = folder.describe()
            del described["posters"]  # the number of links counts
            for number in sorted(counts):
                for device, provider in providers.items():
                    click.echo(f"{number} posters on {provider} …", err=True)
                    options = engine_options(device, model, threads, batch_size)
                    peak, seconds = _run(folder, number, options)
                    first = fewest.setdefault(device, peak)
                    row = {
                        "system": f"{provider}, {STAND_IN}" if stand_in else provider,
                        "posters": number,
                        "peak_mb": peak,
                        "growth_mb": peak - first,
                        "times_fewest": peak / first,
                        "posters_per_s": number / seconds,
                        "device": device,
                        "engine": versions(device),
                        "model": file,
                    }
                    rows.append({**row, **described, "threads": cores})
    print_and_write("memory", "Peak memory of whole processes", rows, csv_file)


def _run(folder: Folder, number: int, options: list[str]) -> tuple[float, float]:
    """Run genre-infer over `number` links to the posters; return its peak in MB and its seconds."""
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
        raise GenreInferError("This system does not report how much memory a process needed.")
    if written != number:
        raise GenreInferError(f"genre-infer wrote {written} rows for {number} posters.")
    return done.peak_bytes / 1e6, done.seconds


def _write_stand_in(path: Path) -> None:
    """Write a model that computes almost nothing.

    It takes the packaged model's input and gives as many probabilities, all 0.5.
    """
    metadata = load_model().metadata
    genres = len(metadata.genres)
    model = parser.parse_model(
        f"""
        <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
        stand_in (uint8[N, height, width, 3] {INPUT}) => (float[N, {genres}] {OUTPUT})
        <int64[2] axes = {{1, 2}}>
        {{
          pixels = Cast <to = 1> ({INPUT})
          colour = ReduceMean <keepdims = 0> (pixels, axes)
          logits = MatMul (colour, weights)
          {OUTPUT} = Sigmoid (logits)
        }}
        """
    )
    weights = helper.make_tensor("weights", 1, [3, genres], [0.0] * (3 * genres))
    model.graph.initializer.append(weights)
    own = dataclasses.replace(metadata, name=STAND_IN, precision="float32", details={})
    path.write_bytes(with_metadata(model, own))
