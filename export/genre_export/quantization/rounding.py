"""Rounds weights to their grid so that the sums come out right, not each weight by itself.

Weight after weight is rounded, and what its rounding changes in the layer's output is made up for
by the weights that are still free, as far as the inputs go together (Frantar et al., 2023, 'GPTQ:
Accurate Post-Training Quantization for Generative Pre-trained Transformers', algorithm 1, with the
weights of the strongest inputs first).
"""

import torch
from torch import nn
from torch.nn.functional import unfold

from genre_infer.posters import Pixels

from ..fold import Folded
from .activations import watch_inputs

LEVELS = 64  # of either sign: int8 within 7 bits
PLACES = 64  # positions looked at in each poster's activations
DAMPING = 0.01  # of the mean diagonal: keeps the inverse steady where few inputs were seen
NOTHING = 1e-12  # the step of a channel of nothing but zeros, which stays that
BLOCK = 128  # columns whose corrections are added up before the others feel them


def round_weights(network: Folded, posters: Pixels, seed: int = 0, *, skip: int = 0) -> None:
    """Put the weights of all convolutions but the first `skip` on the grid of int8 per channel
    within 7 bits, in place.

    posters: uint8 [n, height, width, 3] at the input size; what they put into each convolution
    tells which errors cancel; where that is less than the convolution has inputs, each weight is
    rounded to the nearest. A channel's largest weight stays what it is, so that a quantizer that
    takes the scale from it (largest / 64) finds every weight on its grid.
    """
    convolutions = [m for m in network.body.modules() if isinstance(m, nn.Conv2d)][skip:]
    products = _input_products(network, convolutions, posters, seed)
    for conv in convolutions:
        weights = conv.weight.data.flatten(1).double()
        scale = (weights.abs().amax(dim=1, keepdim=True) / LEVELS).clamp(min=NOTHING)
        inputs, seen = products.pop(conv)
        if seen < len(inputs):  # errors that cancel over so few would not do so elsewhere
            rounded = (weights / scale).round() * scale
        else:
            rounded = _rounded(weights, scale, inputs.double())
        conv.weight.data = rounded.view_as(conv.weight).to(conv.weight.dtype)


def _input_products(
    network: Folded, convolutions: list[nn.Conv2d], posters: Pixels, seed: int
) -> dict[nn.Conv2d, tuple[torch.Tensor, int]]:
    """For each convolution the products of its inputs with each other, summed over positions drawn
    at random: float32 [inputs, inputs], inputs = channels x kernel; and how many positions."""
    generator = torch.Generator().manual_seed(seed)
    sums: dict[nn.Conv2d, tuple[torch.Tensor, int]] = {}

    def add(conv: nn.Conv2d, given: tuple[torch.Tensor, ...]) -> None:
        columns = unfold(given[0], conv.kernel_size, conv.dilation, conv.padding, conv.stride)
        places = torch.randperm(columns.shape[2], generator=generator)[:PLACES]
        inputs = columns[:, :, places].transpose(0, 1).flatten(1)
        products, seen = sums.get(conv, (torch.zeros(len(inputs), len(inputs)), 0))
        sums[conv] = products + inputs @ inputs.T, seen + inputs.shape[1]

    watch_inputs(network, convolutions, posters, add)
    return sums


def _rounded(weights: torch.Tensor, scale: torch.Tensor, products: torch.Tensor) -> torch.Tensor:
    """weights: float64 [outputs, inputs]. scale: float64 [outputs, 1], the grid's step. products:
    float64 [inputs, inputs]."""
    place_of_largest = weights.abs().argmax(dim=1, keepdim=True)
    diagonal = products.diagonal()
    order = diagonal.argsort(descending=True, stable=True)
    damped = products + torch.eye(len(products), dtype=products.dtype) * (
        DAMPING * diagonal.mean() + 1e-12
    )
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped[order][:, order]))
    factor = torch.linalg.cholesky(inverse, upper=True)
    free, pinned = weights[:, order].clone(), order == place_of_largest
    result = torch.zeros_like(free)
    for start in range(0, free.shape[1], BLOCK):
        end = min(start + BLOCK, free.shape[1])
        errors = torch.zeros_like(free[:, start:end])
        for column in range(start, end):
            steps = (free[:, column : column + 1] / scale).round().clamp(-LEVELS, LEVELS)
            kept = (weights[:, order[column]] / scale[:, 0]).round()[:, None]
            steps = torch.where(pinned[:, column : column + 1], kept, steps)
            result[:, column] = (steps * scale)[:, 0]
            error = (free[:, column] - result[:, column]) / factor[column, column]
            free[:, column:end] -= error[:, None] * factor[column, column:end]
            errors[:, column - start] = error
        free[:, end:] -= errors @ factor[start:end, end:]
    return result[:, order.argsort()]
