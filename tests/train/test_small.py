"""Collections so small that a batch could be one poster, or none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from genre_train import head
from genre_train.checkpoint import new_network
from genre_train.cli import main
from genre_train.head import whole_batches


@pytest.mark.parametrize(("rows", "sizes"), [
    (1, [1]), (2, [2]), (256, [256]), (257, [257]), (258, [256, 2]), (513, [256, 257]),
])  # fmt: skip
def test_no_batch_of_a_head_is_a_single_row(rows: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in whole_batches(torch.arange(rows))] == sizes
    assert torch.cat(whole_batches(torch.arange(rows))).tolist() == list(range(rows))


def test_a_head_learns_from_one_row_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "BATCH_SIZE", 4)
    generator = np.random.default_rng(0)
    features = generator.normal(size=(12, 1024)).astype(np.float32)
    records = head.fit_head(
        new_network("resnet18", 2),
        features,
        generator.random((12, 2)) < 0.5,
        np.arange(9),
        np.arange(9, 12),
        epochs=1,
        learning_rate=1e-3,
        seed=0,
        score=lambda _: {"macro_ap": 0.5},
    )
    assert records[0]["train_loss"] > 0


def test_a_single_train_poster_is_refused(collection: Any, tmp_path: Path) -> None:
    lines = collection.table.read_text().splitlines()
    kept = [line for line in lines if ",train," not in line]
    kept.append(next(line for line in lines if ",train," in line))
    table = tmp_path / "films.csv"
    table.write_text("\n".join(kept) + "\n")
    command = ["fit", "--table", str(table), "--posters", str(collection.posters)]
    command += ["-o", str(tmp_path / "none"), "--size", "64x96", "--min-posters", "1"]
    done = CliRunner().invoke(main, [*command, "--weights", "none"])
    assert done.exit_code == 3
    assert "Fewer than 2 posters" in done.stderr
