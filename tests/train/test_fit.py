"""Training end to end, tiny: frozen, fine-tuned, killed and resumed, the first-genre classifier."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors import safe_open
from safetensors.torch import load_file

from genre_train import finetune as fit_module
from genre_train import fit as run_module
from genre_train.checkpoint import read_checkpoint
from genre_train.cli import main

TINY = ["--size", "64x96", "--min-posters", "5", "--weights", "none", "--precision", "float32"]


def fit(collection: Any, output: Path, *args: str) -> Result:
    command = ["fit", "--table", str(collection.table), "--posters", str(collection.posters)]
    return CliRunner().invoke(main, [*command, "-o", str(output), *TINY, *args])


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    return found


def test_the_checkpoint_says_all_of_itself(checkpoint: Path) -> None:
    found = document(checkpoint)
    assert found["format"] == 1
    assert (found["name"], found["version"]) == ("tiny", "0.9")
    assert found["genres"] == ["Comedy", "Horror", "Western"]
    assert (found["input"]["width"], found["input"]["height"]) == (64, 96)
    assert found["dataset"]["posters"] == {"train": 72, "valid": 24, "test": 24}
    assert found["dataset"]["left_out"] == {"no poster": 1}
    assert len(found["epochs"]) == 12
    assert set(found["metrics"]) == {"valid", "test"}
    assert len(found["valid"]) == 24
    assert set(found["calibration_posters"]).isdisjoint(found["valid"])
    assert sorted(os.listdir(checkpoint)) == ["checkpoint.json", "weights.safetensors"]


def test_weights_are_float16_in_safetensors_and_nothing_names_this_machine(
    checkpoint: Path,
) -> None:
    with safe_open(checkpoint / "weights.safetensors", "pt") as file:
        kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert kinds["0.0.weight"] == "F16"
    assert kinds["0.1.running_var"] == "F32"
    text = (checkpoint / "checkpoint.json").read_text("utf-8")
    for private in (str(Path.home()), str(checkpoint.parent), "/tmp", os.sep + "home"):
        assert private not in text


def test_it_learned_something(checkpoint: Path) -> None:
    assert document(checkpoint)["epochs"][-1]["macro_ap"] > 0.8  # by chance: about 0.5


def test_fine_tuning_is_reproducible_and_survives_a_kill(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("--recipe", "seed", "--epochs", "2", "--batch-size", "16")
    assert fit(collection, tmp_path / "whole", *args).exit_code == 0

    saved = fit_module._Run.save
    calls = 0

    def killed_after_two(self: Any, learner: Any) -> None:
        nonlocal calls
        saved(self, learner)
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(fit_module._Run, "save", killed_after_two)
    assert fit(collection, tmp_path / "cut", *args).exit_code == 130
    monkeypatch.undo()
    assert not (tmp_path / "cut" / "checkpoint.json").exists()
    other = fit(collection, tmp_path / "cut", *args, "--seed", "1", "--resume")
    assert other.exit_code == 3
    assert "seed" in other.stderr

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


def test_augmented_training_keeps_the_best_epoch(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.4, 0.9, 0.6])  # the best is not the last
    monkeypatch.setattr(run_module, "_scorer", lambda _: lambda _: {"macro_ap": next(scores)})
    saved, states = fit_module._Run.save, []

    def watched(self: Any, learner: Any) -> None:
        saved(self, learner)
        states.append({k: v.clone() for k, v in learner.model.state_dict().items()})

    monkeypatch.setattr(fit_module._Run, "save", watched)
    done = fit(collection, tmp_path / "standard", "--epochs", "2", "--batch-size", "16")
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


def test_earlier_work_is_not_undone(collection: Any, checkpoint: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    missing = tmp_path / "none.csv"
    missing.write_text("no table")  # nothing of it is read
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    (stopped / "resume.safetensors").write_bytes(b"a run")
    for output, args, says in (
        (checkpoint, (), "holds checkpoint.json"),
        (stopped, (), "holds resume.safetensors"),
        (checkpoint, ("--resume",), "no resume.safetensors"),
        (tmp_path / "new", ("--resume",), "no resume.safetensors"),
        (stopped, ("--resume", "--frozen"), "--frozen"),
        (stopped, ("--resume", "--force"), "--force"),
    ):
        refused = fit(collection, output, "--table", str(missing), *args)
        assert refused.exit_code == 2, says
        assert says in refused.stderr
    assert {path.name: path.read_bytes() for path in checkpoint.iterdir()} == before
    assert (stopped / "resume.safetensors").read_bytes() == b"a run"
    assert not (tmp_path / "new").exists()


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
        patch.setattr(run_module, "fit_and_measure", killed)
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


def test_force_replaces_a_checkpoint(collection: Any, checkpoint: Path, tmp_path: Path) -> None:
    output = shutil.copytree(checkpoint, tmp_path / "again")
    done = fit(collection, output, "--frozen", "--epochs", "1", "--force")
    assert done.exit_code == 0, done.stderr
    first, second = document(checkpoint), document(output)
    assert first["weights"]["sha256"] != second["weights"]["sha256"]
    assert list(first) == list(second)
    assert second["arguments"]["batch_size"] == 256
    assert read_checkpoint(output).document == second


def test_the_bar_ends_with_ctrl_c(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []

    class Bar(fit_module._Bar):
        def before_fit(self) -> None:
            raise KeyboardInterrupt

        def stop(self) -> None:
            super().stop()
            stopped.append(self)

    monkeypatch.setattr(fit_module, "_Bar", Bar)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(fit_module, "sys", SimpleNamespace(stderr=terminal))
    assert fit(collection, tmp_path / "cut").exit_code == 130
    assert len(stopped) == 1


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


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--device", "cuda"], "nvidia-smi"),
        (["--device", "cpu", "--precision", "float16"], "--device cuda"),
        (["--domain", "three"], "no usable row"),
        (["--min-posters", "5000"], "--min-posters"),
    ],
)
def test_faults_are_sentences(collection: Any, tmp_path: Path, args: list[str], says: str) -> None:
    done = fit(collection, tmp_path / "none", *args)
    assert done.exit_code == 3
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_other_weights_is_refused(collection: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not safetensors")
    done = fit(collection, tmp_path / "none", "--weights", str(other))
    assert done.exit_code == 3
    assert "other.safetensors is not" in done.stderr


def test_evaluate_a_checkpoint(collection: Any, checkpoint: Path, tmp_path: Path) -> None:
    args = ["evaluate", str(checkpoint), "--table", str(collection.table)]
    args += ["--posters", str(collection.posters), "--csv", str(tmp_path / "scores.csv")]
    args += ["--predictions", str(tmp_path / "predictions.npz")]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.stderr
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    systems = ["model", "nothing", "always Drama", "Drama + Comedy", "everything"]
    expected = [(s, d) for s in systems for d in ("one", "two", "mean of domains", "pooled")]
    assert [tuple(line.split(",")[:2]) for line in lines[1:]] == expected
    from genre_train.predictions import Predictions

    stored = Predictions.load(tmp_path / "predictions.npz")
    assert stored.probabilities.shape == (24, 3)
    assert stored.labels.sum() > 24
    first = document(checkpoint)["metrics"]["test"]["pooled"]["micro_ap"]
    column = lines[0].split(",").index("micro_ap")
    assert float(lines[4].split(",")[column]) == pytest.approx(first, abs=2e-5)
