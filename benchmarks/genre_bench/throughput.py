"""genre-bench throughput: from a folder of posters to rows, and what limits it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from genre_infer import Classifier, GenreInferError, Limits
from genre_infer.discover import Discovery
from genre_infer.engines import GPUS
from genre_infer.posters import Pixels, poster_pixels, squish
from genre_infer.rows import Output, make_writer

from .folders import Folder, poster_folder
from .processes import engine_options, genre_infer, run_process
from .systems import model_used, open_classifiers, open_float32, versions
from .tables import print_and_write
from .throughput_rows import Contender, Stage, throughput_rows
from .timing import alternate, timed

MOST_WORKERS = 16  # of fastai's DataLoader: its default is one for each core, but not more
NETWORK_POSTERS = 512  # decoded posters that are held for the network alone, at most


def run_throughput(
    *,
    posters: Path | None,
    count: int | None,
    size: tuple[int, int] | None,
    checkpoint: Path | None,
    model: Path | None,
    float32: Path | None,
    devices: tuple[str, ...],
    fastai: bool,
    fastai_device: str,
    repeats: int,
    threads: int | None,
    batch_size: int | None,
    csv_file: Path | None,
) -> None:
    """Measure, print and write: see the command's help for the arguments.

    Raises:
        GenreInferError: A model, a device or a poster cannot be used.
    """
    options: dict[str, Any] = {"threads": threads}
    options |= {"batch_size": batch_size} if batch_size else {}
    contenders: list[Contender] = []
    with (
        open_classifiers(model, devices, checkpoint, **options) as classifiers,
        open_float32(float32, checkpoint, **options) as plain,
        poster_folder(posters, count, size) as folder,
        TemporaryDirectory(prefix="genre-bench-") as outputs,
    ):
        cores = classifiers[0].threads
        for classifier in classifiers:
            command = engine_options(classifier.device, model, threads, batch_size)
            contenders += _runtime(classifier, folder, Path(outputs), command)
        contenders += _decoding(classifiers[0], folder, cores)
        contenders += [_network(Stage.NETWORK, one, folder) for one in classifiers]
        contenders += [_network(Stage.FLOAT32, plain, folder)] if plain else []
        on_gpus = [classifier for classifier in classifiers if classifier.device in GPUS]
        if checkpoint and on_gpus:
            contenders += _torch_network(checkpoint, on_gpus[0], folder)
        if fastai and checkpoint:
            contenders += _get_preds(checkpoint, folder, fastai_device, threads, cores)
        seconds = alternate({one.key: one.run for one in contenders}, repeats)
        sizes = {classifier.provider: classifier.batch_size for classifier in classifiers}
        common = {**folder.describe(), "threads": cores}
    rows = throughput_rows(contenders, seconds, cores, common)
    rows = [{**row, "batch_size": sizes.get(row["system"], "")} for row in rows]
    print_and_write("throughput", f"Throughput over {len(folder.files)} posters", rows, csv_file)


def _runtime(
    classifier: Classifier, folder: Folder, outputs: Path, options: list[str]
) -> Iterator[Contender]:
    """Yield the runtime from a folder to JSON Lines, with its model open and as a whole process."""
    engine, device = versions(classifier.device), classifier.device
    file, posters = model_used(classifier), len(folder.files)
    work = partial(_classify_folder, classifier, folder, outputs / f"{device}.jsonl")
    work()
    provider = classifier.provider
    yield Contender(Stage.FOLDER, provider, device, engine, posters, timed(work), file)

    command = [*genre_infer(), str(folder.path), "--format", "jsonl", "--force", *options]
    command += ["--output", str(outputs / f"{device}-process.jsonl")]
    yield Contender(
        Stage.PROCESS,
        provider,
        device,
        engine,
        posters,
        lambda: run_process(command).seconds,
        file,
    )


def _classify_folder(classifier: Classifier, folder: Folder, target: Path) -> None:
    """Do what genre-infer FOLDER --format jsonl -o FILE does once the model is open.

    The command itself opens a model for every run, prints a summary and ends its process.
    """
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
        raise GenreInferError(f"{written} rows were written for {len(folder.files)} posters.")


def _decoding(classifier: Classifier, folder: Folder, cores: int) -> Iterator[Contender]:
    """Yield reading and decoding alone, as the runtime does it and in full."""
    size = (classifier.metadata.width, classifier.metadata.height)
    draft: Callable[[Path], Pixels] = partial(_decode, size=size)
    full: Callable[[Path], Pixels] = partial(_decode_in_full, size=size)
    for stage, one, workers in (
        (Stage.DECODE_ONE, draft, 1),
        (Stage.DECODE_ALL, draft, cores),
        (Stage.DECODE_FULL, full, cores),
    ):
        work = partial(_decode_all, one, folder.files, workers)
        work()
        run = timed(work)
        yield Contender(stage, "Pillow", "", versions("pillow"), len(folder.files), run)


def _decode(path: Path, size: tuple[int, int]) -> Pixels:
    return poster_pixels(path, *size, Limits(), draft=True)


def _decode_in_full(path: Path, size: tuple[int, int]) -> Pixels:
    """Decode every pixel, then squish: what decoding costs without a JPEG's reduced scales."""
    with Image.open(path) as picture:
        return squish(picture.convert("RGB"), *size)


