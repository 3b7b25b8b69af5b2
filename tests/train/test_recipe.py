"""Recipes: their settings, how posters are changed at random, the average of weights."""

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from fastai.vision.core import PILImage
from PIL import Image
from safetensors.torch import load_file

from genre_train.augment import PosterCrop, PosterLook
from genre_train.cli import main
from genre_train.dataset import load_dataset
from genre_train.learner import AsymmetricLoss
from genre_train.resume import TrainingState, WeightAverage

SETTINGS = [("frozen_epochs", 0), ("crop", 0.7), ("look", 1), ("average", 0.9)]
SETTINGS += [("missing", 2)]


def fit(collection: Any, output: Path, *args: str) -> Result:
    command = ["fit", "--table", str(collection.table), "--posters", str(collection.posters)]
    command += ["-o", str(output), "--architecture", "resnet18", "--weights", "none"]
    command += ["--size", "32x48", "--min-posters", "5", "--precision", "float32"]
    gc.collect()  # the learner of the run before, which is a cycle
    return CliRunner().invoke(main, [*command, *args])


def gradient(size: tuple[int, int] = (90, 134)) -> PILImage:
    across = np.linspace(0, 255, size[0]).astype(np.uint8)
    pixels = np.stack([np.tile(across, (size[1], 1))] * 3, axis=2)
    return PILImage(Image.fromarray(pixels))


@pytest.mark.slow
def test_averaged_training_goes_on_after_a_kill(
    collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["--epochs", "2", "--batch-size", "16"]
    args += [word for name, number in SETTINGS for word in ("--set", name, str(number))]
    assert fit(collection, tmp_path / "whole", *args).exit_code == 0
    saved = TrainingState.save

    def killed(self: Any, learner: Any) -> None:
        saved(self, learner)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "save", killed)
        assert fit(collection, tmp_path / "cut", *args).exit_code == 130
    resumed = fit(collection, tmp_path / "cut", *args, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    whole, cut = (
        json.loads((tmp_path / name / "checkpoint.json").read_text()) for name in ("whole", "cut")
    )
    assert whole["weights"]["sha256"] == cut["weights"]["sha256"]
    assert [(e["stage"], e["epoch"]) for e in whole["epochs"]] == [(0, 0), (0, 1)]
    assert whole["arguments"]["settings"]["average"] == 0.9
    assert whole["input"]["width"], whole["input"]["height"] == (32, 48)
    assert whole["metrics"]["valid"]["mean of domains"]["posters"] == 24


def test_an_unknown_setting_is_refused(collection: Any, tmp_path: Path) -> None:
    done = fit(collection, tmp_path / "x", "--set", "strength", "1")
    assert done.exit_code == 2
    assert "--set strength: choose from average, crop" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_part_of_the_films_is_always_the_same(collection: Any) -> None:
    dataset = load_dataset(collection.table, collection.posters, (32, 48), min_posters=5)
    third, again = dataset.thinned(3), dataset.thinned(3)
    assert third.posters == again.posters
    train, before = len(third.indices("train")), len(dataset.indices("train"))
    assert 0.15 * before < train < 0.55 * before
    assert len(third.pixels) == len(third.posters)
    assert third.left_out["another part of train"] == before - train
    for split in ("valid", "test"):
        assert len(third.indices(split)) == len(dataset.indices(split))


def test_only_train_posters_are_cropped() -> None:
    crop = PosterCrop((32, 48), 0.5)
    poster = gradient()
    assert poster.size == (90, 134)
    squished = np.asarray(poster.resize((32, 48), Image.Resampling.BILINEAR))
    assert np.array_equal(np.asarray(crop(poster, split_idx=1)), squished)
    np.random.seed(0)
    widths = []
    for _ in range(20):
        cropped = np.asarray(crop(poster, split_idx=0)).astype(int)
        assert cropped.shape == (48, 32, 3)
        widths.append(cropped[0, -1, 0] - cropped[0, 0, 0])
    assert min(widths) < 200  # a part of the gradient
    assert max(widths) <= 255


def test_a_look_changes_train_posters_and_keeps_their_size() -> None:
    look = PosterLook(1.0)
    poster = gradient((64, 96))
    assert look(poster, split_idx=1) is poster
    np.random.seed(0)
    looks = [np.asarray(look(poster, split_idx=0)) for _ in range(30)]
    assert {one.shape for one in looks} == {(96, 64, 3)}
    assert len({one.tobytes() for one in looks}) == 30
    mirrored = sum(one[:, 0].mean() > one[:, -1].mean() for one in looks)
    assert 5 < mirrored < 25
    only_mirrored = {np.asarray(PosterLook(0.0)(poster, split_idx=0)).tobytes() for _ in range(20)}
    assert len(only_mirrored) == 2


def test_the_average_follows_the_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    average = WeightAverage(network, 0.5)
    average.update_parameters(network)  # the first is a copy
    torch.nn.init.ones_(network.weight)
    values = []
    for _ in range(12):
        average.update_parameters(network)
        values.append(float(average.module.weight.detach()))
    assert values[0] == pytest.approx(1 - 2 / 11)  # a young average moves fast
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=1e-3)
    assert float(network.weight.detach()) == 1


