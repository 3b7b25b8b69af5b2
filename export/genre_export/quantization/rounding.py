"""Rounding: puts weights on their grid so that a layer's outputs change least.

Weights are rounded one after the other, and those not yet rounded are changed to cancel the error
in the layer's output as far as their inputs are correlated (Frantar et al., 2023, 'GPTQ: Accurate
Post-Training Quantization for Generative Pre-trained Transformers', algorithm 1, with the weights
of the strongest inputs first).
"""

import torch
from torch import nn
from torch.nn.functional import unfold

from genre_infer.posters import Pixels

from ..fold import Folded
from .activations import watch_inputs

LEVELS = 64  # on either side of 0: int8 within 7 bits
PLACES = 64  # positions sampled from each poster's activations
DAMPING = 0.01  # share of the mean diagonal: keeps the inverse stable if few inputs were seen
LEAST_STEP = 1e-12  # for channels whose weights are all 0, which stay 0
BLOCK = 128  # columns whose corrections are added up before they reach the other columns


def round_weights(network: Folded, posters: Pixels, seed: int = 0, *, skip: int = 0) -> None:
    """Put the weights of convolutions on the grid of int8 per channel within 7 bits, in place.

    A channel's largest weight stays as it is, so that a quantizer that derives the scale from it
    (largest / 64) finds every weight on its grid.

    Args:
        network: The network.
        posters: uint8 [n, height, width, 3] at the input size. The inputs of each convolution over
            them tell which errors cancel. Where fewer inputs were seen than the convolution has,
            each weight is rounded to the nearest.
        seed: Chooses the positions that are sampled.
        skip: How many of the first convolutions are left as they are.
    """
    convolutions = [m for m in network.body.modules() if isinstance(m, nn.Conv2d)][skip:]
    products = _input_products(network, convolutions, posters, seed)
    for conv in convolutions:
        weights = conv.weight.data.flatten(1).double()
        scale = (weights.abs().amax(dim=1, keepdim=True) / LEVELS).clamp(min=LEAST_STEP)
        if conv in products:
            rounded = _rounded(weights, scale, products.pop(conv).double())
        else:
            rounded = (weights / scale).round() * scale
        conv.weight.data = rounded.view_as(conv.weight).to(conv.weight.dtype)


def _input_products(
    network: Folded, convolutions: list[nn.Conv2d], posters: Pixels, seed: int
) -> dict[nn.Conv2d, torch.Tensor]:
    """Sum the products of each convolution's inputs with each other over random positions.

    Returns:
        The sums, float32 [inputs, inputs] with inputs = channels x kernel, for each convolution
        that has no more inputs than positions were sampled: errors that cancel over fewer positions
        need not cancel elsewhere.
    """
    generator = torch.Generator().manual_seed(seed)
    sums: dict[nn.Conv2d, torch.Tensor] = {}

    def add(conv: nn.Conv2d, given: tuple[torch.Tensor, ...]) -> None:
        columns = unfold(given[0], conv.kernel_size, conv.dilation, conv.padding, conv.stride)
        places = torch.randperm(columns.shape[2], generator=generator)[:PLACES]
        inputs = columns[:, :, places].transpose(0, 1).flatten(1)
        if len(places) * len(posters) < len(inputs):
            return
        if conv not in sums:
            sums[conv] = torch.zeros(len(inputs), len(inputs))
        sums[conv] += inputs @ inputs.T

    watch_inputs(network, convolutions, posters, add)
    return sums


def _rounded(weights: torch.Tensor, scale: torch.Tensor, products: torch.Tensor) -> torch.Tensor:
    """Round the weights of one convolution.

    Args:
        weights: float64 [outputs, inputs].
        scale: The step of each output's grid, float64 [outputs, 1].
        products: See _input_products, float64 [inputs, inputs].

    Returns:
        The rounded weights, float64 [outputs, inputs].
    """
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
