"""Where a network's weights start: torchvision's in a safetensors file, or a checkpoint folder."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from .checkpoint import ARCHITECTURES, CheckpointError, read_checkpoint

DOWNLOADED, UNTRAINED = "imagenet", "none"


def check_weights(weights: str, architecture: str) -> None:
    """Check what --weights names before the posters are read.

    Args:
        weights: 'imagenet', 'none', a safetensors file or a checkpoint folder.
        architecture: One of ARCHITECTURES.

    Raises:
        CheckpointError: It does not exist, or holds another architecture.
    """
    if weights in (DOWNLOADED, UNTRAINED):
        return
    path = Path(weights)
    if path.is_dir():
        found = read_checkpoint(path).architecture
        if found != architecture:
            raise CheckpointError(f"{path} is a {found}; give --architecture {found}.")
    elif path.is_file():
        check_backbone(path, architecture)
    else:
        raise CheckpointError(
            f"--weights: {weights} does not exist; give a safetensors file, a checkpoint folder, "
            f"{DOWNLOADED} or {UNTRAINED}."
        )


def load_weights(
    network: nn.Sequential, architecture: str, weights: str, genres: list[str]
) -> None:
    """Fill a network from what --weights names. 'imagenet' and 'none' are left to new_network().

    Args:
        network: What new_network() made.
        architecture: Its name, one of ARCHITECTURES.
        weights: 'imagenet', 'none', a safetensors file or a checkpoint folder. A checkpoint of the
            same genres gives its head too.
        genres: The network's genres, in the order of its outputs.

    Raises:
        CheckpointError: The file or the folder does not hold this architecture.
    """
    if weights in (DOWNLOADED, UNTRAINED):
        return
    if not Path(weights).is_dir():
        load_body(network, architecture, Path(weights))
        return
    start = read_checkpoint(Path(weights))
    part = slice(None) if start.genres == genres else slice(1)
    network[part].load_state_dict(start.network[part].state_dict())


def check_backbone(weights: Path, architecture: str) -> None:
    """Check that a safetensors file holds an architecture, by the names and shapes in its header.

    Raises:
        CheckpointError: It does not; the message names a tensor that differs.
    """
    with torch.device("meta"):  # shapes without memory
        network = ARCHITECTURES[architecture](weights=None)
    expected = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    try:
        with safe_open(weights, "pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{weights} is not a safetensors file: {error}") from None
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise CheckpointError(
                f"{weights} does not hold torchvision's {architecture}: {name} has the shape "
                f"{found.get(name, 'none')} there, not {expected.get(name, 'none')}. Give another "
                "file to --weights, or the file's own --architecture."
            )


def load_body(network: nn.Sequential, architecture: str, weights: Path) -> None:
    """Fill the body from a safetensors file with torchvision's names.

    Args:
        network: What new_network made.
        architecture: Its name, one of ARCHITECTURES.
        weights: The file.

    Raises:
        CheckpointError: The file does not hold this architecture.
    """
    check_backbone(weights, architecture)
    backbone = ARCHITECTURES[architecture](weights=None)
    backbone.load_state_dict(load_file(weights))  # copies into float32, whatever is stored
    body = nn.Sequential(*list(backbone.children())[:-2])  # without average pooling and classifier
    network[0].load_state_dict(body.state_dict(), strict=True)
