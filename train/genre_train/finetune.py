"""Fine-tuning in two stages, as fastai's fine_tune does, but able to resume after a kill."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.learner import Learner
from torch import nn

from .dataset import Dataset
from .epochs import Record, Scorer, print_record, seed_everything, valid_scorer
from .learner import Recipe, data_loaders, make_learner
from .resume import TrainingState, WeightAverage, copied


@dataclass(frozen=True, slots=True)
class Stage:
    """One one-cycle schedule, of the head over a frozen body, or of all layers."""

    frozen: bool
    epochs: int
    learning_rate: float | slice
    pct_start: float
    div: float


def stages(recipe: Recipe) -> list[Stage]:
    """Return the two stages of fastai's Learner.fine_tune, with its own constants.

    Without frozen epochs there is one: a cycle of all layers, whose warm-up spares the body.
    """
    rate, slowest = recipe.learning_rate, recipe.slowest
    if not recipe.frozen_epochs:
        return [Stage(False, recipe.epochs, slice(rate * slowest, rate), pct_start=0.25, div=25.0)]
    half = rate / 2
    return [
        Stage(True, recipe.frozen_epochs, slice(rate), pct_start=0.99, div=25.0),
        Stage(False, recipe.epochs, slice(half * slowest, half), pct_start=0.3, div=5.0),
    ]


def fine_tune(
    dataset: Dataset,
    size: tuple[int, int],
    recipe: Recipe,
    run: dict[str, Any],
    weights: str,
    folder: Path,
    *,
    resume: bool,
) -> tuple[nn.Sequential, list[Record]]:
    """Train a network on the train posters, and keep a resume file after every epoch.

    Args:
        dataset: The posters, decoded at decoded_size().
        size: Width and height of the input, in pixels.
        recipe: How to train.
        run: The arguments of the run as checkpoint.json has them, and the dataset's fingerprint.
        weights: Where the network starts: 'imagenet', 'none', a safetensors file or a checkpoint
            folder.
        folder: The folder of the resume file, which will be the checkpoint's.
        resume: Whether to continue from the folder's resume file.

    Returns:
        The network of the best epoch or of the last, as the recipe says, and the epochs' records.

    Raises:
        CheckpointError: The resume file is that of a run with other settings.
    """
    first_genre = run["labels"] == "first"
    loaders = data_loaders(
        dataset, size, recipe, run["batch_size"], run["device"], first_genre=first_genre
    )
    learner = make_learner(
        loaders,
        recipe,
        run["architecture"],
        weights,
        run["precision"],
        run["device"],
        first_genre=first_genre,
    )
    state = TrainingState(folder, run, recipe.keep)
    if recipe.average:
        state.average = WeightAverage(learner.model, recipe.average)
    optimizer = state.load(learner) if resume else None
    if optimizer is not None:
        click.echo(f"Resuming after {len(state.records)} epochs.", err=True)
    _run_stages(learner, recipe, state, optimizer, valid_scorer(dataset))
    learner.model.load_state_dict(state.kept_weights)
    return learner.model, state.records


def _run_stages(
    learner: Learner,
    recipe: Recipe,
    state: TrainingState,
    optimizer: list[dict[str, Any]] | None,
    score: Scorer,
) -> None:
    learner.remove_cb(ProgressCallback)
    for number, stage in enumerate(stages(recipe)):
        if number < state.stage:
            continue
        if number > state.stage:
            state.stage, state.epoch = number, 0
        learner.freeze() if stage.frozen else learner.freeze_to(recipe.frozen_groups)
        if optimizer is not None:
            learner.opt.load_state_dict(
                {"state": _to_device(optimizer, learner.dls.device), "hypers": learner.opt.hypers}
            )
            optimizer = None
        if state.epoch < stage.epochs:
            _run_stage(learner, stage, state, _Epochs(state, number, score))


def _run_stage(learner: Learner, stage: Stage, state: TrainingState, epochs: Callback) -> None:
    bar = [_ProgressBar()] if sys.stderr.isatty() else []
    average = [_Averaging(state.average)] if state.average else []
    try:
        with learner.no_logging():
            learner.fit_one_cycle(
                stage.epochs,
                stage.learning_rate,
                pct_start=stage.pct_start,
                div=stage.div,
                start_epoch=state.epoch,
                cbs=[*average, epochs, *bar],
            )
    finally:
        for one in bar:
            one.stop()


def _to_device(state: list[dict[str, Any]], device: torch.device) -> list[dict[str, Any]]:
    return [{k: v.to(device) if torch.is_tensor(v) else v for k, v in s.items()} for s in state]


class _Epochs(Callback):
    """Seeds and records each epoch, and saves the state after it.

    The seed depends on the epoch's number, so that a resumed run continues exactly as one that was
    never stopped.
    """

    order = 60  # after the Recorder

    def __init__(self, state: TrainingState, stage: int, score: Scorer) -> None:
        self.state, self.stage, self.score = state, stage, score

    def before_epoch(self) -> None:
        seed = self.state.run["seed"]
        seed_everything(self.learn, (seed * 100 + self.stage) * 1000 + self.epoch)
        # Else carried over from the epoch before, which --resume may have skipped.
        self.recorder.smooth_loss.reset()
        self.started = time.monotonic()
        self.logits: list[torch.Tensor] = []

    def after_pred(self) -> None:
        if not self.training:
            self.logits.append(self.pred.detach().float().cpu())

    def after_epoch(self) -> None:
        if self.epoch < self.state.epoch:  # skipped by --resume
            return
        names, values = self.recorder.metric_names[1:], self.recorder.values[-1]
        record = {
            "stage": self.stage,
            "epoch": self.epoch,
            **dict(zip(names, values, strict=False)),
            **self.score(torch.cat(self.logits).numpy()),
            "seconds": round(time.monotonic() - self.started, 1),
        }
        self.state.finish_epoch(self.learn, record)
        print_record(record)


class _Averaging(Callback):
    """Adds the weights to their running average after each step, and validates the average."""

    order = 55  # before _Epochs

    def __init__(self, average: WeightAverage) -> None:
        self.average = average

    def after_batch(self) -> None:
        if self.training:
            self.average.update_parameters(self.learn.model)

    def before_validate(self) -> None:
        self.weights = copied(self.learn.model)
        self.learn.model.load_state_dict(self.average.module.state_dict())

    def after_validate(self) -> None:
        self.learn.model.load_state_dict(self.weights)


class _ProgressBar(Callback):
    """A progress bar over all batches of a stage, on stderr.

    The caller calls stop(): fastai does not call after_fit after Ctrl-C, and the cursor would stay
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
        total = self.n_epoch * (len(self.dls.train) + len(self.dls.valid))
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
