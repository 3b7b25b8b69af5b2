"""The tables of genre-bench: which columns they have, and how figures are shown."""

from typing import Any

import pytest

from genre_bench.tables import COLUMNS, cell, columns_of


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        ("123.456", 3, "123"),
        ("98.76", 3, "98.8"),
        ("0.5", 3, "0.500"),
        ("0.000822121", 3, "0.0008"),
        ("160", 3, "160"),
        (1.0, 4, "1"),
        (0.98765, 4, "0.9877"),
        (0.00002345, 4, "2.3e-05"),
        (-12.345, 4, "-12.35"),
        (float("nan"), 4, ""),
        (None, 4, ""),
        (True, 4, "True"),
        ("182x268", 3, "182x268"),
    ],
)
def test_figures_are_shown_with_few_digits(value: Any, digits: int, shown: str) -> None:
    assert cell(value, digits) == shown


def test_a_table_has_the_columns_that_have_a_value() -> None:
    rows = [{"met": "yes", "macro_ap_change_one": None, "macro_ap_change_two": 0.1, "date": "x"}]
    assert columns_of("parity-sizes", rows) == {
        "macro_ap_change_two": "change of macro AP, two",
        "met": "bound met",
    }
    rows = [dict.fromkeys(COLUMNS["resize-cost"], "1")]
    assert columns_of("resize-cost", rows) == COLUMNS["resize-cost"]
