"""How far a file may be from the original: the bounds that each precision is held to.

verify.py refuses to keep a file that is broken; these are what a good file has to meet, over a
split and on every provider. genre-export's report and genre-bench parity say which are missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AP_CHANGE = "macro_ap_change"  # and what begins so: one for each domain


@dataclass(frozen=True, slots=True)
class Rule:
    """The figure of that name, or that begins so, is at most or at least this. text: for people."""

    figure: str
    text: str
    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        """Not a number holds to nothing."""
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


RULES: dict[str, tuple[Rule, ...]] = {
    "float32": (
        Rule("largest", "largest difference at most 1e-4", most=1e-4),
        Rule("labels_flipped_away_from_threshold", "no label flipped", most=0),
    ),
    "float16": (Rule("largest", "largest difference at most 5e-3", most=5e-3),),
    "int8": (
        Rule(AP_CHANGE, "macro AP within 0.3 points", least=-0.003, most=0.003),
        Rule("labels_agree", "labels agree at least 99 %", least=0.99),
        Rule("named_labels_kept", "named labels kept at least 95 %", least=0.95),
        Rule("first_genre_kept", "first genre kept at least 97 %", least=0.97),
    ),
}
"""precision -> what holds at the input size."""

RESIZED: dict[str, tuple[Rule, ...]] = {
    "float32": (
        Rule("largest", "largest difference at most 5e-3", most=5e-3),
        Rule("percentile_99", "99th percentile at most 1e-3", most=1e-3),
    ),
}
"""precision -> what holds at every other size; the other precisions are bounded at the input size
only."""


def bound(rules: Sequence[Rule]) -> str:
    """Rules in words."""
    return "; ".join(rule.text for rule in rules)


def missed(rules: Sequence[Rule], figures: Mapping[str, Any]) -> list[str]:
    """The rules that the figures do not meet, each with its figure, e.g. 'labels agree at least
    99 % (0.9856)'. A rule whose figure was not measured is not judged."""
    return [
        f"{rule.text} ({_short(value)}{_which(rule, name)})"
        for rule in rules
        for name, value in figures.items()
        if name.startswith(rule.figure) and value is not None and not rule.holds(value)
    ]


def unjudged(rules: Sequence[Rule], figures: Mapping[str, Any]) -> list[str]:
    """The rules for which no figure was measured."""
    measured = [name for name, value in figures.items() if value is not None]
    return [
        rule.text for rule in rules if not any(name.startswith(rule.figure) for name in measured)
    ]


def _short(value: float) -> str:
    return f"{value:.4g}"


def _which(rule: Rule, name: str) -> str:
    rest = name.removeprefix(rule.figure).strip("_")
    return f", {rest}" if rest else ""
