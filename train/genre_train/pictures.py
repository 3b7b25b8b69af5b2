"""The pictures of results pages, as PNG.

Each function draws one picture, writes it and returns the figure. The colours are those of Okabe
and Ito (2008), which colour-blind readers tell apart.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from . import metrics
from .files import write_whole
from .predictions import Predictions

BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
GREY, PALE = "#6F6F6F", "#BFD7E8"
SHARES = "Blues"  # lightness alone carries the value
MOST_FREQUENT = 6
COLUMNS = 6


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure. Sizes are in inches, at 150 dots per inch."""
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def save(figure: Figure, path: Path) -> Figure:
    """Write a figure as PNG. Without date and program, the same figure gives the same bytes."""
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    write_whole(path, file.getvalue())
    return figure


def ap_picture(predictions: Predictions, path: Path) -> Figure:
    """Draw the average precision of each genre, in one panel per domain.

    Each bar has a mark at chance (the genre's share of the posters) and the number of posters. A
    genre with a pale bar has too few of them to count in the macro average.
    """
    p = predictions
    domains = np.unique(p.domains)
    figure = new_figure(10, 1.6 + 0.27 * len(p.genres))
    panels = figure.subplots(1, len(domains), sharey=True, squeeze=False)[0]
    tables = [_genre_rows(p, p.domains == domain) for domain in domains]
    mean = np.array([[row["ap"] for row in rows] for rows in tables], dtype=float)
    order = np.argsort(np.nan_to_num(mean).mean(axis=0), kind="stable")
    places = np.arange(len(order))
    for panel, domain, rows in zip(panels, domains, tables, strict=True):
        ap = np.nan_to_num([rows[i]["ap"] for i in order])
        chance = np.array([rows[i]["support"] for i in order]) / (p.domains == domain).sum()
        counted = [i in metrics.supported(p.labels[p.domains == domain]) for i in order]
        panel.barh(places, ap, color=[BLUE if yes else PALE for yes in counted])
        panel.plot(chance, places, "|", color="black", markersize=11, markeredgewidth=2)
        for place, value, least, i in zip(places, ap, chance, order, strict=True):
            known = rows[i]["support"] > 0
            text = f"{rows[i]['ap']:.2f}  n={rows[i]['support']}" if known else "no poster"
            panel.text(max(value, least) + 0.02, place, text, va="center", fontsize=8)
        panel.set(xlim=(0, 1.18), xticks=np.linspace(0, 1, 6), xlabel="average precision")
        panel.set_title(f"{domain}: {(p.domains == domain).sum()} posters")
        panel.set_yticks(places, [p.genres[i] for i in order])
        panel.margins(y=0.01)
        _clear(panel)
    figure.legend(
        *_keys(("bar", BLUE, "counts in the macro average"), ("bar", PALE, "too few posters"),
               ("|", "black", "chance: the genre's share")),
        loc="outside lower center", ncols=3, frameon=False,
    )  # fmt: skip
    return save(figure, path)


def reliability_picture(predictions: Predictions, path: Path) -> Figure:
    """Draw the share that is true over the predicted probability, in bins of equal mass.

    The large panel is over all poster-genre pairs, the small ones are for the most frequent genres.
    The axes are square roots, because most genres are improbable for most posters.
    """
    p = predictions
    figure = new_figure(10, 4.5)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.25))
    left, right = halves
    main = left.subplots()
    error = metrics.calibration_error(p.probabilities, p.labels)
    ticks = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
    _reliability(main, p.probabilities.ravel(), p.labels.ravel(), BLUE, ticks)
    main.set_title(f"all genres: calibration error {error:.4f}")
    main.set(xlabel="mean probability of a bin", ylabel="share of its posters with the genre")
    frequent = np.argsort(-p.labels.sum(axis=0), kind="stable")[:MOST_FREQUENT]
    small = right.subplots(2, 3, sharex=True, sharey=True).ravel()
    for panel, column in zip(small, frequent, strict=False):
        predicted, true = p.probabilities[:, column], p.labels[:, column]
        _reliability(panel, predicted, true, VERMILION, ticks=(0, 0.1, 0.4, 1))
        panel.set_title(p.genres[column], fontsize=10)
    for panel in small[len(frequent) :]:
        panel.set_axis_off()
    return save(figure, path)


