"""Training with --frozen: the body's features are computed once, and only the head learns."""

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

from .backbone import DOWNLOADED, load_weights
from .checkpoint import new_network, normalised
from .dataset import Dataset
from .epochs import Record, Scorer, print_record, rounded, seed_everything, valid_scorer
from .learner import Recipe

EPOCHS = 12
BATCH_SIZE = 256
LEARNING_RATE = 2e-3


def train_head(
    dataset: Dataset, recipe: Recipe, run: dict[str, Any], weights: str
) -> tuple[nn.Sequential, list[Record]]:
    """Train the head of a network over a body that stays as it is.

    Args:
        dataset: The posters.
        recipe: If it changes how posters look, train posters are also seen mirrored.
        run: The arguments of the run as checkpoint.json has them.
        weights: Where the network starts: 'imagenet', 'none', a safetensors file or a checkpoint
            folder.

    Returns:
        The network with the head of the best epoch, and the epochs' records.
    """
    network = new_network(
        run["architecture"], len(dataset.genres), pretrained=weights == DOWNLOADED
    )
    load_weights(network, run["architecture"], weights, dataset.genres)
    train, labels = dataset.indices("train"), dataset.labels()
    features = body_features(network, dataset.pixels, run["precision"], run["device"])
    if recipe.look:  # of all augmentations, a mirror image costs the least
        mirrored = dataset.pixels[train, :, ::-1]
        added = body_features(network, mirrored, run["precision"], run["device"])
        features = np.concatenate([features, added])
        labels = np.concatenate([labels, labels[train]])
        train = np.concatenate([train, np.arange(len(dataset.posters), len(labels))])
    records = fit_head(
        network,
        features,
        labels,
        train,
        dataset.indices("valid"),
        epochs=run["epochs"],
        learning_rate=run["learning_rate"],
        seed=run["seed"],
        score=valid_scorer(dataset),
    )
    return network, records


@torch.inference_mode()
def body_features(
    network: nn.Sequential, pixels: Pixels, precision: str, device: str
) -> NDArray[np.float32]:
    """Compute the body's features after pooling, which the head's linear layers take.

    Args:
        network: Body and head, as new_network() makes them.
        pixels: uint8 [posters, height, width, 3].
        precision: 'float32', 'bfloat16' or 'float16', in which the body computes.
        device: 'cpu' or 'cuda'.

    Returns:
        float32 [posters, twice the body's channels]: 1024 for ResNet-18 and 34, 4096 for ResNet-50.
    """
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
    score: Scorer,
) -> list[Record]:
    """Train the head on features, and leave its best epoch, by macro_ap, in the network.

    Args:
        network: Body and head, as new_network() makes them.
        features: float32 [rows, features], from body_features().
        labels: bool [rows, genres].
        train: The rows to learn from.
        valid: The rows to score each epoch on.
        epochs: The number of epochs.
        learning_rate: The highest of the one-cycle schedule.
        seed: The seed of the order of rows and of dropout.
        score: Computes the measures of an epoch from the valid rows' logits.

    Returns:
        The epochs' records.
    """
    head = nn.Sequential(*network[1][2:]).cpu()
    x, y = torch.from_numpy(features), torch.from_numpy(labels.astype(np.float32))
    loaders = DataLoaders(*(_loader(x[i], y[i], i is train) for i in (train, valid)))
    learner = Learner(loaders, head, loss_func=BCEWithLogitsLossFlat(), train_bn=True)
    learner.remove_cb(ProgressCallback)
    records: list[Record] = []
    best: dict[str, Any] = {"macro_ap": -1.0}

    class Epochs(Callback):
        order = 60  # after the Recorder

        def after_epoch(self) -> None:
            losses = dict(zip(("train_loss", "valid_loss"), self.recorder.values[-1], strict=False))
            with torch.inference_mode():
                logits = head.eval()(x[valid]).numpy()
            record = {"stage": 0, "epoch": self.epoch, **losses, **score(logits)}
            records.append(rounded(record))
            print_record(record)
            if record["macro_ap"] > best["macro_ap"]:
                state = {k: v.clone() for k, v in head.state_dict().items()}
                best.update(macro_ap=record["macro_ap"], state=state)

    seed_everything(learner, seed)
    with learner.no_logging():
        learner.fit_one_cycle(epochs, learning_rate, cbs=Epochs())
    head.load_state_dict(best["state"])
    return records


def whole_batches(order: torch.Tensor) -> list[torch.Tensor]:
    """Cut positions into batches of BATCH_SIZE.

    A last batch of one row is joined to the one before: batch norm needs two rows in training.
    """
    batches = list(order.split(BATCH_SIZE))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _loader(x: torch.Tensor, y: torch.Tensor, train: bool) -> DataLoader:
    # Batches are cut from the tensors whole: collating a tuple per poster would take longer than
    # the head itself.
    class Batches(DataLoader):
        def create_batches(self, samples: Any) -> Any:
            for batch in whole_batches(torch.tensor(list(samples))):
                yield x[batch], y[batch]

        def __len__(self) -> int:
            return len(whole_batches(torch.arange(len(x))))

    return Batches(x, bs=BATCH_SIZE, shuffle=train)
