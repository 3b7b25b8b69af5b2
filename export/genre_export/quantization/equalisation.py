"""Spreads the ranges of a network's channels evenly, so that eight bits serve each of them.

An activation has one scale for all its channels, so that a quiet channel beside a loud one is left
with a few levels. After a ReLU, dividing a channel by s where it is made and multiplying by s where
it is read changes no answer (Nagel et al., 2019, 'Data-Free Quantization Through Weight
Equalization and Bias Correction'). Every activation of a ResNet can be treated so: those inside a
block have one maker and one reader; the sums along the shortcuts share one s for a whole stage.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from genre_infer.posters import Pixels

from ..fold import Folded
from .activations import watch_inputs


@dataclass
class Activation:
    """What one scale per channel is for: the convolutions that write it and those that read it.
    pooled: whether the head reads it too, as the maximum and the mean of each channel."""

    writers: list[nn.Conv2d]
    readers: list[nn.Conv2d]
    pooled: bool = False


def equalise(network: Folded, posters: Pixels, strength: float) -> None:
    """Rescale the network's channels in place; its answers stay the same up to rounding.

    posters: uint8 [n, height, width, 3] at the input size; their activations give the ranges. A
    channel's range is the mean over the posters of its largest value. strength: 0 changes nothing;
    at 1 all channels have one range, and the readers' weights bear it all.
    """
    activations = list(_activations(network.body))
    ranges = _ranges(network, [a.readers for a in activations], posters)
    for activation, largest in zip(activations, ranges, strict=True):
        # A channel that never speaks keeps a thousandth: its scale must not be nothing.
        share = (largest / largest.max()).clamp(min=1e-3)
        scale = share**strength
        for conv in activation.writers:
            _divide_outputs(conv, scale)
        for conv in activation.readers:
            conv.weight.data *= scale.to(conv.weight.dtype)[None, :, None, None]
        if activation.pooled:
            network.hidden.weight.data *= torch.cat([scale, scale]).to(network.hidden.weight.dtype)


def _activations(body: nn.Sequential) -> Iterator[Activation]:
    stages = [list(stage) for stage in body if isinstance(stage, nn.Sequential)]
    into: list[nn.Conv2d] = [body[0]]
    for number, blocks in enumerate(stages):
        following = stages[number + 1][0] if number + 1 < len(stages) else None
        readers = [block.conv1 for block in blocks if block.downsample is None]
        if following is not None:
            readers += [following.conv1, following.downsample[0]]
        shortcut = [block.downsample[0] for block in blocks if block.downsample is not None]
        writers = (into if number == 0 else shortcut) + [block.conv2 for block in blocks]
        yield Activation(writers, readers, pooled=following is None)
        yield from (Activation([block.conv1], [block.conv2]) for block in blocks)


def _divide_outputs(conv: nn.Conv2d, scale: torch.Tensor) -> None:
    scale = scale.to(conv.weight.dtype)
    conv.weight.data /= scale[:, None, None, None]
    assert conv.bias is not None
    conv.bias.data /= scale


def _ranges(network: Folded, readers: list[list[nn.Conv2d]], posters: Pixels) -> list[torch.Tensor]:
    """For each group of convolutions the range of the channels that they read: float32 [channels]
    a group."""
    sums: dict[nn.Module, torch.Tensor] = {}

    def note(conv: nn.Conv2d, given: tuple[torch.Tensor, ...]) -> None:
        largest = given[0].amax((2, 3)).sum(0)
        sums[conv] = sums[conv] + largest if conv in sums else largest

    watch_inputs(network, [conv for group in readers for conv in group], posters, note)
    return [torch.stack([sums[conv] for conv in group]).amax(0) / len(posters) for group in readers]
