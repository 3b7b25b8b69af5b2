"""--frozen: the body stays as it is, its features are computed once, only the head learns."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import Learner
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.losses import BCEWithLogitsLossFlat
from numpy.typing import NDArray
from torch import nn

from genre_infer.posters import Pixels
from genre_infer.progress import progress

from .checkpoint import normalised
from .finetune import format_record, seed_everything

EPOCHS = 12
BATCH_SIZE = 256


@torch.inference_mode()
def body_features(
    network: nn.Sequential, pixels: Pixels, precision: str, device: str
) -> NDArray[np.float32]:
    """Pooled features of the body, float32 [posters, 1024], for uint8 [posters, h, w, 3]."""
    extractor = nn.Sequential(network[0], *network[1][:2]).eval().to(device)  # + pooling, flatten
    extractor = extractor.to(memory_format=torch.channels_last)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float16
    batches = range(0, len(pixels), 32)
    parts = []
    for start in progress(batches, len(batches), "Features of the frozen body"):
        with torch.autocast(device, dtype, enabled=precision != "float32"):
            parts.append(extractor(normalised(pixels[start : start + 32], device)).float().cpu())
    return torch.cat(parts).numpy()


def fit_head(
    network: nn.Sequential,
    features: NDArray[np.float32],
    labels: NDArray[np.bool_],
    train: NDArray[np.int64],
    valid: NDArray[np.int64],
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    score: Callable[[NDArray[np.float32]], dict[str, float]],
    report: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Train the head (all after pooling) on features, and leave its best epoch in the network.

    score: measures of the valid logits, among them macro_ap, by which the best epoch is
    chosen. Returns the records of the epochs.
    """
    head = nn.Sequential(*network[1][2:]).cpu()
    x, y = torch.from_numpy(features), torch.from_numpy(labels.astype(np.float32))
    loaders = DataLoaders(*(_loader(x[i], y[i], i is train) for i in (train, valid)))
    learner = Learner(loaders, head, loss_func=BCEWithLogitsLossFlat(), train_bn=True)
    learner.remove_cb(ProgressCallback)
    records: list[dict[str, Any]] = []
    best: dict[str, Any] = {"macro_ap": -1.0}

    class Epochs(Callback):
        order = 60

        def after_epoch(self) -> None:
            losses = dict(zip(("train_loss", "valid_loss"), self.recorder.values[-1], strict=False))
            with torch.inference_mode():
                logits = head.eval()(x[valid]).numpy()
            record = {"stage": 0, "epoch": self.epoch, **losses, **score(logits)}
            records.append({k: round(v, 5) for k, v in record.items()})
            report(format_record(record))
            if record["macro_ap"] > best["macro_ap"]:
                state = {k: v.clone() for k, v in head.state_dict().items()}
                best.update(macro_ap=record["macro_ap"], state=state)

    seed_everything(learner, seed)
    with learner.no_logging():
        learner.fit_one_cycle(epochs, learning_rate, cbs=Epochs())
    head.load_state_dict(best["state"])
    return records


def whole_batches(order: torch.Tensor) -> list[torch.Tensor]:
    """Positions cut into batches. A last one of one row joins the batch before: batch norm in
    training needs two."""
    batches = list(order.split(BATCH_SIZE))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _loader(x: torch.Tensor, y: torch.Tensor, train: bool) -> DataLoader:
    """Whole batches are cut from the tensors: a tuple a poster would cost more than the head."""

    class Batches(DataLoader):
        def create_batches(self, samples: Any) -> Any:
            for batch in whole_batches(torch.tensor(list(samples))):
                yield x[batch], y[batch]

        def __len__(self) -> int:
            return len(whole_batches(torch.arange(len(x))))

    return Batches(x, bs=BATCH_SIZE, shuffle=train)
