"""genre-bench draft: large posters decoded at a fraction of their size, beside exact decoding."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genre_bench.draft import draft_row, enlarged


def test_it_measures_and_writes(
    model: Path,
    collection: Any,
    bench: Callable[..., Any],
    read_rows: Callable[..., Any],
    tmp_path: Path,
) -> None:
    target = tmp_path / "draft.csv"
    args = (model, "--table", collection.table, "--posters", collection.posters)
    done = bench("draft", *args, "--device", "cpu", "--count", 6, "--csv", target)
    assert done.exit_code in (0, 1), done.output
    row, noise = read_rows(target)
    assert row["system"] == "float32, CPUExecutionProvider, draft"
    assert noise["system"] == "float32, CPUExecutionProvider, one level of noise"
    for found in (row, noise):
        assert found["posters"] == "6"
        assert float(found["largest"]) > 0  # the answers did differ
    assert (row["within_bound"] == "True") == (done.exit_code == 0)
    assert ("miss the bound" in done.stderr) == (done.exit_code == 1)
    assert row["macro_ap_change"] == ""  # six posters are too few, and that is reported
    assert "was not judged: no genre has 30" in done.stderr


def test_enlarged_posters_are_large_jpegs_and_repeatable(tmp_path: Path) -> None:
    path = tmp_path / "poster.png"
    Image.new("RGB", (182, 268), "teal").save(path)
    data = enlarged(path, (182, 268), 3)
    assert data == enlarged(path, (182, 268), 3)
    with Image.open(BytesIO(data)) as opened:
        assert opened.format == "JPEG"
        assert 4 * 182 <= opened.width <= 20 * 182  # below 4 times nothing is drafted


@pytest.mark.parametrize(
    ("shift", "share", "within"), [(0.0, 1.0, True), (0.015, 1.0, True), (0.03, 1.0, False),
                                   (0.4, 0.009, False)],
)  # fmt: skip
def test_the_bound(shift: float, share: float, within: bool) -> None:
    generator = np.random.default_rng(0)
    labels = generator.random((1000, 4)) < 0.3
    theirs = np.where(labels, 0.8, 0.2)
    moved = generator.random(theirs.shape) < share
    ours = theirs + np.where(moved, np.where(labels, -shift, shift), 0)
    domains = np.array(["a"] * 1000)
    row = draft_row(ours, theirs, np.full(4, 0.5), labels, domains)
    assert row["within_bound"] is within