def _decode_all(one: Callable[[Path], Pixels], files: tuple[Path, ...], workers: int) -> None:
    if workers == 1:
        for file in files:
            one(file)
    else:
        _run_all(one, files, workers)


def _run_all(run: Callable[[Any], object], inputs: Any, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(run, inputs):
            pass


def _network(stage: Stage, classifier: Classifier, folder: Folder) -> Contender:
    """Return the network alone: predict on raw batches, as many at once as the engine has lanes."""
    batches = _batches(classifier, folder)
    _run_all(classifier.predict, batches[:2], classifier.lanes)
    batches = _enough(batches, classifier.device, folder)
    return Contender(
        stage,
        classifier.provider,
        classifier.device,
        versions(classifier.device),
        sum(len(batch) for batch in batches),
        timed(partial(_run_all, classifier.predict, batches, classifier.lanes)),
        model_used(classifier),
    )


def _batches(classifier: Classifier, folder: Folder) -> list[Pixels]:
    """Decode posters into batches of the classifier's size, the last one filled from the start."""
    size = (classifier.metadata.width, classifier.metadata.height)
    pixels = [_decode(file, size) for file in folder.files[:NETWORK_POSTERS]]
    step = classifier.batch_size
    wanted = -(-len(pixels) // step) * step
    whole = np.stack([pixels[i % len(pixels)] for i in range(wanted)])
    return [whole[i : i + step] for i in range(0, wanted, step)]


def _enough(batches: list[Pixels], device: str, folder: Folder) -> list[Pixels]:
    """On a GPU, which is done with them too soon, repeat the batches to the number of posters."""
    held = sum(len(batch) for batch in batches)
    return batches * (-(-len(folder.files) // held) if device in GPUS else 1)


def _torch_network(checkpoint: Path, classifier: Classifier, folder: Folder) -> list[Contender]:
    """Return the network alone in PyTorch on the GPU, to compare onnxruntime's CUDA with."""
    import torch

    from .baseline import TorchNetwork

    if not torch.cuda.is_available():
        return []
    network = TorchNetwork(checkpoint, "cuda")
    batches = _batches(classifier, folder)
    _run_all(network.run, batches[:4], threads=1)  # one thread compiles it
    batches = _enough(batches, "cuda", folder)
    name = "PyTorch compiled, channels_last, AMP"
    posters = sum(len(batch) for batch in batches)
    run = timed(partial(_run_all, network.run, batches, classifier.lanes))
    return [Contender(Stage.TORCH, name, "cuda", versions("torch"), posters, run)]


def _get_preds(
    checkpoint: Path, folder: Folder, device: str, threads: int | None, cores: int
) -> Iterator[Contender]:
    """Yield learn.get_preds with 0, 1 and 2 workers, and with fastai's default if that is more."""
    from genre_train.learner import choose_device

    from .baseline import FastaiBaseline

    learner = FastaiBaseline(checkpoint, folder.files, choose_device(device), threads)
    learner.get_preds(folder.files[:8], 0)
    for workers in sorted({0, 1, 2, min(cores, MOST_WORKERS)}):
        name = f"fastai, {workers} worker{'s' * (workers != 1)}"
        run = timed(partial(learner.get_preds, folder.files, workers))
        yield Contender(Stage.GET_PREDS, name, device, versions("fastai"), len(folder.files), run)
