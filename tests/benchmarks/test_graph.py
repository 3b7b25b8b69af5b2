"""genre-bench resize and int8: what the exported graph's parts are worth."""

import csv
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner, Result

from genre_bench import int8 as variants
from genre_bench import resize
from genre_bench.cli import main
from genre_export.quantization.qdq import Settings


def bench(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_resize_is_held_against_pillow_at_every_size(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize, "BATCHES", 2)
    args = (model, "--device", "cpu", "--repeats", 1, "--csv", tmp_path / "resize.csv")
    done = bench("resize", *args)
    assert done.exit_code == 0, done.output
    rows = read(tmp_path / "resize.csv")
    assert len(rows) == len(resize.FACTORS) + len(resize.SHAPES)
    by_size = {row["size"]: row for row in rows}
    assert float(by_size["64x96"]["largest_levels"]) == 0
    for row in rows:
        assert float(row["largest_levels"]) <= 2
        assert row["provider"] == "CPUExecutionProvider"
        assert row["processor"]
        assert row["commit"]
    (cost,) = read(tmp_path / "resize-cost.csv")
    quotient = float(cost["posters_per_s_without"]) / float(cost["posters_per_s"]) - 1
    assert float(cost["cost"]) == pytest.approx(quotient, abs=1e-3)
    assert bench("resize", *args).exit_code == 2  # the files are there


def test_it_is_the_resize_of_the_file(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that rounds its products otherwise is found out."""
    monkeypatch.setattr(resize, "BATCHES", 1)
    monkeypatch.setattr(resize, "FACTORS", (1.5,))
    changed, shares = onnx.load(model), []
    for name in ("as it is", "changed"):
        path = tmp_path / f"{name}.onnx"
        onnx.save(changed, path)
        done = bench("resize", path, "--device", "cpu", "--repeats", 1, "--csv", f"{path}.csv")
        assert done.exit_code == 0, done.output
        shares.append(float(read(Path(f"{path}.csv"))[0]["share_differing"]))
        for node in changed.graph.node:
            node.op_type = "Ceil" if node.op_type == "Floor" else node.op_type
    assert shares[0] < 0.01
    assert shares[1] > 0.3


def test_every_way_to_quantize_is_measured(
    checkpoint: Path, collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Settings(method="minmax", equalisation=0, rounding=False, bias_correction=False)
    fewer = {"one": Settings(method="minmax", posters=32), "other": plain}
    monkeypatch.setattr(variants, "VARIANTS", fewer)
    done = bench(
        *("int8", "--checkpoint", checkpoint, "--table", collection.table),
        *("--posters", collection.posters, "--count", 20, "--device", "cpu"),
        *("--csv", tmp_path / "int8.csv"),
    )
    assert done.exit_code == 0, done.output
    one, other = read(tmp_path / "int8.csv")
    assert (one["variant"], one["rounding"], one["posters"]) == ("one", "True", "20")
    assert (other["variant"], other["rounding"]) == ("other", "False")
    assert float(one["largest"]) > 0
    assert one["largest"] != other["largest"]
    assert one["commit"]
    args = ["--checkpoint", checkpoint, "--table", collection.table, "--posters"]
    done = bench("int8", *args, collection.posters, "--variant", "third")
    assert done.exit_code == 2
    assert "there are: one, other" in done.stderr
