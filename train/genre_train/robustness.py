"""genre-train robustness: how far the measures fall when the same posters look a little different.

Every poster of a split is scaled, recompressed, cropped, turned or made grey, and predicted again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genre_infer.cores import available_cores
from genre_infer.posters import Pixels, load_poster, squish
from genre_infer.progress import progress

from . import metrics
from .dataset import Dataset
from .figures import print_and_write
from .intervals import RESAMPLES, headlines, interval, resample
from .predictions import Predictions, open_predictor, predict

MODE = "balanced"  # the mode whose labels are compared

Change = Callable[[Image.Image], Image.Image]

COLUMNS = {
    "change": "posters",
    "macro_ap": "headline",
    "difference": "difference",
    "low": "95 % low",
    "high": "high",
    "agree": "labels that agree",
}
"""Key in the rows -> heading, on a terminal and in the documents."""


def scaled(factor: float) -> Change:
    """Return the change of both sides by a factor, with Pillow's bicubic filter."""

    def change(picture: Image.Image) -> Image.Image:
        size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
        return picture.resize(size, Image.Resampling.BICUBIC)

    return change


def recompressed(quality: int, size: tuple[int, int] | None = None) -> Change:
    """Return the change to a JPEG.

    Args:
        quality: Its quality, 1 to 100.
        size: Width and height, in pixels, that the poster is squished to before; None: it is not.
    """

    def change(picture: Image.Image) -> Image.Image:
        smaller = Image.fromarray(squish(picture, *(size or picture.size)))
        file = BytesIO()
        smaller.save(file, "JPEG", quality=quality)
        return load_poster(file.getvalue())

    return change


def cropped(share: float) -> Change:
    """Return the change that cuts a share of the width and the height off each side."""

    def change(picture: Image.Image) -> Image.Image:
        x, y = picture.width * share, picture.height * share
        return picture.crop(
            (round(x), round(y), round(picture.width - x), round(picture.height - y))
        )

    return change


def turned(degrees: float) -> Change:
    """Return the change to a crooked scan: turned, on black, in a frame of the same size."""
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC)


def grey(picture: Image.Image) -> Image.Image:
    """Return a poster without its colours."""
    return picture.convert("L").convert("RGB")


CHANGES: dict[str, Change] = {
    "half the size": scaled(0.5),
    "twice the size": scaled(2),
    "8 times the size": scaled(8),
    "JPEG quality 30": recompressed(30),
    "5 % cut off each side": cropped(0.05),
    "turned by 2 degrees": turned(2),
    "grey": grey,
}


def run_robustness(
    *, model: Path, table: Path, posters: Path, output: Path | None, split: str, device: str
) -> None:
    """Change and measure posters, print the table, and write the CSV file if one is named.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used.
    """
    before, dataset = predict(model, table, posters, split=split, device=device)
    everything = np.arange(len(dataset.posters))
    counts = resample(before.imdb_ids, RESAMPLES, 0)
    unchanged = headlines(before, counts)
    rows = [_row("as they are", before, before, unchanged, unchanged)]
    with open_predictor(model, device) as predictor:
        for name, change in CHANGES.items():
            pixels = changed_pixels(dataset, everything, change, name)
            after = replace(before, probabilities=predictor.probabilities(pixels))
            rows.append(_row(name, before, after, unchanged, headlines(after, counts)))
    title = f"{before.model}: {len(before.labels)} posters of {split}"
    print_and_write(title, COLUMNS, rows, output, before.model)


def changed_pixels(
    dataset: Dataset, chosen: NDArray[np.int64], change: Change, title: str
) -> Pixels:
    """Open posters from their files, change them, and squish them to the dataset's size.

    Args:
        dataset: The posters.
        chosen: The positions of the posters to change.
        change: What is done to each.
        title: What the progress bar says.

    Returns:
        uint8 [chosen, height, width, 3].
    """
    height, width = dataset.pixels.shape[1:3]

    def pixels(position: int) -> Pixels:
        picture = load_poster(dataset.folder / dataset.posters[position].name)
        return squish(change(picture), width, height)

    with ThreadPoolExecutor(available_cores()) as pool:  # Pillow releases the interpreter lock
        parts = pool.map(pixels, chosen.tolist())
        return np.stack(list(progress(parts, len(chosen), f"Posters: {title}")))


def _row(
    name: str,
    before: Predictions,
    after: Predictions,
    unchanged: NDArray[np.float64],
    changed: NDArray[np.float64],
) -> dict[str, Any]:
    """Return a row of the table: the headline after a change, and what the change costs."""
    old, new = (
        metrics.headline(p.probabilities, p.labels, p.domains)["macro_ap"] for p in (before, after)
    )
    low, high = interval(changed - unchanged)
    named, named_before = (p.probabilities >= p.thresholds[MODE] for p in (after, before))
    return {
        "change": name,
        "macro_ap": new,
        "difference": new - old,
        "low": low,
        "high": high,
        "agree": float((named == named_before).mean()),
    }
