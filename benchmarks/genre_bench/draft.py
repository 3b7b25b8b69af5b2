"""genre-bench draft: what decoding large JPEGs at a fraction of their size changes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from genre_export.bounds import DRAFT, missed
from genre_infer import Classifier, Limits
from genre_infer.cores import available_cores
from genre_infer.posters import Pixels, Source, poster_pixels
from genre_infer.progress import progress
from genre_train.dataset import load_dataset
from genre_train.metrics import FEWEST_POSTERS, threshold_row

from .parity import ap_changes
from .systems import sample, system_name
from .tables import print_and_write

FACTORS = (4.0, 20.0)  # of the input size: from 4 on a half, from 8 a quarter, from 16 an eighth
GRAIN = 6.0  # standard deviation in levels: enlarged pictures have no fine detail of their own
QUALITY = 90


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
    """Print and write how far drafts are from exact decoding.

    A second row is about noise of one level in a fifth of the values: a quantized model answers
    even that with other probabilities.

    Args:
        model: The file; None is the packaged model.
        table: CSV of films.
        posters: Folder of posters.
        split: The posters to choose from.
        device: As Classifier's.
        count: How many posters are chosen.
        seed: Of the choice, the enlarging and the noise.
        csv_file: Where the rows go.

    Returns:
        Whether the drafts meet the bound.

    Raises:
        GenreInferError: The model, the table or the device cannot be used.
    """
    with (
        Classifier(model, device=device) as draft,
        Classifier(model, device=device, exact=True) as exact,
    ):
        metadata, name = exact.metadata, system_name(exact)
        size, genres = (metadata.width, metadata.height), list(exact.genres)
        split_seed = int(metadata.details.get("split_seed", 0))  # for a table without splits
        dataset = load_dataset(
            table, posters, size, seed=split_seed, splits=(split,), genres=genres
        )
        chosen = sample(len(dataset.posters), count, seed)
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
    print_and_write("draft", "Drafts of large JPEGs against exact decoding", rows, csv_file)
    if faults := missed(DRAFT, rows[0]):
        click.echo(f"The drafts miss the bound: {'; '.join(faults)}.", err=True)
    if rows[0]["macro_ap_change"] is None:
        click.echo(
            f"Macro average precision was not judged: no genre has {FEWEST_POSTERS} of these "
            "posters. Choose a larger --count.",
            err=True,
        )
    return not faults


def draft_row(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    labels: NDArray[np.bool_],
    domains: NDArray[np.str_],
) -> dict[str, Any]:
    """Measure how far drafts are from exact decoding.

    Args:
        ours: Probabilities of the drafts, [posters, genres].
        theirs: Probabilities of exact decoding, the same shape.
        thresholds: [genres].
        labels: The same shape as ours.
        domains: The domain of each poster, [posters].
    """
    difference = np.abs(ours - theirs)
    changes = ap_changes(ours, theirs, labels, domains).values()
    measured = [change for change in changes if change is not None]
    figures = {
        "posters": len(ours),
        "largest": float(difference.max()),
        "percentile_99": float(np.quantile(difference, 0.99)),
        "labels_agree": float(((ours >= thresholds) == (theirs >= thresholds)).mean()),
        "macro_ap_change": float(np.mean(measured)) if measured else None,
    }
    return {**figures, "within_bound": not missed(DRAFT, figures)}


def _enlarged(paths: list[Path], size: tuple[int, int], seed: int) -> Iterator[bytes]:
    """Yield the posters as large JPEGs, in order; a few are made ahead."""
    step = 2 * available_cores()
    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(paths), step):
            group = range(start, min(start + step, len(paths)))
            yield from pool.map(lambda n: enlarged(paths[n], size, seed + n), group)


def enlarged(path: Path, size: tuple[int, int], seed: int) -> bytes:
    """Enlarge a poster, keeping its ratio, and sharpen it, add grain and save it as a JPEG.

    Args:
        path: The poster.
        size: Width and height; a random multiple of it is covered by the enlarged poster.
        seed: Of the multiple and the grain.
    """
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
    """Move a tenth of the values one level up, and a tenth one level down."""
    steps = np.random.default_rng(seed).choice([-1, 0, 1], pixels.shape, p=[0.1, 0.8, 0.1])
    return (pixels + steps).clip(0, 255).astype(np.uint8)


def _scores(classifier: Classifier, source: Source) -> NDArray[np.float64]:
    result = classifier.classify(source)
    return np.array(list((result.scores or {}).values()), dtype=np.float64)
