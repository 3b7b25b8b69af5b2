"""genre-export: files that answer as the checkpoint does, or no file."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from genre_export import difference
from genre_export import model as model_module
from genre_export.cli import main
from genre_export.compared import drawn_posters
from genre_export.difference import original_probabilities
from genre_export.graph import join
from genre_infer import Classifier, ModelError
from genre_infer.model_file import load_model, sidecar
from genre_train.checkpoint import Checkpoint


def export(checkpoint: Path, output: Path, *args: str) -> Result:
    # The checkpoint's body was never trained: equalising its channels only adds noise.
    given = [str(checkpoint), "-o", str(output), "--equalisation", "0", *args]
    return CliRunner().invoke(main, given)


PRECISIONS = [
    "float32",
    pytest.param("float16", marks=pytest.mark.slow),
    pytest.param("int8", marks=pytest.mark.slow),
]

Exported = Callable[[str], Path]


def test_older_onnxruntimes_take_the_products_of_no_posters(exported: Exported) -> None:
    """Before 1.32 an empty operand must be on the left, and no Transpose right before it: seen with
    1.20.1 and 1.31.1, which a test cannot install."""
    model = onnx.load(exported("float32"))
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    makers = {name: node for node in model.graph.node for name in node.output}
    products = [node for node in model.graph.node if node.op_type == "MatMul"][:2]
    assert [node.input[1] for node in products] == ["x_weights", "y_weights"]
    assert all(makers[node.input[0]].op_type != "Transpose" for node in products)


@pytest.mark.parametrize(
    ("precision", "bound"),
    [
        ("float32", 1e-5),
        pytest.param("float16", 5e-3, marks=pytest.mark.slow),
        pytest.param("int8", 0.3, marks=pytest.mark.slow),
    ],
)
def test_the_file_answers_as_pytorch_does(
    exported: Exported, stored: Checkpoint, precision: str, bound: float
) -> None:
    posters = drawn_posters(20, 64, 96, seed=7)
    with Classifier(exported(precision), device="cpu") as classifier:
        given = classifier.predict(posters)
    difference = np.abs(given - original_probabilities(stored, posters))
    assert difference.max() < bound
    assert difference.mean() < bound / 5
    assert given.std() > 0.05  # the answers differ from poster to poster


SIZES = [(48, 32), (1, 1), (97, 64), (96, 65), (300, 200), (960, 640), (1000, 77), (77, 1000)]


@pytest.fixture(scope="module")
def session(exported: Exported) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(exported("float32"))


@pytest.fixture(scope="module")
def inside(exported: Exported) -> onnxruntime.InferenceSession:
    return session_inside(exported("float32"))


@pytest.mark.parametrize("size", SIZES)
def test_the_graph_resizes_as_pillow_does(
    session: onnxruntime.InferenceSession,
    inside: onnxruntime.InferenceSession,
    stored: Checkpoint,
    size: tuple[int, int],
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    shrunk = np.stack(
        [np.asarray(Image.fromarray(n).resize((64, 96), Image.Resampling.BILINEAR)) for n in noise]
    )
    given = session.run(["probabilities"], {"image": noise})[0]
    assert np.abs(given - original_probabilities(stored, shrunk)).max() < 5e-3
    levels = levels_of(inside, noise)
    assert np.abs(levels - shrunk).max() <= (1 if size > (96, 64) else 2)


def session_inside(path: Path) -> onnxruntime.InferenceSession:
    """A session that also gives the resized picture inside the graph."""
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("levels", 1, None))
    return onnxruntime.InferenceSession(model.SerializeToString())


def levels_of(inside: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """The resized picture, uint8-valued [N, height, width, 3]."""
    levels: np.ndarray = inside.run(["levels"], {"image": images})[0]
    return levels.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_input_size_passes_untouched(exported: Exported, precision: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 64, 3), dtype=np.uint8)
    assert np.array_equal(levels_of(session_inside(exported(precision)), noise), noise)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_file_alone_is_enough(exported: Exported, checkpoint: Path, precision: str) -> None:
    data = exported(precision).read_bytes()
    metadata = load_model(data).metadata
    document = json.loads((checkpoint / "checkpoint.json").read_text("utf-8"))
    assert list(metadata.genres) == document["genres"]
    assert (metadata.width, metadata.height) == (64, 96)
    assert metadata.precision == precision
    assert metadata.checkpoint_sha256 == document["weights"]["sha256"]
    assert (metadata.name, metadata.version) == ("tiny", "0.9")
    assert metadata.licences["code"] == "Apache-2.0"
    assert set(metadata.thresholds) == {"balanced", "high-precision", "high-recall"}
    assert "pillow" in metadata.created_with
    assert metadata.details["parity"]["posters"] == 24
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_bytes_reveal_nothing_about_this_machine(
    exported: Exported, checkpoint: Path, precision: str
) -> None:
    data = exported(precision).read_bytes()
    private = [str(Path.home()), str(checkpoint.parent), str(exported(precision).parent)]
    host = os.uname().nodename
    private += [host] if len(host) > 4 else []  # a short name is in any megabyte by chance
    private += [str(Path(torch.__file__).parent), "site-packages", ".py", "Traceback"]
    for text in private:
        assert text.encode() not in data, text


@pytest.mark.slow
def test_a_second_export_is_the_same_to_the_byte(
    exported: Exported, checkpoint: Path, collection: Any, tmp_path: Path
) -> None:
    args = ("--precision", "int8", "--posters", str(collection.posters))
    assert export(checkpoint, tmp_path / "again.onnx", *args).exit_code == 0
    assert (tmp_path / "again.onnx").read_bytes() == (exported("int8")).read_bytes()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_hash_is_beside_the_file_and_is_checked(
    exported: Exported, precision: str, tmp_path: Path
) -> None:
    model = exported(precision)
    data, line = model.read_bytes(), sidecar(model).read_bytes()
    assert line.decode() == f"{hashlib.sha256(data).hexdigest()}  {precision}.onnx\n"
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(data)
    sidecar(copy).write_bytes(line)
    Classifier(copy, device="cpu").close()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelError, match="was changed"):
        Classifier(copy, device="cpu")


@pytest.mark.slow
def test_int8_weights_stay_within_seven_bits(exported: Exported, stored: Checkpoint) -> None:
    """uint8 activations against weights of at most 64: a pair's sum fits 16 bits (2 x 255 x 64 =
    32,640 < 32,768), so AVX2 without VNNI cannot saturate."""
    model = onnx.load(exported("int8"))
    values = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    seen = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            source = producers[node.input[1]]
            assert source.op_type == "DequantizeLinear"
            weights = values[source.input[0]]
            assert weights.dtype == np.int8
            assert np.abs(weights.astype(int)).max() <= 64
            assert values[source.input[1]].size == weights.shape[0]  # one scale a channel
            activation = producers[node.input[0]]
            assert values[activation.input[2]].dtype == np.uint8
            seen += 1
    # One node for each of the checkpoint's convolutions: 20 in a ResNet-18, 36 in a ResNet-34.
    body = stored.network[0]
    assert seen == sum(isinstance(m, torch.nn.Conv2d) for m in body.modules()) >= 20


def test_int8_needs_posters(checkpoint: Path, tmp_path: Path) -> None:
    done = export(checkpoint, tmp_path / "x.onnx", "--precision", "int8")
    assert done.exit_code == 3
    assert "--posters" in done.stderr


@pytest.mark.slow
def test_without_posters_drawn_ones_are_compared(drawn: tuple[Path, str], checkpoint: Path) -> None:
    model, said = drawn
    assert "drawn" in said
    document = json.loads((checkpoint / "checkpoint.json").read_text("utf-8"))
    metadata = load_model(model.read_bytes()).metadata
    assert metadata.thresholds == document["thresholds"]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "factor"), [("float32", 1.01), ("int8", 3.0)])
def test_a_file_that_answers_differently_is_not_kept(
    checkpoint: Path,
    collection: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    factor: float,
) -> None:
    """The normalisation is off: by a hundredth in float32, grossly in int8."""

    def broken(*parts: onnx.ModelProto) -> onnx.ModelProto:
        model = join(*parts)
        for tensor in model.graph.initializer:
            if tensor.name == "scale":
                wrong = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(wrong, "scale"))
        return model

    monkeypatch.setattr(model_module, "join", broken)
    args = ("--precision", precision, "--posters", str(collection.posters))
    done = export(checkpoint, tmp_path / "x.onnx", *args)
    assert done.exit_code == 3
    assert "not kept" in done.stderr
    assert os.listdir(tmp_path) == []


def test_an_unfinished_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    document = json.loads((tmp_path / "checkpoint.json").read_text("utf-8"))
    (tmp_path / "checkpoint.json").write_text(json.dumps(document | {"thresholds": {}}))
    done = export(tmp_path, tmp_path / "x.onnx")
    assert done.exit_code == 3
    assert "did not finish" in done.stderr


def test_not_a_number_is_a_mismatch() -> None:
    bad = np.full((4, 2), np.nan, np.float32)
    parity = difference.compare(np.zeros((4, 2), np.float32), bad, ["A", "B"], {"A": 0.5, "B": 0.5})
    with pytest.raises(difference.MismatchError):
        difference.refuse_mismatch(parity, "int8")


WRITTEN = ["x.onnx", "x.onnx.sha256", "x.report.json", "x.report.md"]


@pytest.mark.parametrize("name", WRITTEN)
def test_an_existing_file_is_refused(checkpoint: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    done = export(checkpoint, tmp_path / "x.onnx")
    assert done.exit_code == 2
    assert f"{name} exists" in done.stderr
    assert "--force" in done.stderr
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.slow
def test_force_replaces_existing_files(checkpoint: Path, tmp_path: Path) -> None:
    for name in WRITTEN:
        (tmp_path / name).write_text("mine")
    assert export(checkpoint, tmp_path / "x.onnx", "--force").exit_code == 0
    assert sorted(os.listdir(tmp_path)) == WRITTEN
    assert not [name for name in WRITTEN if (tmp_path / name).read_bytes() == b"mine"]


def test_other_folders_and_damaged_weights_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    done = export(tmp_path, tmp_path / "x.onnx")
    assert done.exit_code == 3
    assert "not a checkpoint" in done.stderr
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in checkpoint.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    data = bytearray((copy / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "weights.safetensors").write_bytes(data)
    done = export(copy, tmp_path / "x.onnx")
    assert done.exit_code == 3
    assert "not the file that checkpoint.json describes" in done.stderr


def test_posters_of_another_folder_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    done = export(checkpoint, tmp_path / "x.onnx", "--posters", str(tmp_path))
    assert done.exit_code == 3
    assert "Only 0 of the 24" in done.stderr
