"""The checkpoint: a folder with weights.safetensors and checkpoint.json, without any pickle."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.vision.learner import create_vision_model
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import nn
from torchvision import models

from genre_infer.errors import GenreInferError

from .files import write_whole

FORMAT = 1
WEIGHTS = "weights.safetensors"
DOCUMENT = "checkpoint.json"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's

ARCHITECTURES = {
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
}
"""Name -> torchvision's constructor. fastai's head replaces its pooling and classifier."""


class CheckpointError(GenreInferError):
    """The checkpoint, or a file of weights, cannot be used; the message names it and the fix."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder, read and checked.

    Attributes:
        folder: The folder.
        document: The content of checkpoint.json.
        sha256: The hash of the stored weights, in hex.
        network: The stored network in float32, in evaluation mode: normalised float32
            [N, 3, height, width] -> logits [N, genres].
    """

    folder: Path
    document: dict[str, Any]
    sha256: str
    network: nn.Sequential

    @property
    def genres(self) -> list[str]:
        """The genres, in the order of the outputs."""
        return list(self.document["genres"])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input, in pixels."""
        return self.document["input"]["width"], self.document["input"]["height"]

    @property
    def architecture(self) -> str:
        """One of ARCHITECTURES."""
        return architecture_of(self.document)

    def calibration(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return slope and intercept of each genre's logit, each float64 [genres].

        They are 1 and 0 if the checkpoint has no calibration.
        """
        return calibration(self.document)

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn logits into calibrated probabilities: sigmoid(slope * logit + intercept).

        Args:
            logits: [posters, genres].

        Returns:
            float64 [posters, genres].
        """
        return calibrated(logits, self.document)

    def require_multi_label(self) -> None:
        """Refuse a first-genre classifier, and a checkpoint without thresholds.

        Raises:
            CheckpointError: It is one of them; the message says which.
        """
        if self.document["labels"] != "all":
            raise CheckpointError(
                f"{self.folder} is a first-genre classifier (genre-train fit --labels first), and "
                "only multi-label checkpoints can be used here. Its confusion matrix is in "
                "confusion.csv and confusion.png beside it."
            )
        if "balanced" not in self.document["thresholds"]:
            raise CheckpointError(
                f"{self.folder} has no thresholds: its training run did not finish. Continue it "
                "with genre-train fit --resume."
            )


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the document and the weights of a checkpoint folder.

    Raises:
        CheckpointError: The folder is not a checkpoint, its architecture is unknown, or its weights
            are missing or are not the file that its document describes.
    """
    document = read_document(folder)
    weights = folder / WEIGHTS
    sha256 = file_sha256(weights) if weights.is_file() else ""
    if sha256 != document["weights"]["sha256"]:
        raise CheckpointError(
            f"{weights} is missing or is not the file that {DOCUMENT} describes: copy both files "
            "from the same run."
        )
    network = read_network(folder, architecture_of(document), len(document["genres"]))
    return Checkpoint(folder, document, sha256, network)


def read_network(folder: Path, architecture: str, outputs: int) -> nn.Sequential:
    """Read the stored network in float32, for evaluation. It needs no document.

    Args:
        folder: The checkpoint folder.
        architecture: One of ARCHITECTURES.
        outputs: The number of genres.
    """
    network = new_network(architecture, outputs)
    state = load_file(folder / WEIGHTS)
    network.load_state_dict(
        {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    )
    return network.eval()


def architecture_of(document: dict[str, Any]) -> str:
    """Return the architecture that a checkpoint's document names, one of ARCHITECTURES.

    Raises:
        CheckpointError: The name is unknown.
    """
    name = str(document.get("architecture", "")).partition(",")[0]
    if name not in ARCHITECTURES:
        raise CheckpointError(
            f"The checkpoint's architecture {name!r} is unknown; this version knows "
            f"{', '.join(ARCHITECTURES)}."
        )
    return name


def new_network(architecture: str, outputs: int, *, pretrained: bool = False) -> nn.Sequential:
    """Make fastai's vision model: normalised float [N, 3, height, width] -> logits [N, outputs].

    Args:
        architecture: One of ARCHITECTURES.
        outputs: The number of genres.
        pretrained: Whether the body has torchvision's ImageNet weights, which fastai downloads.

    Returns:
        [0] is the body, [1] the head (concatenated maximum and average pooling, two linear layers).
    """
    return create_vision_model(ARCHITECTURES[architecture], outputs, pretrained=pretrained)


def save_weights(folder: Path, network: nn.Module) -> None:
    """Write a network's weights: matrices in float16, batch norm in float32.

    The document of earlier weights is removed: it must not describe these.
    """
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor)
        .detach()
        .cpu()
        .contiguous()
        for name, tensor in network.state_dict().items()
    }
    (folder / DOCUMENT).unlink(missing_ok=True)
    write_whole(folder / WEIGHTS, save(tensors))  # save_file's would be for its owner alone


def save_document(folder: Path, document: dict[str, Any]) -> None:
    """Write the document with its format and the weights' hash.

    This is the last step of a run: the checkpoint is complete.
    """
    document = {
        "format": FORMAT,
        **document,
        "weights": {"file": WEIGHTS, "sha256": file_sha256(folder / WEIGHTS)},
    }
    write_json(folder / DOCUMENT, document)


def read_document(folder: Path) -> dict[str, Any]:
    """Read the JSON document of a checkpoint.

    Raises:
        CheckpointError: There is none, or it is not one that this version reads.
    """
    if folder.is_file():
        raise CheckpointError(
            f"{folder} is a file, and a checkpoint is a folder, as genre-train fit writes it. "
            "(A learner that fastai exported cannot be read.)"
        )
    try:
        document: dict[str, Any] = json.loads((folder / DOCUMENT).read_text("utf-8"))
    except OSError:
        raise CheckpointError(
            f"{folder} is not a checkpoint: it has no {DOCUMENT}. (A run writes it at its end; "
            "genre-train fit --resume continues a run that was stopped.)"
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
    """Predict posters in batches.

    Args:
        network: Normalised float32 [N, 3, height, width] -> logits [N, genres].
        pixels: uint8 [posters, height, width, 3] at the network's input size.
        device: 'cpu' or 'cuda'.
        batch_size: Posters per batch.

    Returns:
        Logits, float32 [posters, genres].
    """
    network = network.eval().to(device)
    batches = [pixels[i : i + batch_size] for i in range(0, len(pixels), batch_size)]
    parts = [network(normalised(batch, device)).float().cpu().numpy() for batch in batches]
    return np.concatenate(parts)


def normalised(pixels: NDArray[np.uint8], device: str = "cpu") -> torch.Tensor:
    """Normalise pixels: scale to 0..1, subtract MEAN, divide by STD.

    Args:
        pixels: uint8 [N, height, width, 3].
        device: The device of the result.

    Returns:
        float32 [N, 3, height, width].
    """
    # Permuted NHWC already is channels_last in memory: the fast layout, at no cost.
    batch = torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (batch - mean) / std


def calibration(document: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Do what Checkpoint.calibration does, for the document of an unfinished checkpoint."""
    fitted = document.get("calibration") or {}
    pairs = np.array([fitted.get(genre, (1.0, 0.0)) for genre in document["genres"]], np.float64)
    return pairs[:, 0], pairs[:, 1]


def calibrated(logits: NDArray[np.floating], document: dict[str, Any]) -> NDArray[np.float64]:
    """Do what Checkpoint.probabilities does, for the document of an unfinished checkpoint."""
    slope, intercept = calibration(document)
    return 1 / (1 + np.exp(-(logits.astype(np.float64) * slope + intercept)))


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document completely or not at all."""
    write_whole(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
