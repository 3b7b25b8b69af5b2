"""Remake the generated parts of the documents: help texts, an example, tables of figures.

python docs/remake.py           write them
python docs/remake.py --check   exit with 1 if one is out of date
"""

import contextlib
import csv
import io
import os
import re
import sys
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import seed_log

from genre_bench import tables
from genre_train import modes, robustness, runs, shortcut, slices
from genre_train.markdown import table as markdown

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
FASTAI = "fastai, PyTorch"
TRAIN_COLUMNS = {
    "modes": modes.COLUMNS,
    "robustness": robustness.COLUMNS,
    "runs": runs.COLUMNS,
    "shortcut": shortcut.COLUMNS,
    "slices": slices.COLUMNS,
}
BLOCK = re.compile(r"(<!-- (\w+): (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def help_text(name: str) -> str:
    """Return the --help of a command such as 'genre-infer classify', 80 columns wide."""
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
    """Return the README's example: the samples as the table that a terminal shows."""
    from genre_infer.cli import main

    out = io.StringIO()
    with (
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
        unittest.mock.patch.dict(os.environ, COLUMNS="100"),
    ):
        main(["samples/", "--device", "cpu", "--format", "table", "--top", "3"])
    lines = [line.replace("\u00a0", " ").rstrip() for line in out.getvalue().splitlines()]
    return "\n".join(["```console", "$ genre-infer samples/ --top 3", *lines, "```\n"])


def figures(name: str) -> str:
    """Return tables of stored figures, each with where it comes from.

    A * stands for every folder: 'speed/*/start' is a table for each kind of processor that was
    measured. Pooled figures are left out.
    """
    found = [_figures_of(path) for path in sorted(RESULTS.glob(f"{name}.csv"))]
    if not found and "*" not in name:
        raise FileNotFoundError(RESULTS / f"{name}.csv")
    return "\n" + ("\n".join(found) or "Not measured yet.\n") + "\n"


def _figures_of(path: Path) -> str:
    rows = [row for row in _read(path) if row.get("domain") != "pooled"]
    command = path.stem.partition("-")[0]
    if command in TRAIN_COLUMNS:
        return _table(rows, TRAIN_COLUMNS[command], f"genre-train {command}", rows)
    return _table(rows, tables.columns_of(path.stem, rows), f"genre-bench {command}", rows)


def summary(name: str) -> str:
    """Return a small table for the README: 'accuracy', or a folder such as 'speed/xeon-amx'."""
    table = _accuracy() if name == "accuracy" else _speed(RESULTS / name)
    return f"\n{table}\n"


def _accuracy() -> str:
    """The original, the packaged model and one baseline, as means of the domains."""
    rows = [
        row
        for row in _read(RESULTS / "accuracy.csv")
        if row["domain"] == "mean of domains"
        and row["system"].startswith(("original,", "int8,", "nothing"))
    ]
    columns = dict(tables.COLUMNS["accuracy"])
    del columns["domain"], columns["macro_f1"]
    return _table(rows, columns, "genre-bench accuracy", rows)


def _speed(folder: Path) -> str:
    """One figure of each speed command, for each provider and for fastai."""
    throughput, latency, start, memory = (
        _read(folder / f"{command}.csv") for command in ("throughput", "latency", "start", "memory")
    )
    rates: dict[str, str] = {}
    for row in throughput:
        stage, rate = row["stage"], row["posters_per_s"]
        if stage in ("folder to rows", "get_preds"):
            system = row["system"] if stage == "folder to rows" else FASTAI
            rates[system] = max(rates.get(system, rate), rate, key=float)
    medians = {row["system"]: row["median_ms"] for row in latency}
    medians |= {row["process"]: row["median_ms"] for row in start}
    peaks: dict[str, str] = {}
    for row in memory:
        peaks[row["system"]] = max(peaks.get(row["system"], "0"), row["peak_mb"], key=float)
    rows = []
    for system, rate in rates.items():
        warm, cold = system, f"genre-infer one.jpg, {system}"
        if system == FASTAI:
            warm, cold = "fastai learn.predict", "fastai, load and predict one poster"
        rows.append(
            {
                "system": system,
                "posters/s": rate,
                "one poster, warm, ms": medians.get(warm, ""),
                "start to answer, ms": medians.get(cold, ""),
                "peak memory, MB": peaks.get(system, ""),
            }
        )
    cores = f"{throughput[0]['threads']} threads"
    sources = [
        {**row, "processor": f"{row['processor']}, {cores}"}
        for row in (*throughput, *latency, *start, *memory)
    ]
    return _table(rows, {key: key for key in rows[0]}, "genre-bench", sources)


def _table(
    rows: list[dict[str, str]],
    columns: dict[str, str],
    command: str,
    sources: list[dict[str, str]],
) -> str:
    """Rows as a table, and lines with the processor, the date and the commit of the sources."""
    shown = [{key: tables.cell(row[key], digits=3) for key in columns} for row in rows]
    origin = {(row["processor"], row["date"], row["commit"]) for row in sources}
    notes = [f"`{command}`, {p}, {d}, commit {c}." for p, d, c in sorted(origin)]
    return markdown(shown, columns) + "\n\n" + "\n".join(notes) + "\n"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


MAKERS: dict[str, Callable[[str], str]] = {
    "help": help_text,
    "example": example,
    "figures": figures,
    "summary": summary,
    "collapse": seed_log.collapse,
    "epochs": seed_log.side_by_side,
    "headline": seed_log.headline,
}


def remade(text: str) -> str:
    """Remake the generated blocks of a document."""
    return BLOCK.sub(lambda m: m[1] + MAKERS[m[2]](m[3]) + m[4], text)


def wanted() -> Iterator[tuple[Path, str]]:
    """Yield every document with the text it should have."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        yield path, remade(path.read_text("utf-8"))
    card = remade((ROOT / "MODEL_CARD.md").read_text("utf-8"))
    yield ROOT / "runtime" / "genre_infer" / "model" / "README.md", card  # the copy in the runtime


def main() -> int:
    """Write the documents, or with --check name those that are out of date; return the status."""
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
