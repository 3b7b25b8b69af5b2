"""The resume file: what a run keeps after every epoch, so that it survives being killed."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from fastai.learner import Learner
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from .checkpoint import CheckpointError
from .epochs import Record, rounded
from .files import whole_file

RESUME = "resume.safetensors"

Tensors = dict[str, torch.Tensor]


class WeightAverage(AveragedModel):
    """A running average of a network's weights and batch-norm statistics (EMA).

    Args:
        network: The network.
        decay: How much of the average stays at each step, 0 to 1; less in the first steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, avg_fn=self._mixed, use_buffers=True)
        self.decay = decay

    def _mixed(self, average: torch.Tensor, weight: torch.Tensor, steps: Any) -> torch.Tensor:
        if not average.is_floating_point():  # batch norm's count of batches
            return weight
        decay = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        return average.lerp(weight, 1 - decay)


@dataclass
class TrainingState:
    """Where a run stands.

    Attributes:
        folder: The checkpoint folder that will be written.
        run: The settings that identify the run; --resume refuses to continue with others.
        keep: Which epoch's weights are kept: "best" (by macro_ap on valid) or "last".
        stage: The stage of the next epoch.
        epoch: The next epoch within its stage.
        best: The highest macro_ap so far.
        records: One record per finished epoch.
        kept_weights: The weights of the epoch that is kept so far.
        average: The running average of the weights, where the recipe has one. It is what is kept.
    """

    folder: Path
    run: dict[str, Any]
    keep: str
    stage: int = 0
    epoch: int = 0
    best: float = -1.0
    records: list[Record] = field(default_factory=list)
    kept_weights: Tensors = field(default_factory=dict)
    average: WeightAverage | None = None

    def finish_epoch(self, learner: Learner, record: Record) -> None:
        """Add an epoch's record, keep its weights if they are to be kept, and save the state.

        Args:
            learner: The learner, after the epoch.
            record: The epoch's record, with its stage, epoch and macro_ap.
        """
        self.records.append(rounded(record))
        if self.keep == "last" or record["macro_ap"] > self.best:
            self.best = record["macro_ap"]
            self.kept_weights = copied(self.average.module if self.average else learner.model)
        self.stage, self.epoch = record["stage"], record["epoch"] + 1
        self.save(learner)

    def save(self, learner: Learner) -> None:
        """Write the resume file: weights, optimizer state, and the rest as JSON in its header."""
        tensors = {f"model.{k}": v for k, v in learner.model.state_dict().items()}
        if self.keep == "best":
            tensors |= {f"best.{k}": v for k, v in self.kept_weights.items()}
        if self.average:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        scalars: list[dict[str, float | bool]] = []
        for i, state in enumerate(learner.opt.state_dict()["state"]):
            scalars.append({k: v for k, v in state.items() if not torch.is_tensor(v)})
            tensors |= {f"opt.{i}.{k}": v for k, v in state.items() if torch.is_tensor(v)}
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        header = {
            "run": self.run,
            "stage": self.stage,
            "epoch": self.epoch,
            "best": self.best,
            "records": self.records,
            "optimizer": scalars,
        }
        with whole_file(self.folder / RESUME) as partial:
            save_file(tensors, partial, metadata={"progress": json.dumps(header)})

    def load(self, learner: Learner) -> list[dict[str, Any]] | None:
        """Read the resume file, where there is one, into this state and the learner's model.

        Returns:
            The optimizer's state, for the learner once its optimizer exists; None without a file.

        Raises:
            CheckpointError: The file is that of a run with other settings.
        """
        path = self.folder / RESUME
        if not path.is_file():
            return None
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["run"] != self.run:
            changed = sorted(k for k in self.run if header["run"].get(k) != self.run[k])
            raise CheckpointError(
                f"{self.folder} holds a run with other settings ({', '.join(changed)}): use "
                "its settings to --resume it, or another --output."
            )
        self.stage, self.epoch, self.best = header["stage"], header["epoch"], header["best"]
        self.records = header["records"]
        learner.model.load_state_dict(_with_prefix(tensors, "model."))
        last = "average.module." if self.average else "model."
        self.kept_weights = _with_prefix(tensors, "best." if self.keep == "best" else last)
        if self.average:
            self.average.load_state_dict(_with_prefix(tensors, "average."))
        optimizer: list[dict[str, Any]] = header["optimizer"]
        for i, state in enumerate(optimizer):
            state |= _with_prefix(tensors, f"opt.{i}.")
        return optimizer


def copied(network: nn.Module) -> Tensors:
    """Return a copy of a network's weights, on the processor."""
    return {name: t.detach().cpu().clone() for name, t in network.state_dict().items()}


def _with_prefix(tensors: Tensors, prefix: str) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
