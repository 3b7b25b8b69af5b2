"""genre-train show: a sheet of posters with actual genres above and predicted ones below."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from genre_infer.errors import GenreInferError
from genre_infer.posters import load_poster

from .dataset import Dataset
from .pictures import GREY, new_figure, save
from .predictions import Predictions, predict

RIGHT, WRONG = "#1A7F37", "#C62828"
MARKS = {RIGHT: "✓", WRONG: "✗"}  # not everyone tells the colours apart
MOST_NAMED = 6  # genres below a poster
THUMBNAIL = (364, 536)


@dataclass(frozen=True, slots=True)
class Shown:
    """One poster of the sheet.

    Attributes:
        picture: The poster.
        actual: Its genres in the table.
        named: The genres that the model names, with probabilities (0 to 1), most probable first.
    """

    picture: Image.Image
    actual: tuple[str, ...]
    named: list[tuple[str, float]]


def run_show(
    *,
    model: Path,
    table: Path,
    posters: Path,
    output: Path,
    count: int,
    columns: int,
    split: str,
    mode: str,
    seed: int,
    domains: tuple[str, ...],
    device: str,
) -> None:
    """Draw a sheet of random posters. The arguments are the command's options.

    Raises:
        GenreInferError: The model, the table, the posters or the device cannot be used, or the
            model has no such mode.
    """
    predictions, dataset = predict(
        model, table, posters, split=split, domains=domains, device=device
    )
    if mode not in predictions.thresholds:
        modes = ", ".join(predictions.thresholds) or "none"
        raise GenreInferError(f"{model} has no mode {mode!r}; it has: {modes}.")
    chosen = choose(len(dataset.posters), count, seed)
    shown = [look_up(predictions, dataset, mode, position) for position in chosen]
    heading = f"{predictions.model}; mode {mode}; {len(shown)} posters of {split}"
    save(sheet(shown, columns, heading), output)
    click.echo(f"Wrote {output} with {len(shown)} of {len(dataset.posters)} posters.", err=True)


def choose(posters: int, count: int, seed: int) -> NDArray[np.int64]:
    """Draw the positions of `count` posters, or of all if there are fewer."""
    drawn = np.random.default_rng(seed).permutation(posters)[:count]
    return np.sort(drawn).astype(np.int64)


def look_up(predictions: Predictions, dataset: Dataset, mode: str, position: int) -> Shown:
    """Return the poster at a position with its genres, actual and named by a mode's thresholds."""
    poster = dataset.posters[position]
    scores = predictions.probabilities[position]
    named = [
        (genre, float(score))
        for genre, score, threshold in zip(
            predictions.genres, scores, predictions.thresholds[mode], strict=True
        )
        if score >= threshold
    ]
    picture = load_poster(dataset.folder / poster.name)
    picture.thumbnail(THUMBNAIL)
    return Shown(picture, poster.genres, sorted(named, key=lambda one: -one[1]))


def sheet(shown: list[Shown], columns: int, heading: str) -> Figure:
    """Draw posters in rows of `columns`.

    Predicted genres are green if the table has them, else red.
    """
    rows = -(-len(shown) // columns)
    lines = max(min(len(one.named), MOST_NAMED + 1) for one in shown)
    figure = new_figure(2.5 * columns, 0.7 + rows * (3.9 + 0.17 * max(lines, 1)))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, one in zip(panels, shown, strict=False):
        panel.imshow(np.asarray(one.picture), interpolation="antialiased")
        panel.set_title(textwrap.fill(", ".join(one.actual), 26), fontsize=9)
        for line, (text, colour) in enumerate(captions(one)):
            panel.annotate(
                text,
                xy=(0.5, 0),
                xycoords="axes fraction",
                xytext=(0, -4 - 12 * line),
                textcoords="offset points",
                ha="center",
                va="top",
                color=colour,
                fontsize=9,
            )
    for panel in panels:
        panel.set_axis_off()
    _add_heading(figure, heading, 30 * columns)
    return figure


def captions(one: Shown) -> list[tuple[str, str]]:
    """Return the lines below a poster, with their colours."""
    lines = []
    for genre, probability in one.named[:MOST_NAMED]:
        colour = RIGHT if genre in one.actual else WRONG
        lines.append((f"{MARKS[colour]} {genre} {probability:.2f}", colour))
    if len(one.named) > MOST_NAMED:
        lines.append((f"and {len(one.named) - MOST_NAMED} more", GREY))
    return lines or [("no genre named", GREY)]


def _add_heading(figure: Any, heading: str, width: int) -> None:
    key = "above: actual genres; below: predicted, green ✓ actual, red ✗ not, with probability"
    text = "\n".join(line for part in (heading, key) for line in textwrap.wrap(part, width))
    figure.suptitle(text, fontsize=9)
