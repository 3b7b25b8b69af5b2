"""Reads a checkpoint folder and folds it into the plainest network with the same answers."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from fastai.vision.learner import create_vision_model
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import resnet34
from torchvision.models.resnet import BasicBlock

from genre_infer.errors import GenreInferError

FORMAT = 1  # of checkpoint.json


class CheckpointError(GenreInferError):
    """The checkpoint cannot be used; the message names it and the mend."""


@dataclass
class Checkpoint:
    """document: checkpoint.json. sha256: of the weights. network: normalised float32
    [N, 3, h, w] -> logits [N, genres], float16 weights widened to float32, in evaluation mode."""

    document: dict[str, Any]
    sha256: str
    network: nn.Sequential
    folder: Path

    @property
    def genres(self) -> list[str]:
        """The genres in the order of the output."""
        return list(self.document["genres"])

    @property
    def size(self) -> tuple[int, int]:
        """The input's width and height in pixels."""
        return self.document["input"]["width"], self.document["input"]["height"]

    def calibration(self) -> torch.Tensor:
        """float64 [2, genres]: slope and intercept of each genre's logit."""
        fitted = self.document.get("calibration") or {}
        pairs = [fitted.get(genre, (1.0, 0.0)) for genre in self.genres]
        return torch.tensor(pairs, dtype=torch.float64).T


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read weights and document. Raises CheckpointError."""
    try:
        document = json.loads((folder / "checkpoint.json").read_text("utf-8"))
        weights = folder / document["weights"]["file"]
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder} is not a checkpoint written by genre-train fit: {error}"
        ) from None
    if document.get("format") != FORMAT:
        raise CheckpointError(
            f"{folder} has checkpoint format {document.get('format')!r}; this version reads "
            f"format {FORMAT}."
        )
    if sha256 != document["weights"]["sha256"]:
        raise CheckpointError(f"{weights} is not the file that checkpoint.json describes.")
    if document["labels"] != "all":
        raise CheckpointError(
            f"{folder} is a first-genre classifier (genre-train fit --labels first); only "
            "multi-label checkpoints can be exported."
        )
    if "balanced" not in document["thresholds"]:
        raise CheckpointError(f"{folder} has no thresholds: its training run was not finished.")
    network = create_vision_model(resnet34, len(document["genres"]), pretrained=False)
    state = load_file(weights)
    network.load_state_dict(
        {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    )
    return Checkpoint(document, sha256, network.eval(), folder)


class Original(nn.Module):
    """The stored network with its calibration, as PyTorch computes it: the measure of every export.

    uint8 [N, height, width, 3] at the input size -> float32 probabilities [N, genres].
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.network
        for name in ("mean", "std"):
            values = torch.tensor(checkpoint.document["input"][name]).view(1, 3, 1, 1)
            self.register_buffer(name, values)
        self.register_buffer("slope_intercept", checkpoint.calibration().float())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        batch = (image.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        slope, intercept = self.slope_intercept
        return (self.network(batch) * slope + intercept).sigmoid()


class Folded(nn.Module):
    """The same function with every batch norm and the calibration folded into the layer beside it
    (in float64), so that only convolutions, additions, pools and two linear layers are left.

    float32 [N, 3, height, width] in levels of 0 to 255 -> float32 probabilities [N, genres].
    half: all between normalisation and sigmoid in float16.
    """

    def __init__(self, checkpoint: Checkpoint, *, half: bool = False) -> None:
        super().__init__()
        values = checkpoint.document["input"]
        mean = torch.tensor(values["mean"], dtype=torch.float64).view(1, 3, 1, 1)
        std = torch.tensor(values["std"], dtype=torch.float64).view(1, 3, 1, 1)
        self.register_buffer("shift", (mean * 255).float())
        self.register_buffer("scale", (1 / (std * 255)).float())
        network = _copy_in_float64(checkpoint)
        self.body = _fold_body(network[0])
        self.hidden, self.output = _fold_head(network[1], checkpoint.calibration())
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


def _copy_in_float64(checkpoint: Checkpoint) -> nn.Sequential:
    network = create_vision_model(resnet34, len(checkpoint.genres), pretrained=False)
    network.load_state_dict(checkpoint.network.state_dict())
    return network.double().eval()


def _fold_body(body: nn.Sequential) -> nn.Sequential:
    body[0], body[1] = fuse_conv_bn_eval(body[0], body[1]), nn.Identity()
    for block in (m for m in body.modules() if isinstance(m, BasicBlock)):
        block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
        block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
        if block.downsample is not None:
            conv, norm = block.downsample
            block.downsample = nn.Sequential(fuse_conv_bn_eval(conv, norm))
    return body


def _fold_head(head: nn.Sequential, calibration: torch.Tensor) -> tuple[nn.Linear, nn.Linear]:
    norms = [m for m in head if isinstance(m, nn.BatchNorm1d)]
    linears = [m for m in head if isinstance(m, nn.Linear)]
    if len(norms) != 2 or len(linears) != 2:
        raise CheckpointError("The checkpoint's head is not the one that genre-train makes.")
    hidden, output = (_fold_norm(n, m) for n, m in zip(norms, linears, strict=True))
    slope, intercept = calibration
    output.weight.data *= slope[:, None]
    output.bias.data = output.bias.data * slope + intercept
    return hidden, output


def _fold_norm(norm: nn.BatchNorm1d, linear: nn.Linear) -> nn.Linear:
    """linear(norm(x)) as one linear layer."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    folded = nn.Linear(linear.in_features, linear.out_features, dtype=torch.float64)
    folded.weight.data = linear.weight.data * scale.data
    bias = 0 if linear.bias is None else linear.bias.data
    folded.bias.data = linear.weight.data @ shift.data + bias
    return folded
