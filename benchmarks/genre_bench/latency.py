"""genre-bench latency: one poster, warm, from file to result."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from genre_infer import Classifier, GenreInferError

from .contenders import cores_used, model_used, open_classifiers, versions
from .folders import poster_folder
from .tables import finish
from .throughput_rows import ratio
from .timing import Seconds, timed

PREDICT = "fastai learn.predict"
WARM_UP = 5  # posters that are not counted, at the start of every turn

TITLES = {
    "system": "system",
    "posters": "posters",
    "median_ms": "median ms",
    "p90_ms": "90th pct ms",
    "fastest_ms": "fastest ms",
    "slowest_ms": "slowest ms",
    "share_of_predict": "/ learn.predict",
    "times_faster": "x faster",
}


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
    """Measure, print and write. Raises GenreInferError."""
    with (
        open_classifiers(model, devices, checkpoint, threads=threads) as classifiers,
        poster_folder(posters, count, size) as folder,
    ):
        one_poster: dict[str, Callable[[Path], object]] = {}
        columns: dict[str, dict[str, Any]] = {}
        for classifier in classifiers:
            one_poster[classifier.provider] = partial(_classify, classifier)
            engine = versions(classifier.device)
            columns[classifier.provider] = {
                "device": classifier.device,
                "engine": engine,
                "model": model_used(classifier),
            }
        if fastai and checkpoint:
            from genre_train.learner import choose_device

            from .baseline import Original

            device = choose_device(fastai_device)
            original = Original(checkpoint, folder.files, device, threads)
            one_poster[PREDICT] = original.predict
            columns[PREDICT] = {"device": device, "engine": versions("fastai"), "model": ""}
        for file in folder.files:
            file.read_bytes()  # no figure is about a disk
        seconds = _take_turns(one_poster, folder.files, repeats)
        common = {**folder.describe(), "threads": cores_used(threads)}
    rows = figures(seconds, columns, common)
    finish("One poster, warm, from file to result", rows, TITLES, csv_file)


def _classify(classifier: Classifier, file: Path) -> None:
    result = classifier.classify(file)
    if not result.ok:
        raise GenreInferError(f"{file.resolve()}: {result.error} Take it out of the folder.")


def _take_turns(
    contenders: dict[str, Callable[[Path], object]], files: tuple[Path, ...], repeats: int
) -> dict[str, Seconds]:
    """Each turn of a contender is all posters, one after another: alternating by poster would let
    the slow one empty the processor's caches before every run of the fast one."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, one in contenders.items():
            for file in files[:WARM_UP]:
                one(file)
            seconds[name] += [timed(partial(one, file))() for file in files]
    return {name: Seconds(tuple(runs)) for name, runs in seconds.items()}


def figures(
    seconds: dict[str, Seconds], columns: dict[str, dict[str, Any]], common: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each system: milliseconds for a poster, and the ratio of the medians to the
    original's."""
    predict = seconds[PREDICT].median if PREDICT in seconds else None
    rows = []
    for name, runs in seconds.items():
        rows.append(
            {
                "system": name,
                "median_ms": 1000 * runs.median,
                "p90_ms": 1000 * runs.percentile(90),
                "fastest_ms": 1000 * runs.fastest,
                "slowest_ms": 1000 * runs.slowest,
                "share_of_predict": ratio(runs.median, predict),
                "times_faster": "" if predict is None else predict / runs.median,
                "runs": len(runs.runs),
                **columns[name],
                **common,
            }
        )
    return rows
