"""Equalisation: evens out the ranges of a network's channels, so that eight bits serve them all.

An activation has one scale for all its channels, which leaves a quiet channel beside a loud one
only a few levels. After a ReLU, dividing a channel by s where it is written and multiplying by s
where it is read changes no answer (Nagel et al., 2019, 'Data-Free Quantization Through Weight
Equalization and Bias Correction'). This works for every activation of a ResNet: those inside a
block have one writer and one reader; the sums along the shortcuts share one s from one convolution
on a shortcut to the next.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from genre_infer.posters import Pixels

from ..fold import BLOCKS, Folded, block_convolutions
from .activations import watch_inputs


@dataclass
class Activation:
    """One or more tensors whose channels share their scales.

    Attributes:
        writers: The convolutions that write them.
        readers: The convolutions that read them.
        pooled: Whether the head reads them too, as the maximum and the mean of each channel.
    """

    writers: list[nn.Conv2d]
    readers: list[nn.Conv2d]
    pooled: bool = False


def equalise(network: Folded, posters: Pixels, strength: float) -> None:
    """Rescale the network's channels in place; its answers stay the same up to rounding.

    A channel's range is the mean over the posters of its largest value.

    Args:
        network: The network.
        posters: uint8 [n, height, width, 3] at the input size; their activations give the ranges.
        strength: From 0, which changes nothing, to 1, which gives all channels of an activation the
            same range and moves all differences into the readers' weights.
    """
    activations = _activations(network.body)
    ranges = _ranges(network, [a.readers for a in activations], posters)
    for activation, largest in zip(activations, ranges, strict=True):
        # A channel that is always 0 still needs a scale above 0.
        share = (largest / largest.max()).clamp(min=1e-3)
        scale = share**strength
        for conv in activation.writers:
            _divide_outputs(conv, scale)
        for conv in activation.readers:
            conv.weight.data *= scale.to(conv.weight.dtype)[None, :, None, None]
        if activation.pooled:
            network.hidden.weight.data *= torch.cat([scale, scale]).to(network.hidden.weight.dtype)


def _activations(body: nn.Sequential) -> list[Activation]:
    """Return the activations of a ResNet's body, those along the shortcuts first.

    The order matters to the last bit: a convolution's weights are scaled once for its input and
    once for its output, and each time they are rounded.
    """
    shared = [Activation([body[0]], [])]
    inner = []
    for block in (module for module in body.modules() if isinstance(module, BLOCKS)):
        first, *_, last = convolutions = block_convolutions(block)
        shared[-1].readers.append(first)
        if block.downsample is not None:
            shared[-1].readers.append(block.downsample[0])
            shared.append(Activation([block.downsample[0]], []))
        shared[-1].writers.append(last)
        inner += [Activation([writer], [reader]) for writer, reader in pairwise(convolutions)]
    shared[-1].pooled = True
    return shared + inner


def _divide_outputs(conv: nn.Conv2d, scale: torch.Tensor) -> None:
    scale = scale.to(conv.weight.dtype)
    conv.weight.data /= scale[:, None, None, None]
    assert conv.bias is not None
    conv.bias.data /= scale


def _ranges(network: Folded, readers: list[list[nn.Conv2d]], posters: Pixels) -> list[torch.Tensor]:
    """Return the ranges of the channels that each group reads, float32 [channels] a group."""
    sums: dict[nn.Module, torch.Tensor] = {}

    def note(conv: nn.Conv2d, given: tuple[torch.Tensor, ...]) -> None:
        largest = given[0].amax((2, 3)).sum(0)
        sums[conv] = sums[conv] + largest if conv in sums else largest

    watch_inputs(network, [conv for group in readers for conv in group], posters, note)
    return [torch.stack([sums[conv] for conv in group]).amax(0) / len(posters) for group in readers]
