"""The generated parts of seed.md, from the stored results of the seed's experiments."""

import csv
import re
from pathlib import Path

from genre_train.markdown import table as markdown

RESULTS = Path(__file__).parent / "results"

OURS = {
    "train_loss": "train loss",
    "valid_loss": "valid loss",
    "accuracy_multi": "accuracy_multi",
    "macro_ap": "macro AP",
    "macro_auc": "macro AUC",
}
NOTEBOOK = {"valid_loss": "notebook: valid loss", "accuracy_multi": "notebook: accuracy_multi"}


def side_by_side(name: str) -> str:
    """Return the notebook's own log beside the epochs of a results page."""
    ours, theirs = (_read(RESULTS / name / file) for file in ("epochs.csv", "notebook.csv"))
    rows = []
    for our, their in zip(ours, theirs, strict=True):
        assert (our["stage"], our["epoch"]) == (their["stage"], their["epoch"])
        epoch = "frozen" if our["stage"] == "0" else our["epoch"]
        figures = {f"notebook_{key}": _figure(their[key]) for key in NOTEBOOK}
        rows.append({"epoch": epoch, **figures, **{key: _figure(our[key]) for key in OURS}})
    columns = {f"notebook_{key}": heading for key, heading in NOTEBOOK.items()}
    table = markdown(rows, {"epoch": "epoch", **columns, **OURS})
    return f"\n{table}\n\nOurs: {origin(name)}\n\n"


def headline(name: str) -> str:
    """Return a table of what a results page measured on the test posters, by domain."""
    texts = {"system": "system", "domain": "domain"}
    figures = {key: OURS[key] for key in ("macro_ap", "macro_auc")}
    figures |= {"micro_f1": "micro F1", "accuracy_multi": "accuracy_multi (degenerate)"}
    rows = [
        {key: row[key] for key in texts} | {key: _figure(row[key]) for key in figures}
        for row in _read(RESULTS / name / "scores.csv")
        if row["domain"] != "pooled" and row["system"] in ("model", "nothing", "Drama + Comedy")
    ]
    return f"\n{markdown(rows, texts | figures)}\n\n{origin(name)}\n\n"


def collapse(name: str) -> str:
    """Put a first-genre classifier's confusion matrix into a sentence or two."""
    rows = _read(RESULTS / name / "confusion.csv")
    genres = [genre for genre in rows[0] if genre != "actual"]
    counts = {row["actual"]: {genre: int(row[genre]) for genre in genres} for row in rows}
    total = sum(sum(row.values()) for row in counts.values())
    named = {genre: sum(row[genre] for row in counts.values()) for genre in genres}
    most = sorted(named, key=lambda genre: -named[genre])[:2]
    shares = " or ".join(f"{genre} ({named[genre] / total:.0%})" for genre in sorted(most))
    both = sum(named[genre] for genre in most) / total
    right = sum(counts[genre][genre] for genre in counts) / total
    usual = max(sum(row.values()) for row in counts.values()) / total
    never = [genre for genre in genres if not named[genre]]
    return (
        f"Of {total:,} test posters {both:.0%} are called {shares}; {len(genres) - len(never)} of\n"
        f"{len(genres)} genres are ever named; accuracy is {right:.3f}, where always saying the "
        f"most frequent genre has\n{usual:.3f}. Never named: {', '.join(never)}.\n"
    )


def origin(name: str) -> str:
    """Return the processor, date and commit that the page of the results names."""
    page = (RESULTS / name / "README.md").read_text("utf-8")
    facts = dict(re.findall(r"^- (Processor|Date|Commit): (.+)$", page, re.MULTILINE))
    return f"{facts['Processor']}, {facts['Date']}, commit {facts['Commit']}."


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _figure(text: str) -> str:
    return f"{float(text):.4f}" if text else "-"