def test_the_asymmetric_loss_is_cross_entropy_without_its_two_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 3, generator=generator)
    labels = (torch.rand(5, 3, generator=generator) < 0.4).float()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    assert float(AsymmetricLoss(0, margin=0)(logits, labels)) == pytest.approx(float(plain))
    doubted = AsymmetricLoss(2)
    absent = torch.zeros(1, 1)
    easy, hard = (float(doubted(torch.tensor([[value]]), absent)) for value in (-3.0, 3.0))
    assert easy == 0  # below the margin
    assert hard == pytest.approx(-np.log(1 - (1 / (1 + np.exp(-3.0)) - 0.05)) * 0.9026**2, rel=1e-3)


def state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


@pytest.mark.slow
def test_frozen_groups_stay_as_they_started(
    collection: Any, checkpoint: Path, tmp_path: Path
) -> None:
    args = ["--epochs", "1", "--batch-size", "16", "--weights", str(checkpoint)]
    args += ["--set", "frozen_epochs", "0", "--set", "frozen_groups", "1"]
    done = fit(collection, tmp_path / "further", *args)
    assert done.exit_code == 0, done.stderr
    before, after = state(checkpoint), state(tmp_path / "further")
    same = {name for name in before if torch.equal(before[name], after[name])}
    lowest = {name for name in before if name.startswith(tuple(f"0.{n}." for n in range(6)))}
    assert lowest <= same  # batch norm's statistics too
    assert "0.7.0.conv1.weight" not in same
    assert "1.8.weight" not in same


@pytest.mark.slow
def test_a_run_starts_from_a_checkpoint(collection: Any, checkpoint: Path, tmp_path: Path) -> None:
    args = ["--epochs", "1", "--weights", str(checkpoint), "--learning-rate", "1e-12"]
    args += ["--set", "frozen_epochs", "0", "--set", "frozen_groups", "2"]
    assert fit(collection, tmp_path / "same", *args).exit_code == 0
    before, after = state(checkpoint), state(tmp_path / "same")
    assert torch.equal(before["1.8.weight"], after["1.8.weight"])  # the head's last layer
    document = json.loads((tmp_path / "same/checkpoint.json").read_text())
    assert document["started_from"]["arguments"]["frozen"] is True
    assert document["arguments"]["weights"] == "tiny"

    table = tmp_path / "films.csv"
    table.write_text(collection.table.read_text().replace("Western", "Opera"))
    args += ["--table", str(table)]
    assert fit(collection, tmp_path / "other", *args).exit_code == 0
    other = state(tmp_path / "other")
    assert torch.equal(before["0.0.weight"], other["0.0.weight"])
    assert not torch.equal(before["1.8.weight"], other["1.8.weight"])  # other genres: a new head


def test_a_checkpoint_of_another_architecture_is_refused(
    collection: Any, checkpoint: Path, tmp_path: Path
) -> None:
    args = ["--weights", str(checkpoint), "--architecture", "resnet34"]
    done = fit(collection, tmp_path / "x", *args)
    assert done.exit_code == 3
    assert "is a resnet18; give --architecture resnet18" in done.stderr
    done = fit(collection, tmp_path / "x", "--weights", str(tmp_path / "nowhere"))
    assert done.exit_code == 3
    assert "nowhere does not exist; give a safetensors file, a checkpoint folder" in done.stderr
