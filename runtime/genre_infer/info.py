"""What a model says of itself, for people and as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from .metadata import INPUT, OUTPUT, Metadata
from .model_file import Model
from .rows import printable


def info_document(model: Model) -> dict[str, Any]:
    """The metadata with what the file itself tells: sha256, bytes, opset, ir_version."""
    return {
        **model.metadata.to_document(),
        "sha256": model.sha256,
        "bytes": len(model.data),
        "opset": model.file.opset,
        "ir_version": model.file.ir_version,
    }


def info_lines(model: Model) -> Iterator[str]:
    """The same, readable: everything that info_document has, a line or more each."""
    metadata = model.metadata
    genres = len(metadata.genres)
    yield f"{metadata.name} {metadata.version}, {metadata.precision}"
    yield f"  sha256      {model.sha256}"
    yield f"  size        {len(model.data) / 1e6:.1f} MB ({len(model.data)} bytes)"
    yield f"  input       {INPUT}, uint8 [N, height, width, 3], RGB, any size"
    yield f"              squished to {metadata.width}x{metadata.height} inside"
    yield f"  output      {OUTPUT}, float32 [N, {genres}]"
    form = metadata.to_document()["format"]
    yield f"  format      ONNX opset {model.file.opset}, IR version {model.file.ir_version}"
    yield f"              metadata format {form}"
    yield f"  checkpoint  {metadata.checkpoint_sha256}"
    for title, values in (
        ("licences", metadata.licences),
        ("made with", metadata.created_with),
        ("details", metadata.details),
    ):
        yield f"  {title}"
        yield from _mapping(values, 4)
    yield f"  thresholds of the {genres} genres"
    yield from _thresholds(metadata)


def _mapping(values: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, value in values.items():
        name = " " * indent + printable(key).replace("_", " ")
        if isinstance(value, Mapping):
            yield name
            yield from _mapping(value, indent + 2)
        else:
            yield f"{name:26} {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{printable(key)}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return printable(str(value))


def _thresholds(metadata: Metadata) -> Iterator[str]:
    width = max(map(len, metadata.genres))
    yield "    " + " ".join([" " * width, *(f"{mode:>15}" for mode in metadata.thresholds)])
    for genre in metadata.genres:
        cells = [_cell(row[genre]) for row in metadata.thresholds.values()]
        yield "    " + " ".join([f"{genre:{width}}", *cells])


def _cell(threshold: float | None) -> str:
    return f"{'never':>15}" if threshold is None else f"{threshold:15.6g}"
