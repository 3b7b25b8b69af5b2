"""The checkpoint: a folder with weights.safetensors and checkpoint.json, and no pickle."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.vision.learner import create_vision_model
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn
from torchvision.models import resnet34

from genre_infer.errors import GenreInferError
from genre_infer.files import write_whole

FORMAT = 1
WEIGHTS = "weights.safetensors"
DOCUMENT = "checkpoint.json"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as everywhere


class CheckpointError(GenreInferError):
    """The checkpoint, or a file of weights, cannot be used; the message names it and the mend."""


def new_network(outputs: int) -> nn.Sequential:
    """fastai's vision model over ResNet-34: normalised float [N, 3, h, w] -> logits [N, outputs].

    [0] is the body, [1] the head (concatenated average and max pooling, two linear layers).
    """
    return create_vision_model(resnet34, outputs, pretrained=False)


def load_body(network: nn.Sequential, weights: Path) -> None:
    """Fill the body from a safetensors file with torchvision's names for resnet34."""
    backbone = resnet34(weights=None)
    try:
        state = {name: tensor.float() for name, tensor in load_file(weights).items()}
        state = {
            name: tensor.long() if name.endswith("num_batches_tracked") else tensor
            for name, tensor in state.items()
        }
        backbone.load_state_dict(state, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"{weights.name} is not a safetensors file with torchvision's resnet34: {error}"
        ) from None
    body = nn.Sequential(*list(backbone.children())[:-2])  # without average pooling and classifier
    network[0].load_state_dict(body.state_dict(), strict=True)


def save_weights(folder: Path, network: nn.Module) -> None:
    """Write a network's weights: matrices in float16, batch norm in float32.

    A document of earlier weights is removed, so that it never describes weights that are not there.
    """
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor)
        .detach()
        .cpu()
        .contiguous()
        for name, tensor in network.state_dict().items()
    }
    (folder / DOCUMENT).unlink(missing_ok=True)
    write_whole(folder / WEIGHTS, save(tensors))  # save_file would keep it from other users


def save_document(folder: Path, document: dict[str, Any]) -> None:
    """Write the JSON document with its format and the weights' hash: the last step of a run, after
    which the checkpoint is complete."""
    document = {
        "format": FORMAT,
        **document,
        "weights": {"file": WEIGHTS, "sha256": file_sha256(folder / WEIGHTS)},
    }
    write_json(folder / DOCUMENT, document)


def load_checkpoint(folder: Path) -> tuple[nn.Sequential, dict[str, Any]]:
    """The stored network in float32, for evaluation, and its document. Raises CheckpointError."""
    document = read_document(folder)
    weights = folder / WEIGHTS
    if not weights.is_file() or file_sha256(weights) != document["weights"]["sha256"]:
        raise CheckpointError(f"{weights} is missing or not the file that {DOCUMENT} describes.")
    return load_network(folder, len(document["genres"])), document


def load_network(folder: Path, outputs: int) -> nn.Sequential:
    """The stored network in float32, for evaluation, whether there is a document yet or not."""
    network = new_network(outputs)
    state = load_file(folder / WEIGHTS)
    network.load_state_dict(
        {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    )
    return network.eval()


def read_document(folder: Path) -> dict[str, Any]:
    """The JSON document of a checkpoint. Raises CheckpointError."""
    try:
        document: dict[str, Any] = json.loads((folder / DOCUMENT).read_text("utf-8"))
    except OSError:
        raise CheckpointError(
            f"{folder} is no checkpoint: it has no {DOCUMENT}. (A run writes it at its end; "
            "genre-train fit --resume ends a run that was stopped.)"
        ) from None
    except ValueError as error:
        raise CheckpointError(f"{folder / DOCUMENT} is not JSON: {error}") from None
    if document.get("format") != FORMAT:
        raise CheckpointError(
            f"{folder / DOCUMENT} has format {document.get('format')!r}; this version reads "
            f"format {FORMAT}."
        )
    return document


@torch.inference_mode()
def predict_logits(
    network: nn.Module, pixels: NDArray[np.uint8], device: str = "cpu", batch_size: int = 32
) -> NDArray[np.float32]:
    """Logits float32 [posters, genres] for uint8 [posters, height, width, 3] at the input size."""
    network = network.eval().to(device)
    batches = [pixels[i : i + batch_size] for i in range(0, len(pixels), batch_size)]
    parts = [network(normalised(batch, device)).float().cpu().numpy() for batch in batches]
    return np.concatenate(parts)


def normalised(pixels: NDArray[np.uint8], device: str = "cpu") -> torch.Tensor:
    """uint8 [N, h, w, 3] -> float32 [N, 3, h, w], scaled to 0..1, less mean, over deviation."""
    # NHWC permuted is channels_last in memory already: the fast layout, at no cost.
    batch = torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (batch - mean) / std


def calibrate(logits: NDArray[np.float32], document: dict[str, Any]) -> NDArray[np.float64]:
    """Probabilities [posters, genres]: sigmoid(slope x logit + intercept), per genre."""
    slope, intercept = calibration(document)
    return 1 / (1 + np.exp(-(logits.astype(np.float64) * slope + intercept)))


def calibration(document: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and intercept per genre; 1 and 0 where the checkpoint has no calibration."""
    fitted = document.get("calibration") or {}
    return tuple(  # type: ignore[return-value]
        np.array([fitted.get(genre, default)[part] for genre in document["genres"]])
        for part, default in ((0, (1.0, 0.0)), (1, (1.0, 0.0)))
    )


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document as a whole or not at all."""
    write_whole(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
