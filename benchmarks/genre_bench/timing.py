"""Timing: contenders take turns, and figures are medians with the fastest and slowest run."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Run = Callable[[], float]
"""One run of a contender. Returns its seconds."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """The seconds of all runs of one contender. There is at least one run."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.runs)

    @property
    def fastest(self) -> float:
        """Seconds."""
        return min(self.runs)

    @property
    def slowest(self) -> float:
        """Seconds."""
        return max(self.runs)

    def percentile(self, percent: float) -> float:
        """Return the seconds that this share of the runs, 0 to 100, does not exceed."""
        return float(np.percentile(self.runs, percent))


def timed(work: Callable[[], object]) -> Run:
    """Make a run of a function."""

    def run() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return run


def alternate(contenders: Mapping[str, Run], repeats: int) -> dict[str, Seconds]:
    """Run all contenders in turn, A B C A B C …, `repeats` times.

    A machine that gets slower or faster during the measurement does so for all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            gc.collect()  # a run does not pay for the garbage of the one before
            seconds[name].append(run())
    return {name: Seconds(tuple(runs)) for name, runs in seconds.items()}


def ratio(value: float | None, by: float | None) -> float | str:
    """Return value / by for a row of figures, or '' where one of them was not measured."""
    return "" if value is None or by is None else value / by
