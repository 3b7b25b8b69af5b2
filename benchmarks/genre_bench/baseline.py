"""The baseline: fastai's Learner around the checkpoint, used as its users use it.

python -m genre_bench.baseline CHECKPOINT POSTER [DEVICE [THREADS]] is the process that
genre-bench start times.
"""

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.progress import ProgressCallback
from fastai.data.block import DataBlock, MultiCategoryBlock
from fastai.data.transforms import IndexSplitter, Normalize
from fastai.learner import Learner
from fastai.losses import BCEWithLogitsLossFlat
from fastai.vision.augment import Resize, ResizeMethod
from fastai.vision.data import ImageBlock
from numpy.typing import NDArray
from torch import nn

from genre_infer.posters import Pixels
from genre_train.checkpoint import MEAN, STD, read_checkpoint

BATCH_SIZE = 64  # fastai's own


def _no_genres(_: Path) -> list[str]:
    return []


class FastaiBaseline:
    """A checkpoint in a fastai Learner.

    Files are read by fastai's own DataLoader and squished to the input size by its Resize.
    Probabilities are not calibrated.

    Args:
        checkpoint: A folder written by genre-train fit.
        sample: Posters that fastai may read to find the types of its transforms.
        device: 'cpu' or 'cuda'.
        threads: Of PyTorch; None is its own choice.
    """

    def __init__(
        self,
        checkpoint: Path,
        sample: Sequence[Path],
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        loaded = read_checkpoint(checkpoint)
        network, document = loaded.network, loaded.document
        size = (document["input"]["height"], document["input"]["width"])
        block = DataBlock(
            blocks=(ImageBlock, MultiCategoryBlock(vocab=document["genres"])),
            get_y=partial(_no_genres),  # fastai would act on the annotations of the bare function
            splitter=IndexSplitter([0]),
            item_tfms=Resize(size, method=ResizeMethod.Squish),
            batch_tfms=Normalize.from_stats(MEAN, STD, cuda=device == "cuda"),
        )
        loaders = block.dataloaders(
            [sample[0], sample[0]],
            bs=BATCH_SIZE,
            num_workers=0,
            device=torch.device(device),
            path=Path(),
        )
        self.network = network
        self._learner = Learner(loaders, network, loss_func=BCEWithLogitsLossFlat())
        self._learner.remove_cb(ProgressCallback)  # a progress bar takes time

    def get_preds(self, files: Sequence[Path], workers: int) -> NDArray[np.float32]:
        """Call learn.get_preds on files; return float32 [files, genres]."""
        loader = self._learner.dls.test_dl(list(files), bs=BATCH_SIZE, num_workers=workers)
        predictions: Any = self._learner.get_preds(dl=loader)[0]
        return np.asarray(predictions, dtype=np.float32)

    def predict(self, file: Path) -> NDArray[np.float32]:
        """Call learn.predict on one file; return float32 [genres]."""
        return np.asarray(self._learner.predict(file)[2], dtype=np.float32)


class _FromPixels(nn.Module):
    """Normalisation and network: uint8 [N, height, width, 3] -> logits [N, genres]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> Any:
        # NHWC permuted is channels_last in memory already.
        levels = pixels.permute(0, 3, 1, 2).float() / 255
        return self.network((levels - self.mean) / self.std)


class TorchNetwork:
    """The network alone, as fast as PyTorch runs it.

    It is in channels_last and mixed precision, and compiled together with its normalisation.

    Args:
        checkpoint: A folder written by genre-train fit.
        device: 'cpu' or 'cuda'.
        compiled: Whether torch.compile is used.
    """

    def __init__(self, checkpoint: Path, device: str, *, compiled: bool = True) -> None:
        network = _FromPixels(read_checkpoint(checkpoint).network)
        network = network.to(device, memory_format=torch.channels_last)
        self._network: Any = torch.compile(network) if compiled else network
        self._device = device
        self._type = torch.float16 if device == "cuda" else torch.bfloat16

    @torch.inference_mode()
    def run(self, batch: Pixels) -> NDArray[np.float32]:
        """Compute a batch; any number of threads may call this at once.

        Args:
            batch: uint8 [N, height, width, 3] in host memory.

        Returns:
            Logits in host memory, float32 [N, genres].
        """
        pixels = torch.from_numpy(batch).to(self._device)
        with torch.autocast(self._device, self._type):
            logits: torch.Tensor = self._network(pixels)
        return logits.float().cpu().numpy()


def main(checkpoint: str, poster: str, device: str = "cpu", threads: str = "0") -> None:
    """Load the checkpoint and print its probabilities for one poster."""
    import_module("fastai.vision.all")  # all of it, as fastai's users import it
    learner = FastaiBaseline(Path(checkpoint), [Path(poster)], device, int(threads))
    print(learner.predict(Path(poster)))


if __name__ == "__main__":
    main(*sys.argv[1:])
