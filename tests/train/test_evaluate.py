"""genre-train evaluate: the split of the training, what it writes and what it leaves alone."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import genre_infer
from genre_infer.errors import DeviceError
from genre_train import evaluate as evaluate_module
from genre_train import learner as learner_module
from genre_train import predictions as predictions_module
from genre_train.checkpoint import read_document, write_json
from genre_train.cli import main
from genre_train.dataset import hashed_split
from genre_train.learner import choose_device, choose_precision
from genre_train.predictions import Predictions, predict

SEED = 7


def evaluate(model: Path, collection: Any, *args: object) -> Result:
    command = ["evaluate", str(model), "--table", str(collection.table)]
    command += ["--posters", str(collection.posters), "--device", "cpu"]
    return CliRunner().invoke(main, [*command, *map(str, args)])


@pytest.fixture
def unsplit(collection: Any, tmp_path: Path) -> Path:
    """The collection's table without the column split."""
    rows = [line.split(",") for line in collection.table.read_text().splitlines()]
    table = tmp_path / "unsplit.csv"
    table.write_text("".join(",".join([*row[:3], row[4]]) + "\n" for row in rows))
    return table


@pytest.fixture
def seeded(checkpoint: Path, tmp_path: Path) -> Path:
    """The checkpoint, as if it had been trained with another seed."""
    folder = tmp_path / "seeded"
    folder.mkdir()
    (folder / "weights.safetensors").symlink_to(checkpoint / "weights.safetensors")
    document = read_document(checkpoint)
    document["arguments"]["seed"] = SEED
    write_json(folder / "checkpoint.json", document)
    return folder


def of_split(split: str, seed: int) -> list[int]:
    return [number for number in range(1, 121) if hashed_split(number, seed) == split]


def test_a_checkpoint_s_split_is_that_of_its_training(
    seeded: Path, checkpoint: Path, unsplit: Path, collection: Any
) -> None:
    assert of_split("test", SEED) != of_split("test", 0)
    for folder, seed in ((seeded, SEED), (checkpoint, 0)):
        predictions, dataset = predict(folder, unsplit, collection.posters)
        assert predictions.imdb_ids.tolist() == of_split("test", seed)
        assert [poster.imdb_id for poster in dataset.posters] == of_split("test", seed)


@pytest.mark.parametrize(("details", "seed"), [({"split_seed": SEED}, SEED), ({}, 0)])
def test_a_file_s_split_is_in_its_metadata(
    unsplit: Path,
    collection: Any,
    monkeypatch: pytest.MonkeyPatch,
    details: dict[str, int],
    seed: int,
) -> None:
    class Classifier(genre_infer.Classifier):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.metadata = replace(self.metadata, details=details)

    model = Path(genre_infer.__file__).parent / "model" / "genre-infer.onnx"
    monkeypatch.setattr(genre_infer, "Classifier", Classifier)
    predictions, _ = predict(model, unsplit, collection.posters, split="valid", device="cpu")
    assert predictions.imdb_ids.tolist() == of_split("valid", seed)


def test_there_is_no_seed_to_get_wrong(checkpoint: Path, collection: Any) -> None:
    for command in ("evaluate", "shortcut"):
        assert "--seed" not in {name for p in main.commands[command].params for name in p.opts}
    assert evaluate(checkpoint, collection, "--seed", "1").exit_code == 2


def test_files_are_replaced_only_by_force_and_named_as_given(
    checkpoint: Path, collection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = predict(checkpoint, collection.table, collection.posters)
    monkeypatch.setattr(evaluate_module, "predict", lambda *_, **__: predicted)
    table, stored = tmp_path / "new" / "scores.txt", tmp_path / "other" / "stored"
    args = ("--csv", table, "--predictions", stored)
    assert evaluate(checkpoint, collection, *args).exit_code == 0
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"scores.txt", "stored"}
    assert Predictions.load(stored).imdb_ids.tolist() == predicted[0].imdb_ids.tolist()
    table.write_text("mine")
    for one in (("--csv", table), ("--predictions", stored)):
        refused = evaluate(checkpoint, collection, *one)
        assert refused.exit_code == 2
        assert "--force" in refused.stderr
    assert table.read_text() == "mine"
    assert evaluate(checkpoint, collection, *args, "--force").exit_code == 0
    assert table.read_text().startswith("system,")


@pytest.mark.parametrize("command", ["show", "shortcut"])
def test_show_and_shortcut_replace_only_by_force(
    checkpoint: Path, collection: Any, tmp_path: Path, command: str
) -> None:
    output = tmp_path / "output"
    output.write_text("mine")
    args = [command, str(checkpoint), "--table", str(collection.table), "-o", str(output)]
    args += ["--posters", str(collection.posters)]
    if command == "shortcut":
        args += ["--domain", "two", "--size", "40x60"]
    refused = CliRunner().invoke(main, args)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert output.read_text() == "mine"
    assert CliRunner().invoke(main, [*args, "--force"]).exit_code == 0
    assert output.read_bytes() != b"mine"


def test_what_was_left_out_is_said(checkpoint: Path, collection: Any) -> None:
    done = evaluate(checkpoint, collection, "--split", "train")
    assert done.exit_code == 0
    assert "121 rows in the table\n72 posters of 72 films used" in done.stderr
    assert "1 no poster" in done.stderr
    assert "48 another split" in done.stderr


def test_a_wrong_device_is_named_before_posters_are_read(
    checkpoint: Path, collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions_module, "load_dataset", None)
    for device in ("openvino", "tpu"):
        refused = evaluate(checkpoint, collection, "--device", device)
        assert refused.exit_code == 3
        assert f"--device {device}" in refused.stderr
        with pytest.raises(DeviceError, match="auto, cpu or cuda"):
            choose_device(device)


def test_precisions_of_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    for units in (True, False):
        monkeypatch.setattr(learner_module, "cpu_has_bfloat16", lambda units=units: units)
        with pytest.raises(DeviceError, match="--precision float16"):
            choose_precision("float16", "cpu")
        assert choose_precision("auto", "cpu") == ("bfloat16" if units else "float32")
    with pytest.raises(DeviceError, match="--precision bfloat16"):
        choose_precision("bfloat16", "cpu")


def test_one_poster_is_a_split(checkpoint: Path, collection: Any, tmp_path: Path) -> None:
    lines = collection.table.read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join((lines[0], lines[5])) + "\n")
    one = SimpleNamespace(table=tmp_path / "one.csv", posters=collection.posters)
    done = evaluate(checkpoint, one, "--csv", tmp_path / "scores.csv")
    assert done.exit_code == 0, done.stderr
    assert np.isfinite(float((tmp_path / "scores.csv").read_text().splitlines()[1].split(",")[5]))
