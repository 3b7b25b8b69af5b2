"""The report as a page: every figure of report.json, readable."""

from collections.abc import Iterable
from typing import Any

from .bounds import RULES, unjudged

_FIGURES = {
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


def page(report: dict[str, Any]) -> str:
    """Markdown of a report."""
    metadata = report["metadata"]
    title = f"# {metadata['name']} {metadata['version']}, {metadata['precision']}"
    parts = [title, _origin(report), _file(report)]
    parts += ["## Against the original", _against(report), _providers(report), _notes(report)]
    if report["int8_weights"]:
        parts += ["## int8", _int8(report)]
    parts += ["## Thresholds", _thresholds(metadata)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {found}" for name, found in report["versions"].items())
    return (
        f"`genre-export report`, {report['processor']}, {report['date']}, commit "
        f"{report['commit']}; {versions}."
    )


def _file(report: dict[str, Any]) -> str:
    metadata = report["metadata"]
    facts = {
        "file": f"`{report['file']}`, {report['bytes']} bytes ({report['bytes'] / 1e6:.1f} MB)",
        "sha256": f"`{report['sha256']}`",
        "format": f"ONNX opset {report['opset']}, IR version {report['ir_version']}, metadata "
        f"format {metadata['format']}",
        "input size": f"{metadata['width']}x{metadata['height']} pixels",
        "checkpoint": f"sha256 of its weights `{metadata['checkpoint_sha256']}`",
        "made with": ", ".join(f"{k} {v}" for k, v in metadata["created_with"].items()),
        "licences": "; ".join(f"{k}: {v}" for k, v in metadata["licences"].items()),
    }
    return _table(["", ""], ([name, fact] for name, fact in facts.items()))


def _against(report: dict[str, Any]) -> str:
    posters = report["providers"][0]["posters"] if report["providers"] else 0
    kind = {
        "valid": "valid posters of the checkpoint",
        "drawn": "pictures drawn from a seed (no posters were at hand)",
    }[report["posters"]]
    text = (
        "The original is the checkpoint's float16 weights in float32 in PyTorch, with its "
        f"calibration. Differences are of probabilities, over {posters} {kind}, labels at the "
        "checkpoint's own thresholds. Speed is the network alone in batches of 8 or more, on "
        f"{report['cores']} cores; the machine's load average before it was measured was "
        f"{'not recorded' if report['load_average'] is None else report['load_average']}."
    )
    if report["original_macro_ap"] is not None:
        text += (
            f" Macro average precision is over the {report['macro_ap_genres']} genres with at "
            f"least ten of these posters; the original's is {_shown(report['original_macro_ap'])}. "
            "The thresholds and the epoch were chosen on them, so it is no measure of how good the "
            "model is."
        )
    return f"{text}\n\nBound: {report['bound']}."


def _providers(report: dict[str, Any]) -> str:
    rows = (
        [row["provider"], *(_shown(row[key]) for key in _FIGURES)] for row in report["providers"]
    )
    return _table(["provider", *_FIGURES.values()], rows)


def _notes(report: dict[str, Any]) -> str:
    lines = [
        f"- {row['provider']} misses: {rule}."
        for row in report["providers"]
        for rule in row["missed"]
    ]
    rules = RULES[report["metadata"]["precision"]]
    lines += [
        f"- {row['provider']}, not judged for want of posters: {rule}."
        for row in report["providers"]
        for rule in unjudged(rules, row)
    ]
    lines += [f"- Not measured: {sentence}" for sentence in report["not_measured"]]
    if report["posters_missing"]:
        lines.append(f"- {report['posters_missing']} valid posters were missing or unreadable.")
    return "\n".join(lines)


def _int8(report: dict[str, Any]) -> str:
    weights, details = report["int8_weights"], report["metadata"]["details"].get("int8", {})
    rows = [[key.replace("_", " "), _shown(value)] for key, value in details.items()]
    rows += [
        ["layers with int8 weights", str(weights["layers"])],
        ["largest weight", str(weights["largest_weight"])],
        [
            "sums of any two products",
            f"{weights['smallest_pair_sum']} to {weights['largest_pair_sum']}",
        ],
        ["they fit 16 bits", _shown(weights["fits_16_bits"])],
    ]
    return _table(["", ""], rows)


def _thresholds(metadata: dict[str, Any]) -> str:
    modes = metadata["thresholds"]
    rows = (
        [genre, *("never" if row[genre] is None else f"{row[genre]:g}" for row in modes.values())]
        for genre in metadata["genres"]
    )
    return _table(["genre", *modes], rows)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10 else f"{value:.1f}"
