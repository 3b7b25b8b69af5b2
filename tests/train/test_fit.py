"""genre-train fit: what the checkpoint holds, what is refused, and all architectures."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors import safe_open
from safetensors.torch import save_file

from genre_train.backbone import load_body
from genre_train.checkpoint import (
    ARCHITECTURES,
    CheckpointError,
    architecture_of,
    new_network,
    read_checkpoint,
    read_document,
    write_json,
)
from genre_train.cli import main

TINY = ["--size", "64x96", "--min-posters", "5", "--weights", "none", "--precision", "float32"]
TINY += ["--architecture", "resnet18"]
ROOT = Path(__file__).parents[2]


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


def test_force_replaces_a_checkpoint(collection: Any, checkpoint: Path, tmp_path: Path) -> None:
    output = shutil.copytree(checkpoint, tmp_path / "again")
    done = fit(collection, output, "--frozen", "--epochs", "1", "--size", "32x48", "--force")
    assert done.exit_code == 0, done.stderr
    first, second = document(checkpoint), document(output)
    assert first["weights"]["sha256"] != second["weights"]["sha256"]
    assert list(first) == list(second)
    assert second["arguments"]["batch_size"] == 256
    assert read_checkpoint(output).document == second


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


def evaluate(folder: Path, collection: Any, *args: str) -> Result:
    command = ["evaluate", str(folder), "--table", str(collection.table)]
    return CliRunner().invoke(main, [*command, "--posters", str(collection.posters), *args])


def test_every_architecture_can_be_chosen() -> None:
    (option,) = (p for p in main.commands["fit"].params if p.name == "architecture")
    assert list(option.type.choices) == list(ARCHITECTURES)
    assert option.default == "resnet34"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["resnet34", "resnet50"])
def test_other_architectures_are_trained_and_measured(
    collection: Any, tmp_path: Path, architecture: str
) -> None:
    args = ("--architecture", architecture, "--size", "32x48", "--epochs", "1", "--frozen")
    done = fit(collection, tmp_path / "other", *args)
    assert done.exit_code == 0, done.stderr
    assert document(tmp_path / "other")["architecture"] == f"{architecture}, fastai head"
    assert read_checkpoint(tmp_path / "other").architecture == architecture
    measured = evaluate(tmp_path / "other", collection)
    assert measured.exit_code == 0, measured.stderr


@pytest.mark.slow
@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_architecture_is_fine_tuned_from_a_file(
    collection: Any, tmp_path: Path, architecture: str
) -> None:
    weights = backbone_file(tmp_path, architecture)
    args = ("--architecture", architecture, "--size", "32x48", "--epochs", "1")
    args += ("--recipe", "seed", "--batch-size", "36", "--weights", str(weights))
    # In a process of its own: Adam's state and the resume file of a ResNet-50 take 800 MB.
    command = ["fit", "--table", str(collection.table), "--posters", str(collection.posters)]
    command += ["-o", str(tmp_path / "tuned"), *TINY, *args]
    code = "from genre_train.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert document(tmp_path / "tuned")["arguments"]["weights"] == weights.name
    measured = evaluate(tmp_path / "tuned", collection)
    assert measured.exit_code == 0, measured.stderr


def test_an_unknown_architecture_is_refused_by_name(
    collection: Any, checkpoint: Path, tmp_path: Path
) -> None:
    refused = fit(collection, tmp_path / "none", "--architecture", "vgg16")
    assert refused.exit_code == 2
    assert "vgg16" in refused.stderr
    other = tmp_path / "other"
    other.mkdir()
    (other / "weights.safetensors").symlink_to(checkpoint / "weights.safetensors")
    for found in ("vgg16, fastai head", None):
        write_json(other / "checkpoint.json", {**document(checkpoint), "architecture": found})
        unreadable = evaluate(other, collection)
        assert unreadable.exit_code == 3
        assert f"{str(found).partition(',')[0]!r} is unknown" in unreadable.stderr
        assert "resnet18, resnet34, resnet50" in unreadable.stderr


def test_the_published_checkpoint_is_a_resnet34() -> None:
    published = read_document(ROOT / "train" / "checkpoint")
    assert published["architecture"] == "resnet34, fastai head"
    assert architecture_of(published) == "resnet34"


def backbone_file(folder: Path, architecture: str) -> Path:
    """torchvision's network, untrained, in float16."""
    torch.manual_seed(0)
    network = ARCHITECTURES[architecture](weights=None)
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    path = folder / f"{architecture}.safetensors"
    save_file(tensors, path)
    return path


def test_a_body_starts_from_a_file(tmp_path: Path) -> None:
    path = backbone_file(tmp_path, "resnet18")
    network = new_network("resnet18", 3)
    load_body(network, "resnet18", path)
    torch.manual_seed(0)
    expected = ARCHITECTURES["resnet18"](weights=None)
    weight = expected.layer4[1].conv2.weight.half().float()
    assert torch.equal(network[0][7][1].conv2.weight, weight)


def test_a_file_of_other_weights_is_refused(collection: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not safetensors")
    done = fit(collection, tmp_path / "none", "--weights", str(other))
    assert done.exit_code == 3
    assert "other.safetensors is not" in done.stderr
    path = backbone_file(tmp_path, "resnet18")
    missing = tmp_path / "none.csv"
    missing.write_text("no table")  # weights are checked before posters are read
    for architecture in ("resnet34", "resnet50"):
        args = ("--table", str(missing), "--weights", str(path), "--architecture", architecture)
        done = fit(collection, tmp_path / "none", *args)
        assert done.exit_code == 3
        assert f"does not hold torchvision's {architecture}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        with pytest.raises(CheckpointError, match=architecture):
            load_body(new_network(architecture, 2), architecture, path)


def test_evaluate_a_checkpoint(collection: Any, checkpoint: Path, tmp_path: Path) -> None:
    stored_at = str(tmp_path / "predictions.npz")
    args = ("--csv", str(tmp_path / "scores.csv"), "--predictions", stored_at)
    done = evaluate(checkpoint, collection, *args)
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
