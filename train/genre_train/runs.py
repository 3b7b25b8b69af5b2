"""genre-train runs: what several runs of fit were, cost and gave, from their checkpoints alone."""

from pathlib import Path
from typing import Any

from .checkpoint import read_document
from .figures import print_and_write
from .learner import RECIPES
from .metrics import MEAN

COLUMNS = {
    "run": "run",
    "size": "input",
    "epochs": "epochs",
    "posters": "train posters",
    "changed": "unlike the standard recipe",
    "minutes": "minutes",
    "valid": "headline, valid",
    "test": "headline, test",
    "machine": "on",
    "date": "date",
}
"""Key in the rows -> heading, on a terminal and in the documents."""


def run_runs(*, checkpoints: tuple[Path, ...], output: Path | None) -> None:
    """Print a row for each checkpoint, and write the CSV file if one is named.

    Raises:
        CheckpointError: A folder is not a checkpoint.
    """
    rows = [run_row(folder) for folder in checkpoints]
    print_and_write("Runs of genre-train fit", COLUMNS, rows, output, "")


def run_row(folder: Path) -> dict[str, Any]:
    """Describe one run.

    Raises:
        CheckpointError: The folder is not a checkpoint.
    """
    document = read_document(folder)
    arguments, metrics = document["arguments"], document["metrics"]
    return {
        "run": folder.resolve().name,
        "size": arguments["size"],
        "epochs": len(document["epochs"]),
        "posters": document["dataset"]["posters"]["train"],
        "changed": ", ".join(_changes(arguments)) or "nothing",
        "minutes": round(document["seconds"] / 60),
        **{split: _headline(metrics.get(split, {})) for split in ("valid", "test")},
        "machine": document["machine"],
        "date": document["date"],
    }


def _headline(domains: dict[str, Any]) -> float | str:
    value = domains.get(MEAN, {}).get("macro_ap")
    return "" if value is None else float(value)


def _changes(arguments: dict[str, Any]) -> list[str]:
    """Name the settings of a run that the standard recipe has otherwise."""
    if arguments["frozen"]:
        return ["only the head"]
    standard = RECIPES["standard"]
    changes = [
        f"{name} {value:g}"
        for name, value in arguments["settings"].items()
        if name not in ("keep", "epochs", "augment") and value != getattr(standard, name, value)
    ]
    if arguments["weights"] not in ("imagenet", "none") and not arguments["weights"].endswith(
        ".safetensors"
    ):
        changes.insert(0, f"from {arguments['weights']}")
    return changes
