"""What genre-export writes: where, and each file as a whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file by way of a .part file beside it, and make its folder. Text becomes UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


def report_files(model: Path) -> tuple[Path, Path]:
    """Where the report on a model lies, as JSON and as a page: beside it."""
    stem = model.name.removesuffix(".onnx")
    return model.with_name(f"{stem}.report.json"), model.with_name(f"{stem}.report.md")
