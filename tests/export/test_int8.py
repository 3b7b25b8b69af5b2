"""The steps of int8: each keeps its promise by itself."""

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from genre_export.compared import drawn_posters
from genre_export.fold import Folded
from genre_export.graph import network_graph
from genre_export.quantization.bias import correct_biases
from genre_export.quantization.equalisation import equalise
from genre_export.quantization.qdq import Settings, as_levels, quantize
from genre_export.quantization.rounding import LEVELS, round_weights
from genre_train.checkpoint import Checkpoint

POSTERS = drawn_posters(24, 64, 96, seed=3)
OTHERS = drawn_posters(24, 64, 96, seed=4)


@pytest.fixture
def network(stored: Checkpoint) -> Folded:
    return uneven(stored)


def uneven(stored: Checkpoint) -> Folded:
    """The tests' checkpoint, some of its channels a hundred times as loud as their neighbours."""
    folded = Folded(stored)
    generator = torch.Generator().manual_seed(0)
    for conv in convolutions(folded):
        loud = 10 ** (2 * torch.rand(len(conv.weight), generator=generator))
        conv.weight.data *= (loud / loud.mean())[:, None, None, None]
        assert conv.bias is not None
        conv.bias.data += 0.01 * torch.randn(len(conv.bias), generator=generator)
    return folded


def convolutions(network: Folded) -> list[nn.Conv2d]:
    return [m for m in network.body.modules() if isinstance(m, nn.Conv2d)]


@torch.inference_mode()
def inside(network: Folded, posters: np.ndarray) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The inputs of all convolutions but the first, and the probabilities."""
    seen: list[torch.Tensor] = []
    handles = [
        conv.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        for conv in convolutions(network)[1:]
    ]
    probabilities = network(torch.from_numpy(as_levels(posters)))
    for handle in handles:
        handle.remove()
    return seen, probabilities


def unevenness(activation: torch.Tensor) -> float:
    """How much louder the loudest channel is than the median one, silent ones left out."""
    largest = activation.amax((0, 2, 3))
    largest = largest[largest > 0]
    return float(largest.max() / largest.median())


def test_equalising_evens_the_channels_and_changes_no_answer(network: Folded) -> None:
    # The logits of so loud a network are huge, which leaves float32 few digits after the point.
    network.output.register_forward_hook(lambda *given: given[2] / given[2].abs().amax())
    before, expected = inside(network, OTHERS)
    equalise(network, POSTERS, strength=1.0)
    after, given = inside(network, OTHERS)
    assert torch.allclose(given, expected, atol=1e-5)
    assert given.std() > 0
    uneven = [np.median([unevenness(a) for a in each]) for each in (before, after)]
    assert uneven[1] < 0.7 * uneven[0]


# Rounding together takes more inputs than a convolution has: over few posters only the first one's
# weights are rounded so, and the others to the nearest.
@pytest.mark.parametrize("posters", [4, pytest.param(24, marks=pytest.mark.slow)])
def test_rounded_weights_are_on_the_grid_that_a_quantizer_finds(
    network: Folded, posters: int
) -> None:
    largest = [conv.weight.data.abs().amax((1, 2, 3)).clone() for conv in convolutions(network)]
    round_weights(network, POSTERS[:posters])
    for conv, before in zip(convolutions(network), largest, strict=True):
        after = conv.weight.data.abs().amax((1, 2, 3))
        assert torch.allclose(after, before, rtol=1e-6)
        steps = conv.weight.data / (after / LEVELS)[:, None, None, None]
        assert (steps - steps.round()).abs().max() < 1e-3


def test_what_stays_in_float_is_not_rounded(network: Folded) -> None:
    before = [conv.weight.data.clone() for conv in convolutions(network)]
    round_weights(network, POSTERS[:4], skip=2)
    changed = [not torch.equal(c.weight.data, b) for c, b in zip(convolutions(network), before,
                                                                 strict=True)]  # fmt: skip
    assert changed == [False] * 2 + [True] * (len(convolutions(network)) - 2)


@pytest.mark.slow
def test_rounding_together_is_closer_than_rounding_to_the_nearest(network: Folded) -> None:
    nearest, together = copy.deepcopy(network), copy.deepcopy(network)
    for conv in convolutions(nearest):
        scale = conv.weight.data.abs().amax((1, 2, 3), keepdim=True) / LEVELS
        conv.weight.data = (conv.weight.data / scale).round() * scale
    round_weights(together, POSTERS)
    exact = last_features(network)
    errors = [((last_features(n) - exact) ** 2).mean() for n in (nearest, together)]
    assert 0 < errors[1] < 0.8 * errors[0]


@torch.inference_mode()
def last_features(network: Folded) -> torch.Tensor:
    levels = torch.from_numpy(as_levels(OTHERS))
    return network.body((levels - network.shift) * network.scale)


@pytest.fixture(scope="module")
def graph(stored: Checkpoint) -> onnx.ModelProto:
    return network_graph(uneven(stored), (64, 96))


@pytest.mark.slow
def test_corrected_biases_bring_the_means_back(graph: onnx.ModelProto) -> None:
    # Min-max over one kind of posters, then looked at with others: the means are off.
    quantized = quantize(graph, OTHERS[:2], Settings(method="minmax"))
    before = copy.deepcopy(quantized)
    correct_biases(quantized, graph, POSTERS)
    exact, off, corrected = (last_means(m, graph) for m in (graph, before, quantized))
    assert np.abs(corrected - exact).mean() < np.abs(off - exact).mean() / 2
    changed = [t.name for t, u in zip(quantized.graph.initializer, before.graph.initializer,
                                      strict=True) if t != u]  # fmt: skip
    assert changed
    assert all("bias" in name for name in changed)


def last_means(model: onnx.ModelProto, names: onnx.ModelProto) -> np.ndarray:
    """The mean over POSTERS of each channel of the last convolution's output."""
    last = [n for n in names.graph.node if n.op_type == "Conv"][-1].name
    probe = copy.deepcopy(model)
    output = next(n for n in probe.graph.node if n.name == last).output[0]
    probe.graph.output.append(onnx.helper.make_tensor_value_info(output, 1, None))
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    given = session.run([output], {"levels": as_levels(POSTERS)})[0]
    return np.asarray(given).mean((0, 2, 3))


@pytest.mark.slow
def test_the_first_convolutions_can_stay_in_float(graph: onnx.ModelProto, network: Folded) -> None:
    quantized = quantize(graph, POSTERS[:2], Settings(method="minmax", float_convolutions=2))
    weights = {t.name: numpy_helper.to_array(t) for t in quantized.graph.initializer}
    producers = {output: node for node in quantized.graph.node for output in node.output}
    kinds = [
        weights[node.input[1]].dtype
        if node.input[1] in weights
        else weights[producers[node.input[1]].input[0]].dtype
        for node in quantized.graph.node
        if node.op_type == "Conv"
    ]
    assert kinds == [np.float32] * 2 + [np.int8] * (len(convolutions(network)) - 2)
