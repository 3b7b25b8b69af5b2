"""The comparison right after writing: the file, through an engine, against PyTorch."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genre_infer.engines import Engine
from genre_infer.errors import GenreInferError
from genre_infer.posters import Pixels
from genre_train.checkpoint import Checkpoint

from .fold import Original


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


CLEAR_LEAD = 0.02  # the best two genres of a poster differ by more: the first one should stay
NEAR = 1e-4  # a label may flip where the original itself is as near to its threshold


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a file from the original over some posters.

    largest, percentile_99, mean: of |probability difference|. labels_agree: share of poster-genre
    pairs on the same side of the threshold. labels_flipped_away_from_threshold: pairs that are not,
    where the original is not within NEAR of it. named_labels_kept: share of the original's named
    labels that the file names too. first_genre_kept: share of posters with the same first genre, of
    those whose best two differ by more than CLEAR_LEAD in the original; None where there are none.
    """

    posters: int
    largest: float
    percentile_99: float
    mean: float
    labels_agree: float
    labels_flipped_away_from_threshold: int
    named_labels_kept: float | None
    first_genre_kept: float | None


@torch.inference_mode()
def original_probabilities(
    checkpoint: Checkpoint, posters: Pixels, batch_size: int = 32
) -> NDArray[np.float32]:
    """What the original says: float32 [posters, genres]."""
    original = Original(checkpoint).eval()
    batches = (posters[i : i + batch_size] for i in range(0, len(posters), batch_size))
    parts = [original(torch.from_numpy(batch.copy())).numpy() for batch in batches]
    return np.concatenate(parts)


def engine_probabilities(engine: Engine, posters: Pixels) -> NDArray[np.float32]:
    """What the file says through an engine: float32 [posters, genres]."""
    size = engine.batch_size
    batches = [posters[i : i + size] for i in range(0, len(posters), size)]
    with ThreadPoolExecutor(engine.lanes) as lanes:
        return np.concatenate(list(lanes.map(engine.run, batches)))


def compare(
    expected: NDArray[np.float32],
    given: NDArray[np.float32],
    genres: list[str],
    thresholds: Mapping[str, float | None],
) -> Difference:
    """Measure the difference of two sets of probabilities [posters, genres]."""
    row = np.array([np.inf if (t := thresholds.get(g)) is None else t for g in genres])
    return difference_of(expected.astype(np.float64), given.astype(np.float64), row)


def difference_of(
    theirs: NDArray[np.float64], ours: NDArray[np.float64], row: NDArray[np.float64]
) -> Difference:
    """The same for thresholds [genres], infinity where a genre is never named."""
    difference = np.abs(theirs - ours)
    named, still = theirs >= row, ours >= row
    near = np.abs(theirs - row) <= NEAR
    best = np.sort(theirs, axis=1)[:, ::-1]
    clear = best[:, 0] - best[:, 1] > CLEAR_LEAD if best.shape[1] > 1 else np.ones(len(best), bool)
    same = theirs.argmax(axis=1) == ours.argmax(axis=1)
    return Difference(
        len(theirs),
        float(difference.max()),
        float(np.quantile(difference, 0.99)),
        float(difference.mean()),
        float((named == still).mean()),
        int(((named != still) & ~near).sum()),
        float(still[named].mean()) if named.any() else None,
        float(same[clear].mean()) if clear.any() else None,
    )


_MEND = {"int8": " Where the body was hardly trained, --equalisation 0 may mend it."}


def refuse_mismatch(found: Difference, precision: str) -> None:
    """Raise MismatchError where a file is further from the original than its precision may be."""
    bound = BOUNDS[precision]
    faults = []
    if not found.largest <= bound.largest:  # so that NaN counts as a fault
        faults.append(f"largest difference {found.largest:.2g} over {bound.largest:g}")
    if not found.percentile_99 <= bound.percentile_99:
        faults.append(f"99th percentile {found.percentile_99:.2g} over {bound.percentile_99:g}")
    if not found.labels_agree >= bound.agreement:
        faults.append(f"{found.labels_agree:.2%} of labels agree, under {bound.agreement:.2%}")
    if faults:
        raise MismatchError(
            f"The {precision} file does not answer as the checkpoint does over {found.posters} "
            f"posters ({'; '.join(faults)}); it was not kept.{_MEND.get(precision, '')}"
        )
