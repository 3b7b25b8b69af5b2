"""Where genre-export writes what goes with a model."""

from pathlib import Path


def report_files(model: Path) -> tuple[Path, Path]:
    """Where the report on a model lies, as JSON and as a page: beside it."""
    stem = model.name.removesuffix(".onnx")
    return model.with_name(f"{stem}.report.json"), model.with_name(f"{stem}.report.md")
