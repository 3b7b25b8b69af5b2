"""genre-bench draft: large posters decoded at a fraction of their size, beside exact decoding."""

import csv
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from genre_bench.cli import main
from genre_bench.draft import draft_row, enlarged


def test_it_measures_and_writes(collection: Any, tmp_path: Path) -> None:
    target = tmp_path / "draft.csv"
    args = ["draft", "--table", str(collection.table), "--posters", str(collection.posters)]
    args += ["--device", "cpu", "--count", "6", "--csv", str(target)]
    done = CliRunner().invoke(main, args)
    assert done.exit_code in (0, 1), done.output
    with target.open() as file:
        row, noise = csv.DictReader(file)
    assert row["system"] == "int8, CPUExecutionProvider, draft"
    assert noise["system"] == "int8, CPUExecutionProvider, one level of noise"
    for found in (row, noise):
        assert found["posters"] == "6"
        assert float(found["largest"]) > 0  # the answers did differ
    assert (row["within_bound"] == "True") == (done.exit_code == 0)
    assert ("not keep" in done.stderr) == (done.exit_code == 1)
    assert row["macro_ap_change"] == ""  # six posters say nothing of it, and that is said
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
