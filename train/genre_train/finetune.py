"""Fine-tuning in two stages, as fastai's fine_tune does it, but one that survives being killed."""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.learner import Learner
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from .checkpoint import CheckpointError

RESUME = "resume.safetensors"


@dataclass(frozen=True, slots=True)
class Stage:
    """One one-cycle schedule of fine_tune: frozen body, or all layers."""

    frozen: bool
    epochs: int
    learning_rate: float | slice
    pct_start: float
    div: float


def stages(epochs: int, learning_rate: float) -> list[Stage]:
    """The two stages of fastai's Learner.fine_tune(epochs), with its own constants."""
    half = learning_rate / 2
    return [
        Stage(True, 1, slice(learning_rate), pct_start=0.99, div=25.0),
        Stage(False, epochs, slice(half / 100, half), pct_start=0.3, div=5.0),
    ]


@dataclass
class Progress:
    """Where a run stands; what --resume continues from. (stage, epoch) is the next one to run."""

    run: dict[str, Any]
    stage: int = 0
    epoch: int = 0
    best: float = -1.0
    records: list[dict[str, float | int | str]] | None = None


Score = Callable[[NDArray[np.float32]], dict[str, float]]


class _Epochs(Callback):
    """Seeds each epoch by its number, so that a resumed run goes on as an unbroken one would;
    records it, keeps the best weights, and writes the resume file."""

    order = 60  # after the Recorder

    def __init__(self, run: "_Run", stage: int) -> None:
        self.run, self.stage = run, stage

    def before_epoch(self) -> None:
        seed_everything(self.learn, (self.run.seed * 100 + self.stage) * 1000 + self.epoch)
        self.recorder.smooth_loss.reset()  # it would carry over from an epoch that --resume skips
        self.started = time.monotonic()
        self.logits: list[torch.Tensor] = []

    def after_pred(self) -> None:
        if not self.training:
            self.logits.append(self.pred.detach().float().cpu())

    def after_epoch(self) -> None:
        if self.epoch >= self.run.progress.epoch:  # not one that --resume skips
            measures = self.run.score(torch.cat(self.logits).numpy())
            self.run.finish_epoch(self.learn, self.stage, self.epoch, measures, self.started)


class _Bar(Callback):
    """A progress bar over all batches of a stage, with the time left, on a terminal's stderr.

    stop() is the caller's: after Ctrl-C fastai leaves after_fit out, and the cursor would stay
    hidden.
    """

    bar: Any = None

    def before_fit(self) -> None:
        from rich import progress as bars
        from rich.console import Console

        columns = (
            *bars.Progress.get_default_columns(),
            bars.TextColumn("loss {task.fields[loss]:.4f}"),
        )
        self.bar = bars.Progress(*columns, console=Console(stderr=True), transient=True)
        total = (self.n_epoch) * (len(self.dls.train) + len(self.dls.valid))
        self.task = self.bar.add_task("Training", total=total, loss=0.0)
        self.bar.start()

    def after_batch(self) -> None:
        done = self.epoch * (len(self.dls.train) + len(self.dls.valid)) + self.iter + 1
        done += 0 if self.training else len(self.dls.train)
        loss = float(getattr(self.learn, "smooth_loss", 0.0))
        self.bar.update(self.task, completed=done, loss=loss)

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()


