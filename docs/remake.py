"""Remakes the generated parts of the documents: help texts, an example, tables of figures.

python docs/remake.py           write them
python docs/remake.py --check   exit with 1 if one is out of date
"""

import contextlib
import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import seed_log

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
BLOCK = re.compile(r"(<!-- (\w+): (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def help_text(name: str) -> str:
    """The --help of a command, as 'genre-infer classify', 80 columns wide."""
    from genre_bench.cli import main as bench
    from genre_export.cli import main as export
    from genre_infer.cli import main as infer
    from genre_train.cli import main as train

    groups = {"genre-infer": infer, "genre-export": export, "genre-train": train}
    groups["genre-bench"] = bench
    program, _, subcommand = name.partition(" ")
    command: click.Command = groups[program]
    context = click.Context(command, info_name=program, terminal_width=80)
    if subcommand:
        command = groups[program].commands[subcommand]
        context = click.Context(command, parent=context, info_name=subcommand, terminal_width=80)
    return f"```text\n{command.get_help(context)}\n```\n"


def example(_: str) -> str:
    """The first two rows of the README's example."""
    from genre_infer.cli import main

    out = io.StringIO()
    paths = ["samples/the-hollow-house.jpg", "samples/bobbo-and-bee.gif"]
    with (
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main([*paths, "--device", "cpu", "--format", "jsonl", "--top", "2"])
    return "```json\n" + "".join(f"{line[:90]}\n" for line in out.getvalue().splitlines()) + "```\n"


def figures(name: str) -> str:
    """Tables from the stored figures of genre-bench, each with where it comes from. Pooled figures
    are never in them; 'accuracy, mean of domains' takes the rows of that domain alone. A * stands
    for every folder: 'speed/*/start' is a table for each kind of processor that was measured."""
    name, _, domain = name.partition(", ")
    tables = [table(path, domain) for path in sorted(RESULTS.glob(f"{name}.csv"))]
    if not tables and "*" not in name:
        raise FileNotFoundError(RESULTS / f"{name}.csv")
    return "\n" + ("\n".join(tables) or "Not measured yet.\n") + "\n"


def table(path: Path, domain: str = "") -> str:
    """One file of figures; a name such as throughput-large has the columns of throughput."""
    command = path.stem.partition("-")[0]
    columns = COLUMNS.get(path.stem) or COLUMNS[command]
    columns = {k: title for k, title in columns.items() if not domain or k != "domain"}
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("domain") != "pooled"]
    rows = [row for row in rows if not domain or row["domain"] == domain]
    columns = {key: title for key, title in columns.items() if any(row.get(key) for row in rows)}
    lines = [" | ".join(columns.values()), " | ".join("---" for _ in columns)]
    lines += [" | ".join(shown(row[key]) for key in columns) for row in rows]
    origin = {(r["processor"], r["date"], r["commit"]) for r in rows}
    program = "genre-train" if command == "shortcut" else "genre-bench"
    notes = [f"`{program} {command}`, {p}, {d}, commit {c}." for p, d, c in sorted(origin)]
    return "".join(f"| {line} |\n" for line in lines) + "\n" + "\n".join(notes) + "\n"


def shown(cell: str) -> str:
    """A figure with three digits, or a text as it is."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    if value == int(value):
        return cell
    decimals = 3 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{decimals}f}" if abs(value) >= 0.01 else f"{value:.1g}"


COLUMNS = {
    "accuracy": {
        "system": "system",
        "domain": "domain",
        "macro_ap": "macro AP",
        "macro_auc": "macro AUC",
        "macro_f1": "macro F1",
        "micro_f1": "micro F1",
        "accuracy_multi": "accuracy_multi (degenerate)",
    },
    "parity": {
        "system": "file, provider",
        "size": "size of the picture",
        "shrunk_by": "resized by",
        "largest": "largest difference",
        "percentile_99": "99th percentile",
        "labels_agree": "labels agree",
        "named_labels_kept": "named labels kept",
        "first_genre_kept": "first genre kept",
        "macro_ap_change_kaggle": "change of macro AP, kaggle",
        "macro_ap_change_kgp": "change, kgp",
        "met": "bound met",
    },
    "int8": {
        "variant": "variant",
        "provider": "provider",
        "largest": "largest difference",
        "percentile_99": "99th percentile",
        "mean": "mean",
        "labels_agree": "labels agree",
        "named_labels_kept": "named labels kept",
        "first_genre_kept": "first genre kept",
        "macro_ap_change_kaggle": "change of macro AP, kaggle",
        "macro_ap_change_kgp": "change, kgp",
    },
    "draft": {
        "system": "file, provider",
        "posters": "posters",
        "largest": "largest difference",
        "percentile_99": "99th percentile",
        "labels_agree": "labels agree",
        "macro_ap_change": "change of macro AP",
    },
    "shortcut": {
        "domain": "posters of",
        "size": "rewritten as",
        "quality": "JPEG quality",
        "genre": "genre",
        "support": "posters",
        "ap_before": "AP before",
        "ap_after": "AP after",
        "difference": "difference",
        "low": "95 % low",
        "high": "high",
        "mean_change": "mean change of probability",
    },
    "resize": {
        "provider": "provider",
        "size": "picture",
        "largest_levels": "largest difference, levels",
        "share_differing": "share of values that differ",
        "pillow": "held against",
        "engine": "versions",
    },
    "resize-cost": {
        "provider": "provider",
        "posters_per_s": "posters/s, whole graph",
        "posters_per_s_without": "posters/s, without the resize",
        "cost": "cost",
        "engine": "versions",
    },
    "throughput": {
        "stage": "stage",
        "system": "system",
        "posters_per_s": "posters/s",
        "slowest": "slowest run",
        "fastest": "fastest run",
        "runs": "runs",
        "times_get_preds": "x get_preds",
        "times_full_decode": "x full decode",
        "times_float32": "x float32",
        "times_torch": "x PyTorch",
        "share_of_limit": "of the limit",
        "posters": "posters",
        "poster_size": "of",
        "engine": "versions",
    },
    "latency": {
        "system": "system",
        "median_ms": "median, ms",
        "p90_ms": "90th percentile, ms",
        "fastest_ms": "fastest, ms",
        "share_of_predict": "of learn.predict",
        "times_faster": "times faster",
        "posters": "posters",
        "poster_size": "of",
        "engine": "versions",
    },
    "start": {
        "process": "process",
        "median_ms": "median, ms",
        "fastest_ms": "fastest, ms",
        "slowest_ms": "slowest, ms",
        "runs": "runs",
        "times_pass": "x `python -c pass`",
        "over_pass_ms": "over it, ms",
        "share_of_fastai": "of fastai",
        "times_faster": "times faster",
        "engine": "versions",
    },
    "memory": {
        "system": "system",
        "posters": "posters",
        "poster_size": "of",
        "peak_mb": "peak, MB",
        "growth_mb": "over the fewest, MB",
        "posters_per_s": "posters/s",
        "engine": "versions",
    },
}

MAKERS: dict[str, Callable[[str], str]] = {
    "help": help_text,
    "example": example,
    "figures": figures,
    "collapse": seed_log.collapse,
    "epochs": seed_log.side_by_side,
    "headline": seed_log.headline,
}


def remade(text: str) -> str:
    """A document with its generated blocks made anew."""
    return BLOCK.sub(lambda m: m[1] + MAKERS[m[2]](m[3]) + m[4], text)


def wanted() -> Iterator[tuple[Path, str]]:
    """Every document with its text as it should be."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        yield path, remade(path.read_text("utf-8"))
    card = remade((ROOT / "MODEL_CARD.md").read_text("utf-8"))
    yield ROOT / "runtime" / "genre_infer" / "model" / "README.md", card  # beside the model


def main() -> int:
    """Write the documents, or with --check say which are out of date. Returns the exit status."""
    stale = 0
    for path, new in wanted():
        if path.exists() and path.read_text("utf-8") == new:
            continue
        stale += 1
        print(f"{path.relative_to(ROOT)} {'is out of date' if '--check' in sys.argv else 'remade'}")
        if "--check" not in sys.argv:
            path.write_text(new, "utf-8")
    return int(stale > 0 and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
