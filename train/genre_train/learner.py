"""fastai's DataLoaders and Learner for a dataset; recipes, devices and precisions."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.callback.training import BnFreeze
from fastai.data.block import CategoryBlock, DataBlock, MultiCategoryBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import IndexSplitter, Normalize
from fastai.learner import Learner
from fastai.metrics import accuracy, accuracy_multi
from fastai.vision.core import PILImage
from fastai.vision.data import ImageBlock
from fastai.vision.learner import vision_learner
from torch import nn

from genre_infer.errors import DeviceError

from .augment import MARGIN, PosterCrop, PosterLook
from .backbone import DOWNLOADED, load_weights
from .checkpoint import ARCHITECTURES, MEAN, STD
from .dataset import Dataset

WORKERS = 2 if multiprocessing.get_start_method() == "fork" else 0
"""Processes that change pictures while the network learns. Elsewhere each would need a copy of all
posters. A fixed number: what is drawn at random depends on it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: Epochs of fine-tuning all layers.
        keep: The epoch that becomes the checkpoint: "best" by macro average precision on valid, or
            "last".
        learning_rate: The highest of the one-cycle schedule, which is the head's.
        frozen_epochs: Epochs before them in which only the head learns.
        slowest: The lowest layers' learning rate, as a share of the head's, 0 to 1.
        frozen_groups: How many of fastai's three groups of layers stay as they are throughout: 1 is
            the stem and the first two stages of a ResNet, 2 the whole body.
        weight_decay: That of all weights but batch norms' and biases.
        crop: The smallest part of a poster that is trained on, as a share of its area, 0 to 1.
        look: How strongly light, colour, sharpness and compression are changed; 1 is the usual
            amount, 0 none.
        average: The decay of the running average of the weights that is kept; 0 for no average.
        missing: How much less an absent genre counts the less the network believes in it: the
            exponent of the asymmetric loss. 0 for plain cross-entropy.
    """

    epochs: int
    keep: str
    learning_rate: float = 2e-3  # fine_tune's own default
    frozen_epochs: int = 1
    slowest: float = 0.01
    frozen_groups: int = 0
    weight_decay: float = 0.01
    crop: float = 1.0
    look: float = 0.0
    average: float = 0.0
    missing: float = 0.0


RECIPES = {
    "standard": Recipe(
        epochs=5,
        keep="best",
        learning_rate=3e-3,
        frozen_epochs=0,
        slowest=0.03,
        crop=0.6,
        look=1.0,
        average=0.99,
    ),
    "seed": Recipe(epochs=10, keep="last"),
}


class _Autocast(Callback):
    """Mixed precision on a CPU: fastai's own callback always asks for CUDA's autocast.

    bfloat16 has the range of float32, so it needs no gradient scaler.
    """

    order = MixedPrecision.order

    def before_batch(self) -> None:
        self.autocast = torch.autocast("cpu", torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self) -> None:
        self.learn.pred = self.pred.float()

    def after_loss(self) -> None:
        self.autocast.__exit__(None, None, None)


def choose_device(device: str) -> str:
    """Return 'cpu' or 'cuda' for 'auto', 'cpu' or 'cuda'.

    Raises:
        DeviceError: It is another device, or CUDA was asked for and PyTorch does not see it.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"--device {device}: PyTorch runs on auto, cpu or cuda.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "--device cuda: PyTorch sees no CUDA device here. Check the driver with nvidia-smi, or "
            "use --device cpu."
        )
    return device


def choose_precision(precision: str, device: str) -> str:
    """Return 'float32', 'bfloat16' or 'float16'; 'auto' is the fastest of them for the device.

    Raises:
        DeviceError: The device cannot train in this precision.
    """
    if device == "cuda":
        best = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return best if precision == "auto" else precision
    if precision == "float16":
        raise DeviceError(
            "--precision float16 trains only on a GPU; use --precision float32, or --device cuda."
        )
    has_units = cpu_has_bfloat16()
    if precision == "bfloat16" and not has_units:
        raise DeviceError(
            "--precision bfloat16: this processor has no units for it and would be slower; use "
            "--precision float32."
        )
    return ("bfloat16" if has_units else "float32") if precision == "auto" else precision


