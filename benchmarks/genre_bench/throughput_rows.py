"""From seconds to the rows of genre-bench throughput."""

from dataclasses import dataclass
from typing import Any

from genre_infer.engines import GPUS

from .timing import Seconds

# The stages that are measured.
FOLDER, PROCESS, GET_PREDS = "folder to rows", "whole process", "get_preds"
DECODE_ONE, DECODE_ALL = "decode, one core", "decode, all cores"
DECODE_FULL = "full decode, all cores"
NETWORK, FLOAT32, TORCH = "network", "network, float32", "network, PyTorch"


RATIOS = ("get_preds", "full_decode", "float32", "torch")  # to what; columns times_…

TITLES = {
    "stage": "stage",
    "system": "system",
    "runs": "runs",
    "posters_per_s": "posters/s",
    "slowest": "slowest",
    "fastest": "fastest",
    "times_get_preds": "x get_preds",
    "times_full_decode": "x full decode",
    "times_float32": "x float32",
    "share_of_limit": "of the limit",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What was timed: a stage of a system on a device ('' where there is none to choose), with its
    engine's version, over this many posters a run, and the model file where there is one."""

    stage: str
    system: str
    device: str
    engine: str
    posters: int
    model: str = ""

    @property
    def key(self) -> str:
        """Unique in a run."""
        return f"{self.stage}: {self.system}"


class Rates:
    """Posters a second of all contenders, from the medians of their runs."""

    def __init__(self, measured: dict[str, Measured], seconds: dict[str, Seconds]) -> None:
        self._measured = measured
        self._rates = {key: one.posters / seconds[key].median for key, one in measured.items()}

    def best(self, stage: str, device: str | None = None) -> float | None:
        """The best rate of a stage; None where it was not measured."""
        found = [
            rate
            for key, rate in self._rates.items()
            if self._measured[key].stage == stage and device in (None, self._measured[key].device)
        ]
        return max(found, default=None)

    def limit(self, device: str, cores: int) -> float | None:
        """What decoding and network allow together on a device: 1 / (t_network + t_decode / cores)
        where they share the cores; the slower of the two where the network has a GPU."""
        network, decoding = self.best(NETWORK, device), self.best(DECODE_ONE)
        if network is None or decoding is None:
            return None
        if device in GPUS:
            return min(network, decoding * cores)
        return 1 / (1 / network + 1 / decoding / cores)


def figures(
    measured: dict[str, Measured],
    seconds: dict[str, Seconds],
    cores: int,
    common: dict[str, Any],
) -> list[dict[str, Any]]:
    """A row for each contender: posters a second (median, slowest and fastest run), and its ratios
    to the others' medians; '' where a ratio means nothing. common: columns of all rows."""
    rates = Rates(measured, seconds)
    rows = []
    for key, one in measured.items():
        rate = one.posters / seconds[key].median
        row = {
            "stage": one.stage,
            "system": one.system,
            "runs": len(seconds[key].runs),
            "posters_per_s": rate,
            "slowest": one.posters / seconds[key].slowest,
            "fastest": one.posters / seconds[key].fastest,
        }
        limit: float | None = None
        against: dict[str, float | None] = dict.fromkeys(RATIOS)
        if one.stage in (FOLDER, PROCESS):
            against |= {"get_preds": rates.best(GET_PREDS), "full_decode": rates.best(DECODE_FULL)}
            limit = rates.limit(one.device, cores)
        elif one.stage in (NETWORK, FLOAT32, TORCH):
            against |= {"float32": rates.best(FLOAT32), "torch": rates.best(TORCH)}
        row |= {f"times_{name}": ratio(rate, other) for name, other in against.items()}
        row |= {"share_of_limit": ratio(rate, limit), "device": one.device, "engine": one.engine}
        rows.append({**row, "model": one.model, "posters_a_run": one.posters, **common})
    return rows


def ratio(value: float, by: float | None) -> float | str:
    """value / by, or '' where there is nothing to divide by."""
    return "" if by is None else value / by
