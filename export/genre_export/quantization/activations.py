"""What a network's convolutions are given, while posters go through it."""

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
    """Run posters, uint8 [n, height, width, 3] at the input size, through the network; note is
    called for each batch with each convolution and its input, float32 [n, channels, height, width]
    in a tuple of one."""
    hooks = [conv.register_forward_pre_hook(note) for conv in convolutions]
    try:
        for start in range(0, len(posters), batch_size):
            network(torch.from_numpy(as_levels(posters[start : start + batch_size])))
    finally:
        for hook in hooks:
            hook.remove()
