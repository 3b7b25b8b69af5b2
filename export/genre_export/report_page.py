"""The report as a page: every figure of report.json, in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from genre_train.markdown import render

from .bounds import RULES, unjudged

FIGURES = {
    "largest": "largest difference",
    "percentile_99": "99th percentile",
    "labels_agree": "labels agree",
    "labels_flipped_away_from_threshold": "flipped",
    "named_labels_kept": "named labels kept",
    "first_genre_kept": "first genre kept",
    "macro_ap": "macro AP",
    "macro_ap_change": "change of macro AP",
    "posters_per_second": "posters/s",
}
"""A provider's figures -> their titles."""


def page(report: dict[str, Any]) -> str:
    """Return a report as Markdown."""
    metadata = report["metadata"]
    modes = metadata["thresholds"]
    return render(
        "genre_export",
        "report.md.jinja",
        report=report,
        metadata=metadata,
        original_macro_ap=_shown(report["original_macro_ap"]),
        pair_columns={"name": "", "value": ""},
        file=_pairs(_file(report)),
        provider_columns={"provider": "provider", **FIGURES},
        providers=[
            {key: _shown(row[key]) for key in ("provider", *FIGURES)} for row in report["providers"]
        ],
        notes=list(notes(report)),
        int8=_pairs(_int8(report)) if report["int8_weights"] else [],
        threshold_columns={name: name for name in ("genre", *modes)},
        thresholds=[
            {"genre": genre, **{mode: _threshold(row[genre]) for mode, row in modes.items()}}
            for genre in metadata["genres"]
        ],
    )


def notes(report: dict[str, Any]) -> Iterator[str]:
    """Yield the bounds that are missed or not judged, and the engines that were not measured."""
    rules = RULES[report["metadata"]["precision"]]
    for row in report["providers"]:
        for rule in row["missed"]:
            yield f"{row['provider']} misses the bound: {rule}."
        for rule in unjudged(rules, row):
            yield f"{row['provider']}, not judged for lack of posters: {rule}."
    for sentence in report["not_measured"]:
        yield f"Not measured: {sentence}"


def _file(report: dict[str, Any]) -> dict[str, str]:
    metadata = report["metadata"]
    return {
        "file": f"`{report['file']}`, {report['bytes']} bytes ({report['bytes'] / 1e6:.1f} MB)",
        "sha256": f"`{report['sha256']}`",
        "format": f"ONNX opset {report['opset']}, IR version {report['ir_version']}, metadata "
        f"format {metadata['format']}",
        "input size": f"{metadata['width']}x{metadata['height']} pixels",
        "checkpoint": f"sha256 of its weights `{metadata['checkpoint_sha256']}`",
        "made with": ", ".join(f"{k} {v}" for k, v in metadata["created_with"].items()),
        "licences": "; ".join(f"{k}: {v}" for k, v in metadata["licences"].items()),
    }


def _int8(report: dict[str, Any]) -> dict[str, Any]:
    weights = report["int8_weights"]
    details = report["metadata"]["details"].get("int8", {})
    return {
        **{name.replace("_", " "): value for name, value in details.items()},
        "layers with int8 weights": weights["layers"],
        "largest weight": weights["largest_weight"],
        "sums of any two products": f"{weights['smallest_pair_sum']} to "
        f"{weights['largest_pair_sum']}",
        "they fit 16 bits": weights["fits_16_bits"],
    }


def _pairs(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a table of names and values."""
    return [{"name": name, "value": _shown(value)} for name, value in facts.items()]


def _threshold(value: float | None) -> str:
    return "never" if value is None else f"{value:g}"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10 else f"{value:.1f}"