def cpu_has_bfloat16() -> bool:
    """Tell whether the processor multiplies in bfloat16 (AVX-512 BF16, AMX, or ARM's bf16)."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:  # not Linux: float32 always works
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(text.split()))


def mixed_precision(precision: str, device: str) -> list[Callback]:
    """Return the callbacks for a precision on a device."""
    if precision == "float32":
        return []
    if device == "cpu":
        return [_Autocast()]
    return [MixedPrecision(amp_mode=AMPMode.BF16 if precision == "bfloat16" else AMPMode.FP16)]


def _picture(dataset: Dataset, position: int) -> PILImage:
    return PILImage.create(dataset.pixels[position])


def _genres_of(dataset: Dataset, position: int) -> list[str]:
    known = set(dataset.genres)
    return [genre for genre in dataset.posters[position].genres if genre in known]


def _first_genre_of(dataset: Dataset, position: int) -> str:
    return dataset.posters[position].genres[0]


def decoded_size(size: tuple[int, int], recipe: Recipe) -> tuple[int, int]:
    """Return the width and height at which posters are decoded to train at an input size."""
    if recipe.crop == 1:
        return size
    return round(size[0] * MARGIN), round(size[1] * MARGIN)


def data_loaders(
    dataset: Dataset,
    size: tuple[int, int],
    recipe: Recipe,
    batch_size: int,
    device: str,
    *,
    first_genre: bool = False,
) -> DataLoaders:
    """Make fastai's DataLoaders of the train and valid posters, from pixels in memory.

    Args:
        dataset: The posters, decoded at decoded_size().
        size: Width and height of the input, in pixels.
        recipe: How train posters are changed at random.
        batch_size: Posters per batch.
        device: 'cpu' or 'cuda'.
        first_genre: Whether the target is the one first genre instead of all genres.
    """
    label: Callable[[Dataset, int], Any] = _first_genre_of if first_genre else _genres_of
    target = (
        CategoryBlock(vocab=dataset.genres)
        if first_genre
        else MultiCategoryBlock(vocab=dataset.genres)
    )
    pictures: list[Any] = [PosterCrop(size, recipe.crop)] if recipe.crop < 1 else []
    if recipe.look:
        pictures.append(PosterLook(recipe.look))
    positions = [i for i, poster in enumerate(dataset.posters) if poster.split != "test"]
    valid = [k for k, i in enumerate(positions) if dataset.posters[i].split == "valid"]
    block = DataBlock(
        blocks=(ImageBlock(), target),
        get_x=partial(_picture, dataset),
        get_y=partial(label, dataset),
        splitter=IndexSplitter(valid),
        item_tfms=pictures,
        batch_tfms=[Normalize.from_stats(MEAN, STD, cuda=device == "cuda")],
    )
    return block.dataloaders(
        positions,
        bs=batch_size,
        num_workers=WORKERS if pictures else 0,
        device=torch.device(device),
        path=Path(),
    )


class AsymmetricLoss(nn.Module):
    """Cross-entropy in which an absent genre counts by its probability to the power of `missing`.

    Tables leave out genres more often than they name wrong ones. From Ridnik et al. (2021),
    'Asymmetric Loss For Multi-Label Classification', with their margin of 0.05.
    """

    def __init__(self, missing: float, margin: float = 0.05) -> None:
        super().__init__()
        self.missing, self.margin = missing, margin

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of logits and labels, both [posters, genres]."""
        believed = (logits.sigmoid() - self.margin).clamp(min=0, max=1 - 1e-6)
        absent = torch.log1p(-believed) * believed.detach() ** self.missing
        return -(labels * nn.functional.logsigmoid(logits) + (1 - labels) * absent).mean()

    def activation(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities, for fastai."""
        return logits.sigmoid()

    def decodes(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return labels, for fastai."""
        return probabilities > 0.5


def make_learner(
    loaders: DataLoaders,
    recipe: Recipe,
    architecture: str,
    weights: str,
    precision: str,
    device: str,
    *,
    first_genre: bool = False,
) -> Learner:
    """Make fastai's vision_learner.

    Args:
        loaders: The posters.
        recipe: Its weight decay and its loss are used.
        architecture: One of ARCHITECTURES.
        weights: Where the network starts: 'imagenet' (torchvision's, which fastai downloads),
            'none', a safetensors file or a checkpoint folder.
        precision: 'float32', 'bfloat16' or 'float16'.
        device: 'cpu' or 'cuda'.
        first_genre: Whether the target is the one first genre instead of all genres.

    Raises:
        CheckpointError: The weights are of another architecture.
    """
    fixed = [BnFreeze()] if recipe.frozen_groups else []
    learner = vision_learner(
        loaders,
        ARCHITECTURES[architecture],
        pretrained=weights == DOWNLOADED,
        normalize=False,  # data_loaders() does, whatever the weights
        metrics=accuracy if first_genre else accuracy_multi,
        wd=recipe.weight_decay,
        loss_func=AsymmetricLoss(recipe.missing) if recipe.missing and not first_genre else None,
        # Else fastai trains batch norms also in frozen layers, at the cost of their whole backward.
        train_bn=not recipe.frozen_groups,
        cbs=[ChannelsLast(), *fixed, *mixed_precision(precision, device)],
    )
    load_weights(learner.model, architecture, weights, list(loaders.vocab))
    return learner
