"""genre-bench int8: the variants of the int8 export."""

from collections.abc import Callable
from typing import Any

import pytest

from genre_bench import int8
from genre_export.quantization.qdq import Settings

PLAIN = Settings(method="minmax", equalisation=0, rounding=False, bias_correction=False, posters=16)
VARIANTS = {"one": Settings(method="minmax", posters=16), "other": PLAIN}


@pytest.mark.slow
def test_every_variant_is_measured(
    split: tuple[str, ...], measured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "VARIANTS", VARIANTS)
    one, other = measured("int8", *split, "--count", 20, "--device", "cpu")
    assert (one["variant"], one["rounding"], one["posters"]) == ("one", "True", "20")
    assert (other["variant"], other["rounding"]) == ("other", "False")
    assert float(one["largest"]) > 0
    assert one["largest"] != other["largest"]


def test_an_unknown_variant_is_refused(
    split: tuple[str, ...], bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "VARIANTS", VARIANTS)
    done = bench("int8", *split, "--variant", "third")
    assert done.exit_code == 2
    assert "choose from: one, other" in done.stderr
