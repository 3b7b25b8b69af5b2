"""The contenders of genre-bench throughput, and their rows of figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from genre_infer.engines import GPUS

from .timing import Run, Seconds, ratio

RATIOS = ("get_preds", "full_decode", "float32", "torch")  # the columns times_…


class Stage(StrEnum):
    """What is timed."""

    FOLDER = "folder to rows"
    PROCESS = "whole process"
    GET_PREDS = "get_preds"
    DECODE_ONE = "decode, one core"
    DECODE_ALL = "decode, all cores"
    DECODE_FULL = "full decode, all cores"
    NETWORK = "network"
    FLOAT32 = "network, float32"
    TORCH = "network, PyTorch"


@dataclass(frozen=True, slots=True)
class Contender:
    """A stage of a system that is timed.

    Attributes:
        stage: What is timed.
        system: The provider, or another name.
        device: The device, or '' where there is none to choose.
        engine: The engine's packages with their versions.
        posters: How many posters a run takes.
        run: Runs it once.
        model: The model file, if any.
    """

    stage: Stage
    system: str
    device: str
    engine: str
    posters: int
    run: Run
    model: str = ""

    @property
    def key(self) -> str:
        """Unique among the contenders."""
        return f"{self.stage}: {self.system}"


class _Rates:
    """Posters a second of all contenders, from the medians of their runs."""

    def __init__(self, contenders: Sequence[Contender], seconds: Mapping[str, Seconds]) -> None:
        self._rates = [(one, one.posters / seconds[one.key].median) for one in contenders]

    def best(self, stage: Stage, device: str | None = None) -> float | None:
        """Return the best rate of a stage, on a device; None where it was not measured."""
        found = [
            rate for one, rate in self._rates if one.stage == stage and device in (None, one.device)
        ]
        return max(found, default=None)

    def limit(self, device: str, cores: int) -> float | None:
        """Return the rate that decoding and network allow together on a device.

        It is 1 / (t_network + t_decode / cores) where they share the cores, and that of the slower
        one where the network is on a GPU.
        """
        network, decoding = self.best(Stage.NETWORK, device), self.best(Stage.DECODE_ONE)
        if network is None or decoding is None:
            return None
        if device in GPUS:
            return min(network, decoding * cores)
        return 1 / (1 / network + 1 / decoding / cores)


def throughput_rows(
    contenders: Sequence[Contender],
    seconds: Mapping[str, Seconds],
    cores: int,
    common: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Make a row for each contender: posters a second, and ratios to the others' medians.

    Args:
        contenders: All of a run.
        seconds: Their seconds, by key.
        cores: How many cores were used.
        common: Columns that are the same in all rows.
    """
    rates = _Rates(contenders, seconds)
    rows = []
    for one in contenders:
        runs = seconds[one.key]
        rate = one.posters / runs.median
        row = {
            "stage": one.stage.value,
            "system": one.system,
            "runs": len(runs.runs),
            "posters_per_s": rate,
            "slowest": one.posters / runs.slowest,
            "fastest": one.posters / runs.fastest,
        }
        limit: float | None = None
        against: dict[str, float | None] = dict.fromkeys(RATIOS)
        if one.stage in (Stage.FOLDER, Stage.PROCESS):
            against |= {
                "get_preds": rates.best(Stage.GET_PREDS),
                "full_decode": rates.best(Stage.DECODE_FULL),
            }
            limit = rates.limit(one.device, cores)
        elif one.stage in (Stage.NETWORK, Stage.FLOAT32, Stage.TORCH):
            against |= {"float32": rates.best(Stage.FLOAT32), "torch": rates.best(Stage.TORCH)}
        row |= {f"times_{name}": ratio(rate, other) for name, other in against.items()}
        row |= {"share_of_limit": ratio(rate, limit), "device": one.device, "engine": one.engine}
        rows.append({**row, "model": one.model, "posters_a_run": one.posters, **common})
    return rows