class _Run:
    """One run in one folder."""

    def __init__(self, folder: Path, seed: int, keep: str, score: Score) -> None:
        self.folder, self.seed, self.keep, self.score = folder, seed, keep, score
        self.progress = Progress(run={}, records=[])
        self.best_weights: dict[str, torch.Tensor] = {}

    def finish_epoch(
        self, learner: Learner, stage: int, epoch: int, measures: dict[str, float], started: float
    ) -> None:
        record = dict(
            zip(learner.recorder.metric_names[1:], learner.recorder.values[-1], strict=False)
        )
        record = {"stage": stage, "epoch": epoch, **record, **measures}
        record["seconds"] = round(time.monotonic() - started, 1)
        assert self.progress.records is not None
        self.progress.records.append(
            {k: round(v, 5) if isinstance(v, float) else v for k, v in record.items()}
        )
        if self.keep == "last" or record["macro_ap"] > self.progress.best:
            self.progress.best = record["macro_ap"]
            self.best_weights = {
                name: tensor.detach().cpu().clone()
                for name, tensor in learner.model.state_dict().items()
            }
        self.progress.stage, self.progress.epoch = stage, epoch + 1
        self.save(learner)
        click.echo(format_record(record), err=True)

    def save(self, learner: Learner) -> None:
        tensors = {f"model.{k}": v for k, v in learner.model.state_dict().items()}
        if self.keep == "best":
            tensors |= {f"best.{k}": v for k, v in self.best_weights.items()}
        scalars: list[dict[str, float | bool]] = []
        for i, state in enumerate(learner.opt.state_dict()["state"]):
            scalars.append({k: v for k, v in state.items() if not torch.is_tensor(v)})
            tensors |= {f"opt.{i}.{k}": v for k, v in state.items() if torch.is_tensor(v)}
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        header = json.dumps({**vars(self.progress), "optimizer": scalars})
        partial = self.folder / f"{RESUME}.part"
        save_file(tensors, partial, metadata={"progress": header})
        os.replace(partial, self.folder / RESUME)  # whole or not at all

    def load(self, learner: Learner, run: dict[str, Any]) -> list[dict[str, torch.Tensor]] | None:
        """Take up a stopped run. Returns the optimizer's state, or None where nothing was kept."""
        path = self.folder / RESUME
        if not path.is_file():
            return None
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["run"] != run:
            changed = sorted(k for k in run if header["run"].get(k) != run[k])
            raise CheckpointError(
                f"{self.folder} holds a run with other settings ({', '.join(changed)}): give the "
                "same ones to --resume it, or another --output."
            )
        optimizer: list[dict[str, Any]] = header.pop("optimizer")
        self.progress = Progress(**header)
        learner.model.load_state_dict(_with_prefix(tensors, "model."))
        kept = "best." if self.keep == "best" else "model."
        self.best_weights = _with_prefix(tensors, kept)
        for i, state in enumerate(optimizer):
            state |= _with_prefix(tensors, f"opt.{i}.")
        return optimizer


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def fine_tune(
    learner: Learner,
    schedule: list[Stage],
    folder: Path,
    *,
    run: dict[str, Any],
    seed: int,
    keep: str,
    score: Score,
    resume: bool,
) -> list[dict[str, Any]]:
    """Run all stages, keeping a resume file after every epoch, and leave the best weights (or the
    last: `keep`) in learner.model.

    run: what identifies the run; --resume refuses to go on with other settings. score: from the
    logits of the valid posters to further measures for an epoch's record, among them macro_ap.
    Returns the records of the epochs. Raises CheckpointError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _Run(folder, seed, keep, score)
    state.progress.run = run
    optimizer = state.load(learner, run) if resume else None
    if optimizer is not None:
        done = len(state.progress.records or [])
        click.echo(f"Resuming after {done} epochs.", err=True)
    learner.remove_cb(ProgressCallback)
    for number, stage in enumerate(schedule):
        if number < state.progress.stage:
            continue
        if number > state.progress.stage:
            state.progress.stage, state.progress.epoch = number, 0
        learner.freeze() if stage.frozen else learner.unfreeze()
        if optimizer is not None:
            learner.opt.load_state_dict(
                {"state": _to_device(optimizer, learner.dls.device), "hypers": learner.opt.hypers}
            )
            optimizer = None
        if state.progress.epoch >= stage.epochs:
            continue
        bar = [_Bar()] if sys.stderr.isatty() else []
        try:
            with learner.no_logging():
                learner.fit_one_cycle(
                    stage.epochs,
                    stage.learning_rate,
                    pct_start=stage.pct_start,
                    div=stage.div,
                    start_epoch=state.progress.epoch,
                    cbs=[_Epochs(state, number), *bar],
                )
        finally:
            for one in bar:
                one.stop()
    learner.model.load_state_dict(state.best_weights)
    return state.progress.records or []


def _to_device(state: list[dict[str, Any]], device: torch.device) -> list[dict[str, Any]]:
    return [{k: v.to(device) if torch.is_tensor(v) else v for k, v in s.items()} for s in state]


def seed_everything(learner: Learner, seed: int) -> None:
    """Seed Python, numpy, torch and the order of the train posters."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # fastai's augmentations draw from numpy's global generator
    torch.manual_seed(seed)
    learner.dls.train.rng = random.Random(seed)


def format_record(record: dict[str, Any]) -> str:
    """An epoch's record in one line."""
    return "  ".join(
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in record.items()
    )
