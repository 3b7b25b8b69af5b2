"""genre-bench throughput: a folder of posters to rows, and what bounds it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from genre_infer import Classifier, GenreInferError
from genre_infer.discover import Discovery
from genre_infer.engines import GPUS
from genre_infer.posters import Pixels
from genre_infer.rows import Output, make_writer

from .contenders import (
    cores_used,
    decode,
    decode_in_full,
    model_used,
    open_classifiers,
    open_float32,
    versions,
)
from .folders import Folder, poster_folder
from .processes import engine_options, genre_infer, run_process
from .tables import finish
from .throughput_rows import (
    DECODE_ALL,
    DECODE_FULL,
    DECODE_ONE,
    FLOAT32,
    FOLDER,
    GET_PREDS,
    NETWORK,
    PROCESS,
    TITLES,
    TORCH,
    Measured,
    figures,
)
from .timing import Run, alternate, timed

MOST_WORKERS = 16  # of fastai's DataLoader: its own default is so many, or one for each core
NETWORK_POSTERS = 512  # at most so many decoded posters are held for the network alone


@dataclass
class Race:
    """All contenders of one run. runs: by key, in the order in which they take turns.
    measured: what each is, for its row."""

    runs: dict[str, Run] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)

    def add(self, measured: Measured, run: Run) -> None:
        """Let a contender take part."""
        self.runs[measured.key] = run
        self.measured[measured.key] = measured


def run_throughput(
    *,
    posters: Path | None,
    count: int | None,
    size: tuple[int, int] | None,
    csv_file: Path | None,
    **systems: Any,
) -> None:
    """Measure, print and write. systems: see _measure. Raises GenreInferError."""
    with poster_folder(posters, count, size) as folder:
        rows = _measure(folder, **systems)
    finish(f"Throughput over {len(folder.files)} posters", rows, TITLES, csv_file)


def _measure(
    folder: Folder,
    *,
    checkpoint: Path | None,
    model: Path | None,
    float32: Path | None,
    devices: tuple[str, ...],
    fastai: bool,
    fastai_device: str,
    repeats: int,
    threads: int | None,
    batch_size: int | None,
) -> list[dict[str, Any]]:
    """The rows of all contenders."""
    options: dict[str, Any] = {"threads": threads}
    options |= {"batch_size": batch_size} if batch_size else {}
    cores = cores_used(threads)
    race = Race()
    with (
        open_classifiers(model, devices, checkpoint, **options) as classifiers,
        open_float32(float32, checkpoint, **options) as plain,
        TemporaryDirectory(prefix="genre-bench-") as outputs,
    ):
        for classifier in classifiers:
            command = engine_options(classifier.device, model, threads, batch_size)
            _add_runtime(race, classifier, folder, Path(outputs), command)
        _add_decoding(race, classifiers[0], folder, cores)
        _add_networks(race, classifiers, plain, folder)
        on_gpus = [classifier for classifier in classifiers if classifier.device in GPUS]
        if checkpoint and on_gpus:
            _add_torch(race, checkpoint, on_gpus[0], folder)
        if fastai and checkpoint:
            _add_fastai(race, checkpoint, folder, fastai_device, threads, cores)
        seconds = alternate(race.runs, repeats)
        common = {**folder.describe(), "threads": cores}
        sizes = {classifier.provider: classifier.batch_size for classifier in classifiers}
    rows = figures(race.measured, seconds, cores, common)
    return [{**row, "batch_size": sizes.get(row["system"], "")} for row in rows]


def _add_runtime(
    race: Race, classifier: Classifier, folder: Folder, outputs: Path, options: list[str]
) -> None:
    """The runtime from a folder to a file of JSON Lines: opened once, and as a whole process."""
    engine, device = versions(classifier.device), classifier.device
    file = model_used(classifier)
    rows = outputs / f"{device}.jsonl"

    def in_process() -> None:
        _classify_folder(classifier, folder, rows)

    in_process()
    end_to_end = Measured(FOLDER, classifier.provider, device, engine, len(folder.files), file)
    race.add(end_to_end, timed(in_process))

    command = [*genre_infer(), str(folder.path), "--format", "jsonl", "--force", *options]
    command += ["--output", str(outputs / f"{device}-process.jsonl")]
    whole = Measured(PROCESS, classifier.provider, device, engine, len(folder.files), file)
    race.add(whole, lambda: run_process(command).seconds)


def _classify_folder(classifier: Classifier, folder: Folder, target: Path) -> None:
    """What genre-infer FOLDER --format jsonl -o FILE does once the model is open."""
    output = Output(target, force=True)
    writer = make_writer("jsonl", output.stream, classifier.genres)
    written = 0
    for result in classifier.classify_many(Discovery([str(folder.path)])):
        if not result.ok:
            raise GenreInferError(
                f"{Path(str(result.path)).resolve()}: {result.error} Speed is measured on posters "
                "that can be read; take it out of the folder."
            )
        writer.write(result)
        written += 1
    output.finish()
    if written != len(folder.files):
        raise GenreInferError(f"{written} rows came of {len(folder.files)} posters.")


def _add_decoding(race: Race, classifier: Classifier, folder: Folder, cores: int) -> None:
    """Reading and decoding alone, as the runtime does it and every pixel of a file."""
    metadata = classifier.metadata
    ours: Callable[[Path], Pixels] = partial(decode, classifier=classifier)
    full: Callable[[Path], Pixels] = partial(decode_in_full, size=(metadata.width, metadata.height))
    for stage, one, workers in (
        (DECODE_ONE, ours, 1),
        (DECODE_ALL, ours, cores),
        (DECODE_FULL, full, cores),
    ):
        work = partial(_decode_all, one, folder.files, workers)
        work()
        measured = Measured(stage, "Pillow", "", versions("pillow"), len(folder.files))
        race.add(measured, timed(work))


def _decode_all(one: Callable[[Path], Pixels], files: tuple[Path, ...], workers: int) -> None:
    if workers == 1:
        for file in files:
            one(file)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(one, files):
            pass


def _batches(classifier: Classifier, folder: Folder) -> list[Pixels]:
    """Raw batches of the classifier's own batch size, the last one filled up from the start."""
    files = folder.files[:NETWORK_POSTERS]
    pixels = [decode(file, classifier) for file in files]
    size = classifier.batch_size
    wanted = -(-len(pixels) // size) * size
    whole = np.stack([pixels[i % len(pixels)] for i in range(wanted)])
    return [whole[i : i + size] for i in range(0, wanted, size)]


def _add_networks(
    race: Race, classifiers: list[Classifier], plain: Classifier | None, folder: Folder
) -> None:
    """The network alone: Classifier.predict on raw batches, one for each of the engine's lanes at
    once. plain: the float32 model."""
    contenders = [(NETWORK, one) for one in classifiers] + ([(FLOAT32, plain)] if plain else [])
    for stage, one in contenders:
        batches = _batches(one, folder)
        _run_all(one.predict, batches[:2], one.lanes)
        turn = _turn(batches, one.device, folder)
        posters = sum(len(batch) for batch in turn)
        engine, file = versions(one.device), model_used(one)
        measured = Measured(stage, one.provider, one.device, engine, posters, file)
        race.add(measured, timed(partial(_run_all, one.predict, turn, one.lanes)))


def _turn(batches: list[Pixels], device: str, folder: Folder) -> list[Pixels]:
    """The batches of one run: as they are, or on a GPU, for which they are soon done, again and
    again until as many posters are through as the folder has."""
    held = sum(len(batch) for batch in batches)
    return batches * (-(-len(folder.files) // held) if device in GPUS else 1)


def _run_all(run: Callable[[Pixels], object], batches: list[Pixels], lanes: int = 1) -> None:
    with ThreadPoolExecutor(lanes) as pool:
        for _ in pool.map(run, batches):
            pass


def _add_torch(race: Race, checkpoint: Path, classifier: Classifier, folder: Folder) -> None:
    """The network alone in PyTorch on the GPU: the measure of onnxruntime's CUDA."""
    import torch

    from .baseline import TorchNetwork

    if not torch.cuda.is_available():
        return
    network = TorchNetwork(checkpoint, "cuda")
    batches = _batches(classifier, folder)
    _run_all(network.run, batches[:4])  # compiled here, by one thread
    batches = _turn(batches, "cuda", folder)
    name = "PyTorch compiled, channels_last, AMP"
    posters = sum(len(batch) for batch in batches)
    measured = Measured(TORCH, name, "cuda", versions("torch"), posters)
    race.add(measured, timed(partial(_run_all, network.run, batches, classifier.lanes)))


def _add_fastai(
    race: Race, checkpoint: Path, folder: Folder, device: str, threads: int | None, cores: int
) -> None:
    """learn.get_preds over the same files, with 0, 1 and 2 workers, and with fastai's own default
    where that is more: the best of them counts."""
    from genre_train.learner import choose_device

    from .baseline import Original

    original = Original(checkpoint, folder.files, choose_device(device), threads)
    original.get_preds(folder.files[:8], 0)
    for workers in sorted({0, 1, 2, min(cores, MOST_WORKERS)}):
        name = f"fastai, {workers} worker{'s' * (workers != 1)}"
        measured = Measured(GET_PREDS, name, device, versions("fastai"), len(folder.files))
        race.add(measured, timed(partial(original.get_preds, folder.files, workers)))
