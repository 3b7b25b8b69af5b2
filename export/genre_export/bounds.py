"""All bounds on how far a file may be from the original.

KEPT is judged right after an export: a file that misses it is broken and is not written. RULES and
RESIZED are what a good file meets, over a whole split and on every provider; genre-export report
and genre-bench parity name the rules that are missed. DRAFT is for genre-bench draft.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AP_CHANGE = "macro_ap_change"  # figures of single domains are called macro_ap_change_DOMAIN


@dataclass(frozen=True, slots=True)
class Rule:
    """A bound on one figure.

    Attributes:
        figure: The figure's name. The rule also judges figures called NAME_DOMAIN.
        text: The rule in words.
        most: The largest value allowed, or None.
        least: The smallest value allowed, or None.
    """

    figure: str
    text: str
    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether the value is within the bound; NaN never is."""
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


KEPT: dict[str, tuple[Rule, ...]] = {
    "float32": (
        Rule("largest", "largest difference at most 1e-4", most=1e-4),
        Rule("percentile_99", "99th percentile at most 1e-4", most=1e-4),
        Rule("labels_agree", "labels agree at least 99.9 %", least=0.999),
    ),
    "float16": (
        Rule("largest", "largest difference at most 5e-3", most=5e-3),
        Rule("percentile_99", "99th percentile at most 5e-3", most=5e-3),
        Rule("labels_agree", "labels agree at least 99 %", least=0.99),
    ),
    # In int8 single probabilities may move far; what is bounded is how many do. A broken file
    # (saturated sums, a swapped axis) is far outside.
    "int8": (
        Rule("largest", "every probability is a number", most=1.0),
        Rule("percentile_99", "99th percentile at most 0.15", most=0.15),
        Rule("labels_agree", "labels agree at least 90 %", least=0.9),
    ),
}
"""Precision -> the rules that a file must meet to be written at all."""

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
"""Precision -> the rules that a good file meets at the input size."""

RESIZED: dict[str, tuple[Rule, ...]] = {
    "float32": (
        Rule("largest", "largest difference at most 5e-3", most=5e-3),
        Rule("percentile_99", "99th percentile at most 1e-3", most=1e-3),
    ),
}
"""Precision -> the rules that a good file meets at every other size. The other precisions are only
bounded at the input size."""

DRAFT: tuple[Rule, ...] = (
    Rule("percentile_99", "99th percentile at most 0.02", most=0.02),
    Rule("labels_agree", "labels agree at least 99.5 %", least=0.995),
    Rule(AP_CHANGE, "macro AP within 0.1 points", least=-0.001, most=0.001),
)
"""How far decoding large JPEGs at a fraction of their size may be from decoding them in full."""


def bound(rules: Sequence[Rule]) -> str:
    """Return the rules in words."""
    return "; ".join(rule.text for rule in rules)


def missed(rules: Sequence[Rule], figures: Mapping[str, Any]) -> list[str]:
    """Return the rules that the figures miss, each with its figure.

    Args:
        rules: What to judge.
        figures: Name -> value; None where it was not measured, which no rule judges.

    Returns:
        Sentences such as 'labels agree at least 99 % (0.9856)'.
    """
    return [
        f"{rule.text} ({value:.4g}{f', {domain}' if domain else ''})"
        for rule in rules
        for domain, value in _judged(rule, figures)
        if not rule.holds(value)
    ]


def unjudged(rules: Sequence[Rule], figures: Mapping[str, Any]) -> list[str]:
    """Return the rules, in words, for which no figure was measured."""
    return [rule.text for rule in rules if not any(_judged(rule, figures))]


def _judged(rule: Rule, figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the domain, "" for none, and value of each measured figure that a rule judges."""
    for name, value in figures.items():
        if value is not None and (name == rule.figure or name.startswith(rule.figure + "_")):
            yield name.removeprefix(rule.figure).strip("_"), value
