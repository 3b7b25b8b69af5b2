"""Fine-tuning: the same result after a kill, the epoch that is kept, the first-genre classifier."""

import gc
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from genre_train import finetune
from genre_train import fit as fit_module
from genre_train.cli import main
from genre_train.resume import TrainingState

SMALL = ["--size", "32x48", "--min-posters", "5", "--weights", "none", "--precision", "float32"]


def fit(collection: Any, output: Path, *args: str) -> Result:
    command = ["fit", "--table", str(collection.table), "--posters", str(collection.posters)]
    command += ["-o", str(output), "--architecture", "resnet18"]
    gc.collect()  # the learner of the run before, which is a cycle
    return CliRunner().invoke(main, [*command, *SMALL, *args])


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    return found


@pytest.mark.slow
def test_fine_tuning_is_reproducible_and_survives_a_kill(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("--recipe", "seed", "--epochs", "2", "--batch-size", "16")
    assert fit(collection, tmp_path / "whole", *args).exit_code == 0

    saved = TrainingState.save
    calls = 0

    def killed_after_two(self: Any, learner: Any) -> None:
        nonlocal calls
        saved(self, learner)
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingState, "save", killed_after_two)
    assert fit(collection, tmp_path / "cut", *args).exit_code == 130
    monkeypatch.undo()
    assert not (tmp_path / "cut" / "checkpoint.json").exists()
    for changed in (("--seed", "1"), ("--architecture", "resnet34")):
        other = fit(collection, tmp_path / "cut", *args, *changed, "--resume")
        assert other.exit_code == 3
        assert f"other settings ({changed[0].removeprefix('--')})" in other.stderr

    resumed = fit(collection, tmp_path / "cut", *args, "--resume")
    assert resumed.exit_code == 0
    assert "Resuming after 2 epochs" in resumed.stderr
    whole, cut = document(tmp_path / "whole"), document(tmp_path / "cut")
    assert whole["weights"]["sha256"] == cut["weights"]["sha256"]
    timeless = [[{k: v for k, v in e.items() if k != "seconds"} for e in d["epochs"]]
                for d in (whole, cut)]  # fmt: skip
    assert timeless[0] == timeless[1]
    assert [(e["stage"], e["epoch"]) for e in whole["epochs"]] == [(0, 0), (1, 0), (1, 1)]
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("resume.safetensors"))


@pytest.mark.slow
def test_augmented_training_keeps_the_best_epoch(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.4, 0.9, 0.6])  # the best is not the last
    monkeypatch.setattr(finetune, "valid_scorer", lambda _: lambda _: {"macro_ap": next(scores)})
    saved, states = TrainingState.save, []

    def watched(self: Any, learner: Any) -> None:
        saved(self, learner)
        states.append({k: v.clone() for k, v in learner.model.state_dict().items()})

    monkeypatch.setattr(TrainingState, "save", watched)
    args = ["--epochs", "2", "--batch-size", "16"]
    args += ["--set", "frozen_epochs", "1", "--set", "average", "0"]
    done = fit(collection, tmp_path / "standard", *args)
    assert done.exit_code == 0, done.stderr
    found = document(tmp_path / "standard")
    assert [epoch["macro_ap"] for epoch in found["epochs"]] == [0.4, 0.9, 0.6]
    stored = load_file(tmp_path / "standard" / "weights.safetensors")
    same = [
        all(bool((stored[name] == state[name].to(stored[name].dtype)).all()) for name in stored)
        for state in states
    ]
    assert same == [False, True, False]
    assert found["metrics"]["valid"]["mean of domains"]["posters"] == 24


def test_a_kill_at_the_end_leaves_no_checkpoint_and_can_be_resumed(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("--recipe", "seed", "--epochs", "1", "--batch-size", "1000")
    output = tmp_path / "cut"
    output.mkdir()
    (output / "checkpoint.json").write_text("of an earlier run")

    def killed(*_: object) -> None:
        assert not (output / "checkpoint.json").exists()  # nor one of other weights
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "calibrate_and_measure", killed)
        assert fit(collection, output, *args, "--force").exit_code == 130
    assert sorted(os.listdir(output)) == ["resume.safetensors", "weights.safetensors"]
    resumed = fit(collection, output, *args, "--resume", "--licence", "posters", "CC0-1.0")
    assert resumed.exit_code == 0, resumed.stderr
    assert "Resuming after 2 epochs" in resumed.stderr
    found = document(output)
    assert found["thresholds"]["balanced"].keys() == set(found["genres"])
    assert found["licences"] == {"code": "Apache-2.0", "posters": "CC0-1.0"}
    # A batch larger than the split would leave nothing to learn from.
    assert found["arguments"]["batch_size"] == 72
    assert all(epoch["train_loss"] > 0 for epoch in found["epochs"])
    assert (next(iter(found)), [*found][-1]) == ("format", "weights")


def test_the_bar_ends_with_ctrl_c(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []

    class Bar(finetune._ProgressBar):
        def before_fit(self) -> None:
            raise KeyboardInterrupt

        def stop(self) -> None:
            super().stop()
            stopped.append(self)

    monkeypatch.setattr(finetune, "_ProgressBar", Bar)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(finetune, "sys", SimpleNamespace(stderr=terminal))
    assert fit(collection, tmp_path / "cut").exit_code == 130
    assert len(stopped) == 1


@pytest.mark.slow
def test_the_first_genre_classifier_and_its_confusion_matrix(
    collection: Any, tmp_path: Path
) -> None:
    args = ("--labels", "first", "--recipe", "seed", "--epochs", "1", "--batch-size", "16")
    done = fit(collection, tmp_path / "first", *args)
    assert done.exit_code == 0, done.stderr
    found = document(tmp_path / "first")
    assert found["labels"] == "first"
    measures = found["metrics"]["test"]
    lines = (tmp_path / "first" / "confusion.csv").read_text().splitlines()
    matrix = np.array([[int(cell) for cell in line.split(",")[1:]] for line in lines[1:]])
    assert matrix.sum() == measures["posters"] == 24
    assert np.trace(matrix) / 24 == pytest.approx(measures["accuracy"], abs=1e-4)
    assert (tmp_path / "first" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    args = ("evaluate", tmp_path / "first", "--table", collection.table)
    refused = CliRunner().invoke(main, [*map(str, args), "--posters", str(collection.posters)])
    assert refused.exit_code == 3
    assert "confusion.png" in refused.stderr
