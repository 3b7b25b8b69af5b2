"""genre-bench latency: one poster, warm, from file to result."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from genre_infer import Classifier, GenreInferError

from .folders import poster_folder
from .systems import model_used, open_classifiers, versions
from .tables import print_and_write
from .timing import Seconds, ratio, timed

PREDICT = "fastai learn.predict"
WARM_UP = 5  # posters at the start of every turn that are not counted


def run_latency(
    *,
    posters: Path | None,
    count: int | None,
    size: tuple[int, int] | None,
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
        GenreInferError: A model, a device or a poster cannot be used.
    """
    with (
        open_classifiers(model, devices, checkpoint, threads=threads) as classifiers,
        poster_folder(posters, count, size) as folder,
    ):
        contenders: dict[str, Callable[[Path], object]] = {}
        columns: dict[str, dict[str, Any]] = {}
        for classifier in classifiers:
            contenders[classifier.provider] = partial(_classify, classifier)
            columns[classifier.provider] = {
                "device": classifier.device,
                "engine": versions(classifier.device),
                "model": model_used(classifier),
            }
        if fastai and checkpoint:
            from genre_train.learner import choose_device

            from .baseline import FastaiBaseline

            device = choose_device(fastai_device)
            contenders[PREDICT] = FastaiBaseline(checkpoint, folder.files, device, threads).predict
            columns[PREDICT] = {"device": device, "engine": versions("fastai"), "model": ""}
        for file in folder.files:
            file.read_bytes()  # into the disk's cache
        seconds = _take_turns(contenders, folder.files, repeats)
        common = {**folder.describe(), "threads": classifiers[0].threads}
    rows = _rows(seconds, columns, common)
    print_and_write("latency", "One poster, warm, from file to result", rows, csv_file)


def _classify(classifier: Classifier, file: Path) -> None:
    result = classifier.classify(file)
    if not result.ok:
        raise GenreInferError(f"{file.resolve()}: {result.error} Take it out of the folder.")


def _take_turns(
    contenders: dict[str, Callable[[Path], object]], files: tuple[Path, ...], repeats: int
) -> dict[str, Seconds]:
    """Time each contender on all posters in a turn.

    Contenders do not alternate by poster: the slow one would evict the fast one's data from the
    processor's caches before every run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, one in contenders.items():
            for file in files[:WARM_UP]:
                one(file)
            seconds[name] += [timed(partial(one, file))() for file in files]
    return {name: Seconds(tuple(runs)) for name, runs in seconds.items()}


def _rows(
    seconds: dict[str, Seconds], columns: dict[str, dict[str, Any]], common: dict[str, Any]
) -> list[dict[str, Any]]:
    """Make a row for each system: milliseconds a poster, and its median against fastai's."""
    predict = seconds[PREDICT].median if PREDICT in seconds else None
    return [
        {
            "system": name,
            "median_ms": 1000 * runs.median,
            "p90_ms": 1000 * runs.percentile(90),
            "fastest_ms": 1000 * runs.fastest,
            "slowest_ms": 1000 * runs.slowest,
            "share_of_predict": ratio(runs.median, predict),
            "times_faster": ratio(predict, runs.median),
            "runs": len(runs.runs),
            **columns[name],
            **common,
        }
        for name, runs in seconds.items()
    ]
