"""The page of results as Markdown."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .intervals import RESAMPLES
from .metrics import FEWEST_POSTERS, MEAN, POOLED
from .predictions import COLUMNS, Predictions, left_out_genres

MODE = "balanced"  # whose thresholds the measures use
Rows: TypeAlias = list[dict[str, Any]]
Columns: TypeAlias = tuple[tuple[str, str], ...]  # (name in the rows, title)

GENRE_COLUMNS: Columns = (
    ("genre", "genre"),
    ("support", "posters"),
    ("chance", "chance"),
    ("ap", "AP"),
    ("auc", "AUC"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("named", "named"),
    ("calibration_error", "calibration error"),
)
MODE_COLUMNS: Columns = (
    ("mode", "mode"),
    ("named", "labels named"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("never", "genres never named"),
    ("none", "posters without a label"),
)
INTERVAL_COLUMNS: Columns = (
    ("domain", "domain"),
    ("measure", "measure"),
    ("value", "value"),
    ("low", "low"),
    ("high", "high"),
)
COMPARED_COLUMNS: Columns = (
    ("model", "model"),
    ("genres", "genres of both"),
    ("macro_ap", "macro AP (mean of domains)"),
    ("difference", "difference"),
    ("low", "low"),
    ("high", "high"),
    ("largest", "largest change of probability"),
    ("agree", "labels that agree"),
)
PICTURES = {
    "average-precision.png": "Average precision of each genre, beside chance",
    "reliability.png": "Said probability against the share that is true",
    "precision-recall.png": "Precision over recall, with the thresholds of the mode balanced",
    "cooccurrence.png": "Which genres come together, actual and named",
    "learning.png": "The epochs of the training",
}


@dataclass
class Tables:
    """All tables of a page. epochs: empty without a checkpoint."""

    scores: Rows
    intervals: Rows
    modes: Rows
    genres: Rows
    compared: Rows
    epochs: Rows


def page(predictions: Predictions, facts: dict[str, str], tables: Tables, drawn: list[str]) -> str:
    """The page as Markdown."""
    lines = [f"# {predictions.model}", "", *_bullets(facts), "", *_headline(tables.intervals)]
    lines += ["", "## Measures", "", *_measures(tables.scores), ""]
    lines += [f"95 % intervals over {RESAMPLES} resamples of each domain's posters:", ""]
    titles = dict(COLUMNS)
    intervals = [{**row, "measure": titles[row["measure"]]} for row in tables.intervals]
    lines += [*markdown(intervals, INTERVAL_COLUMNS), ""]
    lines += _left_out(predictions)
    lines += [
        "",
        "## Operating points",
        "",
        "Precision and recall are over all labels (micro).",
        "",
    ]
    lines += markdown(tables.modes, MODE_COLUMNS)
    if tables.compared:
        note = "On the same posters, over the genres of both; the interval is of the difference."
        lines += ["", "## Beside it", "", note]
        lines += ["", *markdown(tables.compared, COMPARED_COLUMNS)]
    lines += ["", "## Pictures"]
    for name in drawn:
        lines += ["", f"![{PICTURES[name]}]({name})"]
    if tables.epochs:
        columns = tuple((name, name) for name in tables.epochs[0])
        lines += ["", "## Epochs", "", "In stage 0 the body was frozen.", ""]
        lines += markdown(tables.epochs, columns)
    lines += ["", "## Genres", "", f"Precision, recall and named: at the mode {MODE}'s thresholds."]
    for domain in left_out_genres(predictions):
        rows = [row for row in tables.genres if row["domain"] == domain]
        lines += ["", f"### {domain}", "", *markdown(rows, GENRE_COLUMNS)]
    files = [name for name, rows in vars(tables).items() if rows]
    lines += ["", "The tables as CSV: " + ", ".join(f"[{n}]({n}.csv)" for n in files) + "."]
    return "\n".join(lines) + "\n"


def _bullets(facts: dict[str, str]) -> list[str]:
    return [f"- {name}: {value}" for name, value in facts.items()]


def _headline(intervals: Rows) -> list[str]:
    row = intervals[0]
    return [
        f"Mean over domains of macro average precision: **{row['value']:.4f}** "
        f"(95 % interval {row['low']:.4f} to {row['high']:.4f}).",
        "",
        "The interval is what other posters would change (bootstrap); what another training run "
        "would change is not in it. A resample has some posters twice, which lifts average "
        "precision and calibration error a little: their values tend to lie low in their "
        "intervals.",
    ]


def _measures(scores: Rows) -> list[str]:
    columns: Columns = (("domain", "domain"), ("system", "system"), *COLUMNS)
    domains = list(dict.fromkeys(row["domain"] for row in scores))
    title = {POOLED: f"{POOLED} (shown, never a goal)"}
    ordered = [
        {**row, "domain": title.get(domain, domain)}
        for domain in domains
        for row in scores
        if row["domain"] == domain
    ]
    means = {row["system"]: row["accuracy_multi"] for row in scores if row["domain"] == MEAN}
    return [
        *markdown(ordered, columns),
        "",
        "accuracy_multi is degenerate: most genres are absent from most posters, so that naming "
        f"nothing at all scores {means['nothing']:.4f} where the model scores "
        f"{means['model']:.4f} (mean of domains). Pooling the domains rewards telling the two "
        "crawls apart.",
    ]


def _left_out(predictions: Predictions) -> list[str]:
    return [
        f"- {domain}: macro averages over {len(predictions.genres) - len(genres)} genres. Left out,"
        f" with fewer than {FEWEST_POSTERS} posters with or without it: "
        f"{', '.join(genres) or 'none'}."
        for domain, genres in left_out_genres(predictions).items()
    ]


def markdown(rows: Rows, columns: Columns) -> list[str]:
    """A table in Markdown, figures to the right: (name in the rows, title) for each column."""
    sides = ["---" if isinstance(rows[0][name], str) else "---:" for name, _ in columns]
    lines = [[title for _, title in columns], sides]
    lines += [[_cell(row[name]) for name, _ in columns] for row in rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4f}"
    return str(value).replace("|", "\\|")
