"""The inputs of a network's convolutions while posters go through it."""

from collections.abc import Callable, Iterable

import torch
from torch import nn

from genre_infer.posters import Pixels

from ..fold import Folded
from .qdq import as_levels

Note = Callable[[nn.Conv2d, tuple[torch.Tensor, ...]], None]


@torch.inference_mode()
def watch_inputs(
    network: Folded,
    convolutions: Iterable[nn.Conv2d],
    posters: Pixels,
    note: Note,
    batch_size: int = 16,
) -> None:
    """Run posters through a network and report what its convolutions read.

    Args:
        network: The network.
        convolutions: The convolutions to watch.
        posters: uint8 [n, height, width, 3] at the input size.
        note: Called for each batch and convolution with the convolution and a tuple of its input,
            float32 [n, channels, height, width].
        batch_size: Posters in a batch.
    """
    hooks = [conv.register_forward_pre_hook(note) for conv in convolutions]
    try:
        for start in range(0, len(posters), batch_size):
            network(torch.from_numpy(as_levels(posters[start : start + batch_size])))
    finally:
        for hook in hooks:
            hook.remove()
