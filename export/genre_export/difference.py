"""How far a file's probabilities are from PyTorch's."""

import dataclasses
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
from genre_train.metrics import threshold_row

from .bounds import KEPT, missed
from .fold import Original

CLEAR_LEAD = 0.02  # where the best two genres differ by more, the first one should stay first
NEAR = 1e-4  # a label may flip where the original is this near to its threshold


class MismatchError(GenreInferError):
    """The exported file does not answer as the original does."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a file's answers differ from the original's over some posters.

    Attributes:
        posters: How many posters were compared.
        largest: The largest |probability difference|.
        percentile_99: The 99th percentile of |probability difference|.
        mean: The mean of |probability difference|.
        labels_agree: Share of poster-genre pairs on the same side of the threshold.
        labels_flipped_away_from_threshold: Pairs on different sides, without those where the
            original is within NEAR of the threshold.
        named_labels_kept: Share of the labels named by the original that the file names too; None
            where the original names none.
        first_genre_kept: Share of posters with the same first genre, of those whose best two
            genres differ by more than CLEAR_LEAD in the original; None where there are none.
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
    """Return the original's probabilities, float32 [posters, genres].

    Args:
        checkpoint: The original.
        posters: uint8 [posters, height, width, 3] at the input size.
        batch_size: Posters in a batch.
    """
    original = Original(checkpoint).eval()
    batches = (posters[i : i + batch_size] for i in range(0, len(posters), batch_size))
    parts = [original(torch.from_numpy(batch.copy())).numpy() for batch in batches]
    return np.concatenate(parts)


def engine_probabilities(engine: Engine, posters: Pixels) -> NDArray[np.float32]:
    """Return a file's probabilities, float32 [posters, genres].

    Args:
        engine: The engine that has opened the file.
        posters: uint8 [posters, height, width, 3] at the input size.
    """
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
    """Compare the original's and a file's probabilities, both [posters, genres].

    Args:
        expected: The original's.
        given: The file's.
        genres: The genres, in the order of the columns.
        thresholds: Genre -> threshold, or None where the genre is never named.
    """
    row = threshold_row(thresholds, genres)
    return difference_of(expected.astype(np.float64), given.astype(np.float64), row)


def difference_of(
    theirs: NDArray[np.float64], ours: NDArray[np.float64], row: NDArray[np.float64]
) -> Difference:
    """Compare the original's (theirs) and a file's probabilities, both [posters, genres].

    Args:
        theirs: The original's.
        ours: The file's.
        row: Thresholds [genres], infinity where a genre is never named.
    """
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


def refuse_mismatch(found: Difference, precision: str) -> None:
    """Refuse a file that is broken.

    Args:
        found: The file's difference from the original.
        precision: The file's precision.

    Raises:
        MismatchError: The file misses a rule in KEPT.
    """
    if faults := missed(KEPT[precision], dataclasses.asdict(found)):
        hint = " If the body was hardly trained, try --equalisation 0." * (precision == "int8")
        raise MismatchError(
            f"The {precision} file does not answer as the checkpoint does: over {found.posters} "
            f"posters it misses {'; '.join(faults)}. It was not kept.{hint}"
        )
