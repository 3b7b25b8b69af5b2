"""Every architecture that genre-train fits is exported; others are refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from genre_export.cli import main
from genre_export.compared import drawn_posters
from genre_export.difference import engine_probabilities, original_probabilities
from genre_export.fold import Folded, Original
from genre_export.graph import network_graph
from genre_export.model import make_model
from genre_export.quantization.equalisation import equalise
from genre_export.quantization.qdq import Settings, as_levels
from genre_export.report import open_on
from genre_infer import Classifier
from genre_infer.limits import Limits
from genre_infer.posters import poster_pixels
from genre_train.checkpoint import Checkpoint, read_checkpoint

ARCHITECTURES = ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)]
POSTERS = drawn_posters(6, 64, 96, seed=8)
PUBLISHED = Path(__file__).parents[2] / "train" / "checkpoint"

Untrained = Callable[[str], Checkpoint]


@torch.inference_mode()
def folded_probabilities(network: Folded, posters: np.ndarray) -> np.ndarray:
    answer: np.ndarray = network(torch.from_numpy(as_levels(posters))).numpy()
    return answer


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_folded_it_answers_the_same(untrained: Untrained, architecture: str) -> None:
    checkpoint = untrained(architecture)
    network = Folded(checkpoint)
    assert not [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    given = folded_probabilities(network, POSTERS)
    assert np.abs(given - original_probabilities(checkpoint, POSTERS)).max() < 1e-4
    assert given.std(axis=0).max() > 1e-3  # the answers differ from poster to poster


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equalised_it_answers_the_same(untrained: Untrained, architecture: str) -> None:
    network = Folded(untrained(architecture))
    expected = folded_probabilities(network, POSTERS)
    weights = [conv.detach().clone() for conv in network.body.parameters()]
    equalise(network, drawn_posters(4, 64, 96, seed=9), strength=1.0)
    assert np.abs(folded_probabilities(network, POSTERS) - expected).max() < 1e-4
    changed = [not torch.equal(a, b) for a, b in zip(network.body.parameters(), weights,
                                                     strict=True)]  # fmt: skip
    assert all(changed)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_its_graph_answers_as_pytorch_does(untrained: Untrained, architecture: str) -> None:
    checkpoint = untrained(architecture)
    graph = network_graph(Folded(checkpoint), checkpoint.size).SerializeToString()
    (given,) = onnxruntime.InferenceSession(graph).run(None, {"levels": as_levels(POSTERS)})
    assert np.abs(given - original_probabilities(checkpoint, POSTERS)).max() < 1e-4


@pytest.mark.slow
def test_int8_of_the_smallest(untrained: Untrained, collection: Any) -> None:
    checkpoint = untrained("resnet18")
    model = make_model(checkpoint, "int8", collection.posters, Settings(posters=16))
    engine = open_on("cpu", model.data, checkpoint.size)
    given = engine_probabilities(engine, POSTERS)
    assert np.abs(given - original_probabilities(checkpoint, POSTERS)).mean() < 0.06


def test_an_unknown_one_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    document = json.loads((tmp_path / "checkpoint.json").read_text("utf-8"))
    document["architecture"] = "vgg16, fastai head"
    (tmp_path / "checkpoint.json").write_text(json.dumps(document))
    done = CliRunner().invoke(main, [str(tmp_path), "-o", str(tmp_path / "x.onnx")])
    assert done.exit_code == 3
    assert "'vgg16'" in done.stderr


@pytest.mark.slow
def test_the_published_checkpoint_and_the_packaged_model_agree(samples: list[Path]) -> None:
    """The real ones: the folded checkpoint answers as PyTorch does, and nearly as the int8 file."""
    checkpoint = read_checkpoint(PUBLISHED)
    kept = [path for path in samples if path.suffix in (".jpg", ".png")]
    posters = np.stack([poster_pixels(path, *checkpoint.size, Limits()) for path in kept])
    given = folded_probabilities(Folded(checkpoint), posters)
    with torch.inference_mode():
        expected = Original(checkpoint)(torch.from_numpy(posters)).numpy()
    assert np.abs(given - expected).max() < 1e-4
    with Classifier(device="cpu") as packaged:
        assert list(packaged.genres) == checkpoint.genres
        assert np.abs(packaged.predict(posters) - expected).max() < 0.15
