"""genre-bench resize: the resize of an exported file against Pillow's."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from genre_bench import resize
from genre_infer.model_file import sidecar


def test_the_resize_is_compared_with_pillow_at_every_size(
    model: Path,
    tmp_path: Path,
    bench: Callable[..., Any],
    read_rows: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resize, "BATCHES", 1)
    args = (model, "--device", "cpu", "--repeats", 1, "--csv", tmp_path / "resize.csv")
    done = bench("resize", *args)
    assert done.exit_code == 0, done.output
    rows = read_rows(tmp_path / "resize.csv")
    assert len(rows) == len(resize.FACTORS) + len(resize.SHAPES)
    by_size = {row["size"]: row for row in rows}
    assert float(by_size["64x96"]["largest_levels"]) == 0
    for row in rows:
        assert float(row["largest_levels"]) <= 2
        assert row["provider"] == "CPUExecutionProvider"
    (cost,) = read_rows(tmp_path / "resize-cost.csv")
    quotient = float(cost["posters_per_s_without"]) / float(cost["posters_per_s"]) - 1
    assert float(cost["cost"]) == pytest.approx(quotient, abs=1e-3)
    assert bench("resize", *args).exit_code == 2  # the files exist


@pytest.mark.slow
def test_it_is_the_resize_of_the_file(
    model: Path,
    tmp_path: Path,
    bench: Callable[..., Any],
    read_rows: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that rounds its products in another way is detected."""
    monkeypatch.setattr(resize, "BATCHES", 1)
    monkeypatch.setattr(resize, "FACTORS", (1.5,))
    monkeypatch.setattr(resize, "SHAPES", ())
    changed, shares = onnx.load(model), []
    for name in ("as it is", "changed"):
        path = tmp_path / f"{name}.onnx"
        onnx.save(changed, path)
        sidecar(path).write_text(hashlib.sha256(path.read_bytes()).hexdigest())
        done = bench("resize", path, "--device", "cpu", "--repeats", 1, "--csv", f"{path}.csv")
        assert done.exit_code == 0, done.output
        shares.append(float(read_rows(Path(f"{path}.csv"))[0]["share_differing"]))
        for node in changed.graph.node:
            node.op_type = "Ceil" if node.op_type == "Floor" else node.op_type
    assert shares[0] < 0.01
    assert shares[1] > 0.3
