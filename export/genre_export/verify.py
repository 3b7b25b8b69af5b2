"""The comparison right after writing: the file, through an engine, against PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genre_infer.engines import Engine
from genre_infer.errors import GenreInferError
from genre_infer.posters import Pixels

from .checkpoint import Checkpoint, Original


@dataclass(frozen=True, slots=True)
class Bound:
    """How far a precision may be from the original. largest, percentile_99: of |probability
    difference|. agreement: least share of poster-genre pairs on the same side of the threshold."""

    largest: float
    percentile_99: float
    agreement: float


BOUNDS = {
    "float32": Bound(1e-4, 1e-4, 0.999),
    "float16": Bound(5e-3, 5e-3, 0.99),
    # Single pairs may move far in int8; what is bounded is how many do. A broken file (saturated
    # sums, a swapped axis) is far outside; the exact figures are genre-bench parity's to tell.
    "int8": Bound(1.0, 0.15, 0.9),
}


class MismatchError(GenreInferError):
    """The exported file does not answer as the original does."""


@dataclass(frozen=True, slots=True)
class Parity:
    """What was measured: posters compared, and the figures that Bound names."""

    posters: int
    largest: float
    percentile_99: float
    agreement: float


@torch.inference_mode()
def original_probabilities(
    checkpoint: Checkpoint, posters: Pixels, batch_size: int = 32
) -> NDArray[np.float32]:
    """What the original says: float32 [posters, genres]."""
    original = Original(checkpoint).eval()
    batches = (posters[i : i + batch_size] for i in range(0, len(posters), batch_size))
    parts = [original(torch.from_numpy(batch.copy())).numpy() for batch in batches]
    return np.concatenate(parts)


def engine_probabilities(
    engine: Engine, posters: Pixels, batch_size: int = 8
) -> NDArray[np.float32]:
    """What the file says through an engine: float32 [posters, genres]."""
    batches = (posters[i : i + batch_size] for i in range(0, len(posters), batch_size))
    return np.concatenate([engine.run(batch) for batch in batches])


def compare(
    expected: NDArray[np.float32],
    given: NDArray[np.float32],
    genres: list[str],
    thresholds: Mapping[str, float | None],
) -> Parity:
    """Measure the difference of two sets of probabilities [posters, genres]."""
    difference = np.abs(expected.astype(np.float64) - given)
    row = np.array([np.inf if (t := thresholds.get(g)) is None else t for g in genres])
    agreement = ((expected >= row) == (given >= row)).mean()
    return Parity(
        len(expected),
        float(difference.max()),
        float(np.quantile(difference, 0.99)),
        float(agreement),
    )


def refuse_mismatch(parity: Parity, precision: str) -> None:
    """Raise MismatchError where a file is further from the original than its precision may be."""
    bound = BOUNDS[precision]
    faults = []
    if not parity.largest <= bound.largest:  # so that NaN counts as a fault
        faults.append(f"largest difference {parity.largest:.2g} over {bound.largest:g}")
    if not parity.percentile_99 <= bound.percentile_99:
        faults.append(f"99th percentile {parity.percentile_99:.2g} over {bound.percentile_99:g}")
    if not parity.agreement >= bound.agreement:
        faults.append(f"{parity.agreement:.2%} of labels agree, under {bound.agreement:.2%}")
    if faults:
        raise MismatchError(
            f"The {precision} file does not answer as the checkpoint does over {parity.posters} "
            f"posters ({'; '.join(faults)}); it was not kept."
        )
