"""fastai's side: decoded posters -> DataLoaders -> vision_learner."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.data.block import CategoryBlock, DataBlock, MultiCategoryBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import IndexSplitter, Normalize
from fastai.learner import Learner
from fastai.metrics import accuracy, accuracy_multi
from fastai.vision.augment import aug_transforms
from fastai.vision.core import PILImage
from fastai.vision.data import ImageBlock
from fastai.vision.learner import vision_learner

from genre_infer.errors import DeviceError

from .checkpoint import ARCHITECTURES, MEAN, STD, load_body
from .dataset import Dataset


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is fine-tuned.

    augment: whether train posters are mirrored, zoomed and relit at random.
    keep: the epoch that becomes the checkpoint: "best" by macro average precision on valid, or
        "last".
    """

    epochs: int
    augment: bool
    keep: str
    learning_rate: float = 2e-3  # fine_tune's own default


RECIPES = {
    "standard": Recipe(epochs=4, augment=True, keep="best"),
    "seed": Recipe(epochs=10, augment=False, keep="last"),
}


class _Autocast(Callback):
    """Mixed precision on a CPU. fastai's own callback asks for CUDA's autocast whatever the device;
    bfloat16 has float32's range, so no gradient scaler is needed."""

    order = MixedPrecision.order

    def before_batch(self) -> None:
        self.autocast = torch.autocast("cpu", torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self) -> None:
        self.learn.pred = self.pred.float()

    def after_loss(self) -> None:
        self.autocast.__exit__(None, None, None)


def choose_device(device: str) -> str:
    """'cpu' or 'cuda'. Raises DeviceError for another device, and where CUDA was asked for and is
    not there."""
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"--device {device}: PyTorch computes on auto, cpu or cuda here.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "--device cuda: PyTorch sees no CUDA device here. Check the driver with nvidia-smi, or "
            "use --device cpu."
        )
    return device


def choose_precision(precision: str, device: str) -> str:
    """'float32', 'bfloat16' or 'float16'. Raises DeviceError for one the device cannot do."""
    if device == "cuda":
        best = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return best if precision == "auto" else precision
    if precision == "float16":
        raise DeviceError(
            "--precision float16: a processor does not train in it; use --precision float32, or "
            "--device cuda."
        )
    has_units = cpu_has_bfloat16()
    if precision == "bfloat16" and not has_units:
        raise DeviceError(
            "--precision bfloat16: this processor has no bfloat16 units and would be slower with "
            "it; use --precision float32."
        )
    return ("bfloat16" if has_units else "float32") if precision == "auto" else precision


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 (AVX-512 BF16, AMX, or ARM's bf16)."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:  # not Linux: float32 is always right
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(text.split()))


def mixed_precision(precision: str, device: str) -> list[Callback]:
    """The callbacks for a precision on a device."""
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


def data_loaders(
    dataset: Dataset, batch_size: int, device: str, *, augment: bool, first_genre: bool = False
) -> DataLoaders:
    """fastai's DataLoaders over the train and valid posters, from pixels in memory."""
    label: Callable[[Dataset, int], Any] = _first_genre_of if first_genre else _genres_of
    target = (
        CategoryBlock(vocab=dataset.genres)
        if first_genre
        else MultiCategoryBlock(vocab=dataset.genres)
    )
    transforms = aug_transforms(max_rotate=0, max_warp=0, max_zoom=1.15) if augment else []
    positions = [i for i, poster in enumerate(dataset.posters) if poster.split != "test"]
    valid = [k for k, i in enumerate(positions) if dataset.posters[i].split == "valid"]
    block = DataBlock(
        blocks=(ImageBlock(), target),
        get_x=partial(_picture, dataset),
        get_y=partial(label, dataset),
        splitter=IndexSplitter(valid),
        batch_tfms=[*transforms, Normalize.from_stats(MEAN, STD, cuda=device == "cuda")],
    )
    return block.dataloaders(
        positions, bs=batch_size, num_workers=0, device=torch.device(device), path=Path()
    )


def make_learner(
    loaders: DataLoaders,
    architecture: str,
    weights: str,
    precision: str,
    device: str,
    *,
    first_genre: bool = False,
) -> Learner:
    """fastai's vision_learner over one of ARCHITECTURES.

    weights: 'imagenet' (torchvision's, downloaded by fastai in its normal way), 'none', or a
    safetensors file.
    """
    learner = vision_learner(
        loaders,
        ARCHITECTURES[architecture],
        pretrained=weights == "imagenet",
        normalize=False,  # done in data_loaders, for weights from a file as well
        metrics=accuracy if first_genre else accuracy_multi,
        cbs=[ChannelsLast(), *mixed_precision(precision, device)],
    )
    if weights not in ("imagenet", "none"):
        load_body(learner.model, architecture, Path(weights))
    return learner