def _reliability(
    panel: Any,
    predicted: NDArray[np.floating],
    true: NDArray[np.bool_],
    colour: str,
    ticks: tuple[float, ...],
) -> None:
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, metrics.BINS) if len(part)]
    panel.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    x, y = [predicted[part].mean() for part in parts], [true[part].mean() for part in parts]
    panel.plot(x, y, color=colour, marker="o", markersize=4, linewidth=1)
    for scale in (panel.set_xscale, panel.set_yscale):
        scale("function", functions=(_root, np.square))
    panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    names = [f"{tick:g}" for tick in ticks]
    panel.set_xticks(ticks, names, fontsize=8)
    panel.set_yticks(ticks, names, fontsize=8)
    panel.grid(color="#E5E5E5", linewidth=0.6)


def _root(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.sqrt(np.clip(values, 0, None))  # the margin of an axis may be below 0


def cooccurrence_picture(predictions: Predictions, path: Path, mode: str = "balanced") -> Figure:
    """Draw which genres come together, actual ones beside named ones.

    A cell is the share of the posters with the row's genre that also have the column's. It is grey
    if no poster has the row's genre.
    """
    p = predictions
    figure = new_figure(10, 5.9)
    panels = figure.subplots(1, 2, sharey=True)
    named = p.probabilities >= p.thresholds[mode]
    for panel, labels, title in ((panels[0], p.labels, "actual"), (panels[1], named, "named")):
        image = draw_matrix(panel, cooccurrence(labels), p.genres, fontsize=7)
        panel.set_title(f"{title}: {labels.sum(axis=1).mean():.2f} genres a poster")
    figure.colorbar(
        image, ax=panels, location="bottom", shrink=0.4, pad=0.02,
        label="share of the row's posters that also have the column's genre",
    )  # fmt: skip
    return save(figure, path)


def cooccurrence(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the share of the posters with the row's genre that also have the column's.

    Args:
        labels: bool [posters, genres].

    Returns:
        float64 [genres, genres], 0 to 1; NaN on the diagonal and in rows without a poster.
    """
    together = labels.T.astype(np.float64) @ labels
    with np.errstate(invalid="ignore"):
        shares = together / np.diag(together)[:, None]
    np.fill_diagonal(shares, np.nan)
    return shares


def precision_recall_picture(
    predictions: Predictions, path: Path, mode: str = "balanced"
) -> Figure:
    """Draw precision over recall, in one panel per genre and with one line per domain.

    A dot marks the mode's threshold, a dotted line the genre's share of the posters.
    """
    p = predictions
    rows = -(-len(p.genres) // COLUMNS)
    figure = new_figure(10, 0.8 + 1.75 * rows)
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    domains = [str(domain) for domain in np.unique(p.domains)]
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(domains))]
    for column, (panel, genre) in enumerate(zip(panels, p.genres, strict=False)):
        for domain, colour in zip(domains, colours, strict=True):
            chosen = p.domains == domain
            threshold = p.thresholds[mode][column]
            truth, scores = p.labels[chosen, column], p.probabilities[chosen, column]
            _precision_recall(panel, truth, scores, threshold, colour)
        panel.set_title(genre, fontsize=9)
        panel.set(xlim=(0, 1), ylim=(0, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        _clear(panel)
    for panel in panels[len(p.genres) :]:
        panel.set_axis_off()
    figure.supxlabel("recall")
    figure.supylabel("precision")
    entries = [("-", colour, domain) for domain, colour in zip(domains, colours, strict=True)]
    keys = _keys(*entries, ("o", GREY, f"threshold ({mode})"), (":", GREY, "chance"))
    figure.legend(*keys, loc="outside upper center", ncols=len(keys[0]), frameon=False)
    return save(figure, path)


def _precision_recall(
    panel: Any,
    truth: NDArray[np.bool_],
    scores: NDArray[np.floating],
    threshold: float,
    colour: str,
) -> None:
    if not truth.any():
        return
    precision, recall, _ = precision_recall_curve(truth, scores)
    panel.step(recall, precision, where="post", color=colour, linewidth=1)
    panel.axhline(truth.mean(), color=colour, linewidth=0.8, linestyle=":")
    named = scores >= threshold
    if named.any():
        hits = (named & truth).sum()
        panel.plot(hits / truth.sum(), hits / named.sum(), "o", color=colour, markersize=4)


CURVES: tuple[tuple[str, dict[str, str]], ...] = (
    ("loss", {"train_loss": "train", "valid_loss": "valid"}),
    ("macro AP on valid", {"macro_ap": "macro AP"}),
    ("accuracy_multi on valid (degenerate)", {"accuracy_multi": "accuracy_multi"}),
    ("accuracy on valid", {"accuracy": "accuracy"}),
)


def learning_picture(epochs: list[dict[str, Any]], path: Path) -> Figure:
    """Draw losses and measures over a checkpoint's epochs, each on its own scale.

    Stage 0, in which the body was frozen, is shaded.
    """
    curves = [
        (title, names) for title, names in CURVES if any(n in e for n in names for e in epochs)
    ]
    figure = new_figure(10, 3.6)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    places = np.arange(1, len(epochs) + 1)
    frozen = sum(record.get("stage") == 0 for record in epochs)
    for panel, (title, names) in zip(panels, curves, strict=True):
        if frozen:
            panel.axvspan(0.5, frozen + 0.5, color="#EEEEEE", label="frozen body")
        for (name, label), colour in zip(names.items(), COLOURS, strict=False):
            values = [record.get(name, np.nan) for record in epochs]
            panel.plot(places, values, marker="o", color=colour, label=label)
        panel.set(xlabel="epoch", xlim=(0.5, len(epochs) + 0.5), xticks=_some(places))
        panel.set_title(title, fontsize=10)
        panel.legend(frameon=False)
        _clear(panel)
    return save(figure, path)


def draw_matrix(panel: Any, shares: NDArray[np.float64], genres: list[str], fontsize: int) -> Any:
    """Draw shares of genres by genres, [genres, genres], 0 to 1 or NaN, and return the image."""
    panel.set_facecolor("#D9D9D9")
    image = panel.imshow(shares, cmap=SHARES, vmin=0, vmax=1)
    places = range(len(genres))
    panel.set_xticks(places, genres, rotation=90, fontsize=fontsize)
    panel.set_yticks(places, genres, fontsize=fontsize)
    return image


def _genre_rows(predictions: Predictions, chosen: NDArray[np.bool_]) -> list[dict[str, Any]]:
    p = predictions
    never = np.full(len(p.genres), np.inf)
    return metrics.genre_table(p.probabilities[chosen], p.labels[chosen], p.genres, never)


def _keys(*entries: tuple[str, str, str]) -> tuple[list[Any], list[str]]:
    """Return handles and labels of a legend, from (kind, colour, label)."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for kind, colour, _ in entries:
        if kind == "bar":
            handles.append(Patch(color=colour))
        elif kind in ("-", ":"):
            handles.append(Line2D([], [], color=colour, linestyle=kind))
        else:
            handles.append(Line2D([], [], color=colour, marker=kind, linestyle="none", mew=2))
    return handles, [label for _, _, label in entries]


def _some(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return about a dozen of an axis's places, or fewer."""
    return places[:: max(1, len(places) // 12)]


def _clear(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
