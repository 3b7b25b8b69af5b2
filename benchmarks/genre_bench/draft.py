"""The work behind genre-bench draft: what decoding large JPEGs at a fraction of their size does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from genre_infer import Classifier, Limits
from genre_infer.cores import available_cores
from genre_infer.posters import Pixels, Source, poster_pixels
from genre_infer.progress import progress
from genre_train.dataset import load_dataset
from genre_train.metrics import FEWEST_POSTERS, threshold_row

from .compare import ap_changes
from .systems import drawn
from .tables import print_table, write_figures

FACTORS = (4.0, 20.0)  # of the input size: from 4 on a half, from 8 a quarter, from 16 an eighth
GRAIN = 6.0  # standard deviation in levels: enlarged pictures have no fine detail of their own
QUALITY = 90


@dataclass(frozen=True, slots=True)
class Bound:
    """How far the draft may be from exact decoding. percentile_99: of |probability difference|.
    labels_agree: least share of poster-genre pairs on the same side of the threshold.
    macro_ap_change: largest change of macro average precision (mean of the domains), 0 to 1."""

    percentile_99: float = 0.02
    labels_agree: float = 0.995
    macro_ap_change: float = 0.001


def run_draft(
    *,
    model: Path | None,
    table: Path,
    posters: Path,
    split: str,
    device: str,
    count: int,
    seed: int,
    csv_file: Path | None,
) -> bool:
    """Print and write how far drafts are from exact decoding, and beside it what a change of one
    level in a fifth of the values does: a quantized model answers even that with another
    probability. Returns whether the drafts keep Bound."""
    with (
        Classifier(model, device=device) as draft,
        Classifier(model, device=device, exact=True) as exact,
    ):
        metadata, name = exact.metadata, f"{exact.metadata.precision}, {exact.provider}"
        size, genres = (metadata.width, metadata.height), list(exact.genres)
        split_seed = int(metadata.details.get("split_seed", 0))  # where the table has no splits
        dataset = load_dataset(
            table, posters, size, seed=split_seed, splits=(split,), genres=genres
        )
        chosen = drawn(dataset, count, seed)
        paths = [posters / dataset.posters[i].name for i in chosen]
        answers: list[list[NDArray[np.float64]]] = []
        for data in progress(_enlarged(paths, size, seed), len(chosen), "Large posters"):
            whole = poster_pixels(data, *size, Limits())
            noisy = _noisy(whole, seed + len(answers))
            answers.append([_scores(draft, data), _scores(exact, whole), _scores(exact, noisy)])
    drafts, theirs, noise = np.array(answers).transpose(1, 0, 2)
    thresholds = threshold_row(metadata.thresholds["balanced"], genres)
    labels, domains = dataset.labels()[chosen], dataset.domains()[chosen]
    rows = [
        {"system": f"{name}{what}", **draft_row(ours, theirs, thresholds, labels, domains)}
        for what, ours in ((", draft", drafts), (", one level of noise", noise))
    ]
    _report(rows)
    write_figures(rows, csv_file)
    return bool(rows[0]["within_bound"])


def draft_row(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    labels: NDArray[np.bool_],
    domains: NDArray[np.str_],
) -> dict[str, Any]:
    """How far drafts (ours) are from exact decoding (theirs), both [posters, genres]."""
    bound = Bound()
    difference = np.abs(ours - theirs)
    changes = ap_changes(ours, theirs, labels, domains).values()
    measured = [change for change in changes if change is not None]
    change = float(np.mean(measured)) if measured else None
    percentile = float(np.quantile(difference, 0.99))
    agree = float(((ours >= thresholds) == (theirs >= thresholds)).mean())
    return {
        "posters": len(ours),
        "largest": float(difference.max()),
        "percentile_99": percentile,
        "labels_agree": agree,
        "macro_ap_change": change,
        "within_bound": percentile <= bound.percentile_99
        and agree >= bound.labels_agree
        and (change is None or abs(change) <= bound.macro_ap_change),
    }


def _enlarged(paths: list[Path], size: tuple[int, int], seed: int) -> Iterator[bytes]:
    """The posters as large JPEGs, in order, a few made ahead."""
    step = 2 * available_cores()
    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(paths), step):
            group = range(start, min(start + step, len(paths)))
            yield from pool.map(lambda n: enlarged(paths[n], size, seed + n), group)


def enlarged(path: Path, size: tuple[int, int], seed: int) -> bytes:
    """A poster enlarged (Lanczos) to a random multiple of `size`, sharpened, with grain, as a
    JPEG. Its ratio is kept."""
    generator = np.random.default_rng(seed)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    factor = generator.uniform(*FACTORS)
    scale = factor * max(size[0] / picture.width, size[1] / picture.height)
    large = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(large, Image.Resampling.LANCZOS)
    picture = picture.filter(ImageFilter.UnsharpMask(radius=factor, percent=80, threshold=0))
    pixels = np.asarray(picture, dtype=np.float32)
    pixels = pixels + GRAIN * generator.standard_normal((*pixels.shape[:2], 1), dtype=np.float32)
    file = BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _noisy(pixels: Pixels, seed: int) -> Pixels:
    """A tenth of the values one level up, a tenth one down."""
    steps = np.random.default_rng(seed).choice([-1, 0, 1], pixels.shape, p=[0.1, 0.8, 0.1])
    return (pixels + steps).clip(0, 255).astype(np.uint8)


def _scores(classifier: Classifier, source: Source) -> NDArray[np.float64]:
    result = classifier.classify(source)
    return np.array(list((result.scores or {}).values()), dtype=np.float64)


def _report(rows: list[dict[str, Any]]) -> None:
    columns = {
        "system": "system",
        "posters": "posters",
        "largest": "largest",
        "percentile_99": "99th pct",
        "labels_agree": "labels agree",
        "macro_ap_change": "AP ±",
        "within_bound": "within the bound",
    }
    print_table("Drafts of large JPEGs against exact decoding", rows, columns)
    if not rows[0]["within_bound"]:
        click.echo(f"The drafts do not keep the bound: {Bound()}", err=True)
    if rows[0]["macro_ap_change"] is None:
        click.echo(
            f"Macro average precision was not judged: no genre has {FEWEST_POSTERS} of these "
            "posters. A larger --count has more.",
            err=True,
        )
