"""The generated parts of seed.md: what the stored results of the seed's experiments say."""

import csv
import re
from pathlib import Path

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
    """The notebook's own log beside the epochs of a results page."""
    ours, theirs = (_read(RESULTS / name / file) for file in ("epochs.csv", "notebook.csv"))
    lines = [["epoch", *NOTEBOOK.values(), *OURS.values()]]
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for our, their in zip(ours, theirs, strict=True):
        assert (our["stage"], our["epoch"]) == (their["stage"], their["epoch"])
        epoch = "frozen" if our["stage"] == "0" else our["epoch"]
        cells = [_figure(their[key]) for key in NOTEBOOK] + [_figure(our[key]) for key in OURS]
        lines.append([epoch, *cells])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"\n{table}\nOurs: {origin(name)}\n\n"


def headline(name: str) -> str:
    """What a results page measured on the test posters, as a table of its domains."""
    rows = [r for r in _read(RESULTS / name / "scores.csv") if r["domain"] != "pooled"]
    columns = {"system": "system", "domain": "domain"}
    columns |= {key: OURS[key] for key in ("macro_ap", "macro_auc")}
    columns |= {"micro_f1": "micro F1", "accuracy_multi": "accuracy_multi (degenerate)"}
    chosen = [r for r in rows if r["system"] in ("model", "nothing", "Drama + Comedy")]
    lines = [list(columns.values()), ["---", "---", *["---:"] * (len(columns) - 2)]]
    for row in chosen:
        lines.append([row["system"], row["domain"], *(_figure(row[k]) for k in list(columns)[2:])])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"\n{table}\n{origin(name)}\n\n"


def collapse(name: str) -> str:
    """What a first-genre classifier's confusion matrix comes to."""
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
    """Machine, date and commit, as the page of the results names them."""
    page = (RESULTS / name / "README.md").read_text("utf-8")
    facts = dict(re.findall(r"^- (Processor|Date|Commit): (.+)$", page, re.MULTILINE))
    return f"{facts['Processor']}, {facts['Date']}, commit {facts['Commit']}."


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _figure(text: str) -> str:
    return f"{float(text):.4f}" if text else "-"
