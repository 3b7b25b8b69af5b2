"""Timing: contenders take turns, and every figure is a median with its extremes."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Run = Callable[[], float]
"""One run of a contender; returns its seconds."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds of all runs of one contender; at least one."""

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
        """Seconds that this share (0 to 100) of the runs do not exceed."""
        return float(np.percentile(self.runs, percent))


def timed(work: Callable[[], object]) -> Run:
    """A run that takes as long as calling work takes."""

    def run() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return run


def alternate(contenders: Mapping[str, Run], repeats: int) -> dict[str, Seconds]:
    """Run all contenders in turn, A B C A B C …, `repeats` times, so that what drifts in the
    machine meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            gc.collect()  # nobody pays for what the one before left behind
            seconds[name].append(run())
    return {name: Seconds(tuple(runs)) for name, runs in seconds.items()}
