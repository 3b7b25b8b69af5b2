"""Remake the generated parts of the documents: help texts, an example, tables of figures.

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

from genre_bench import tables

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
    """Tables of stored figures, each with where it comes from.

    A * stands for every folder: 'speed/*/start' is a table for each kind of processor that was
    measured. 'accuracy, mean of domains' takes the rows of that domain alone. Pooled figures are
    always left out.
    """
    name, _, domain = name.partition(", ")
    found = [figures_of(path, domain) for path in sorted(RESULTS.glob(f"{name}.csv"))]
    if not found and "*" not in name:
        raise FileNotFoundError(RESULTS / f"{name}.csv")
    return "\n" + ("\n".join(found) or "Not measured yet.\n") + "\n"


def figures_of(path: Path, domain: str = "") -> str:
    """One file of figures as a table, with the processor, the date and the commit."""
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("domain") != "pooled"]
    command = path.stem.partition("-")[0]
    if command == "shortcut":
        program, columns = "genre-train", SHORTCUT
    else:
        program, columns = "genre-bench", tables.columns_of(path.stem, rows)
    if domain:
        rows = [row for row in rows if row["domain"] == domain]
        columns = {key: heading for key, heading in columns.items() if key != "domain"}
    shown = [{key: tables.cell(row[key], digits=3) for key in columns} for row in rows]
    origin = {(row["processor"], row["date"], row["commit"]) for row in rows}
    notes = [f"`{program} {command}`, {p}, {d}, commit {c}." for p, d, c in sorted(origin)]
    return tables.markdown(shown, columns) + "\n" + "\n".join(notes) + "\n"


SHORTCUT = {
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
}
"""The columns of genre-train shortcut: key -> heading."""

MAKERS: dict[str, Callable[[str], str]] = {
    "help": help_text,
    "example": example,
    "figures": figures,
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
