"""The original network, and the plainest network with the same answers."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck

from genre_train.checkpoint import Checkpoint, CheckpointError

BLOCKS = (BasicBlock, Bottleneck)
"""The residual blocks of torchvision's ResNets."""


class Original(nn.Module):
    """The stored network with its calibration in PyTorch, which every export is compared with.

    uint8 [N, height, width, 3] at the input size -> float32 probabilities [N, genres].
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.network
        for name in ("mean", "std"):
            values = torch.tensor(checkpoint.document["input"][name]).view(1, 3, 1, 1)
            self.register_buffer(name, values)
        self.register_buffer("slope_intercept", _calibration(checkpoint).float())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        batch = (image.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        slope, intercept = self.slope_intercept
        return (self.network(batch) * slope + intercept).sigmoid()


class Folded(nn.Module):
    """The same function with every batch norm and the calibration folded into the layer beside it.

    Folding is done in float64. Only convolutions, additions, pools and two linear layers are left.

    float32 [N, 3, height, width] in levels of 0 to 255 -> float32 probabilities [N, genres].

    Args:
        checkpoint: The checkpoint.
        half: Whether everything between normalisation and sigmoid computes in float16.

    Attributes:
        body: All convolutions: normalised pictures -> features [N, channels, height, width].
        hidden: The head's first linear layer.
        output: The head's second linear layer.
    """

    def __init__(self, checkpoint: Checkpoint, *, half: bool = False) -> None:
        super().__init__()
        values = checkpoint.document["input"]
        mean = torch.tensor(values["mean"], dtype=torch.float64).view(1, 3, 1, 1)
        std = torch.tensor(values["std"], dtype=torch.float64).view(1, 3, 1, 1)
        self.register_buffer("shift", (mean * 255).float())
        self.register_buffer("scale", (1 / (std * 255)).float())
        network = copy.deepcopy(checkpoint.network).double().eval()
        self.body = _fold_body(network[0])
        self.hidden, self.output = _fold_head(network[1], _calibration(checkpoint))
        self.dtype = torch.float16 if half else torch.float32
        for part in (self.body, self.hidden, self.output):
            part.to(self.dtype)
        self.eval()

    def forward(self, levels: torch.Tensor) -> torch.Tensor:
        """See the class."""
        features = self.body(((levels - self.shift) * self.scale).to(self.dtype))
        # fastai's AdaptiveConcatPool2d: the maximum first, then the mean.
        pooled = torch.cat([features.amax((2, 3)), features.mean((2, 3))], dim=1)
        return self.output(self.hidden(pooled).relu()).float().sigmoid()


def _calibration(checkpoint: Checkpoint) -> torch.Tensor:
    """Return slope and intercept of each genre's logit, float64 [2, genres]."""
    return torch.from_numpy(np.stack(checkpoint.calibration()))


def _fold_body(body: nn.Sequential) -> nn.Sequential:
    body[0], body[1] = fuse_conv_bn_eval(body[0], body[1]), nn.Identity()
    for block in (module for module in body.modules() if isinstance(module, BLOCKS)):
        for number, conv in enumerate(block_convolutions(block), 1):
            norm = getattr(block, f"bn{number}")
            setattr(block, f"conv{number}", fuse_conv_bn_eval(conv, norm))
            setattr(block, f"bn{number}", nn.Identity())
        if block.downsample is not None:
            conv, norm = block.downsample
            block.downsample = nn.Sequential(fuse_conv_bn_eval(conv, norm))
    return body


def block_convolutions(block: nn.Module) -> list[nn.Conv2d]:
    """Return a residual block's convolutions in order, without the one on its shortcut."""
    names = ["conv1", "conv2"] + ["conv3"] * isinstance(block, Bottleneck)
    return [getattr(block, name) for name in names]


def _fold_head(head: nn.Sequential, calibration: torch.Tensor) -> tuple[nn.Linear, nn.Linear]:
    norms = [m for m in head if isinstance(m, nn.BatchNorm1d)]
    linears = [m for m in head if isinstance(m, nn.Linear)]
    if len(norms) != 2 or len(linears) != 2:
        raise CheckpointError("The checkpoint's head is not the one that genre-train fit makes.")
    hidden, output = (_fold_norm(n, m) for n, m in zip(norms, linears, strict=True))
    slope, intercept = calibration
    output.weight.data *= slope[:, None]
    output.bias.data = output.bias.data * slope + intercept
    return hidden, output


def _fold_norm(norm: nn.BatchNorm1d, linear: nn.Linear) -> nn.Linear:
    """Return linear(norm(x)) as one linear layer."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    folded = nn.Linear(linear.in_features, linear.out_features, dtype=torch.float64)
    folded.weight.data = linear.weight.data * scale.data
    bias = 0 if linear.bias is None else linear.bias.data
    folded.bias.data = linear.weight.data @ shift.data + bias
    return folded
