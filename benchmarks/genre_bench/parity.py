"""genre-bench parity: how far model files are from the original, from file to probability."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import average_precision_score

from genre_export import bounds
from genre_export.difference import difference_of, original_probabilities
from genre_infer import Classifier
from genre_infer.posters import load_poster, squish
from genre_infer.progress import progress
from genre_train import metrics
from genre_train.checkpoint import read_checkpoint
from genre_train.dataset import Dataset

from .systems import (
    Answers,
    Devices,
    Models,
    Probabilities,
    exported,
    file_answers,
    original_answers,
    refuse_others,
    system_name,
)
from .tables import print_and_write

SAMPLE = 64  # posters that are resized, evenly over the split
FACTORS = (0.5, 1.5, 2, 3.3, 8)  # of the input size
ODD = ((1000, 77), (77, 1000), (1, 1))  # width, height


def run_parity(
    *,
    models: Models,
    checkpoint: Path,
    table: Path,
    posters: Path,
    split: str,
    devices: tuple[str, ...],
    csv_file: Path | None,
    sizes_file: Path | None,
) -> None:
    """Print and write the difference of all systems from the original, and which bounds they miss.

    Args:
        models: The files; none is the packaged model, and float32 and float16 files that are
            exported from the checkpoint.
        checkpoint: The folder that all of them were exported from.
        table: CSV of films.
        posters: Folder of posters.
        split: The posters to measure on.
        devices: See systems.Devices.
        csv_file: Where the rows at the input size go.
        sizes_file: Where the rows at other sizes go.

    Raises:
        GenreInferError: A model, the checkpoint, the table or a device cannot be used.
    """
    rows: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    with ExitStack() as stack:
        refuse_others(models or (None,), checkpoint)
        if not models:
            models = (None, *stack.enter_context(exported(checkpoint, "float32", "float16")))
        original, dataset = original_answers(checkpoint, table, posters, split)
        click.echo(dataset.report(), err=True)
        others = OtherSizes(checkpoint, dataset)
        for classifier in Devices(devices).classifiers(models):
            rows.append(parity_row(file_answers(classifier, dataset), original, dataset))
            sizes += others.rows(classifier)
    title = f"Difference from the original over {len(dataset.posters)} posters of {split}"
    print_and_write("parity", title, rows, csv_file)
    for row in rows:
        if row["missed"]:
            click.echo(f"{row['system']} misses: {row['missed']}", err=True)
    title = f"The same at other sizes, over {others.posters} of them"
    print_and_write("parity", title, sizes, sizes_file)
    for row in sizes:
        if row["missed"]:
            click.echo(f"{row['system']}, {row['size']}, misses: {row['missed']}", err=True)


def parity_row(system: Answers, original: Answers, dataset: Dataset) -> dict[str, Any]:
    """Measure how far a system is from the original, and judge it by its precision's bound.

    Labels of both are taken at the original's thresholds, so that new thresholds do not count as
    differences.
    """
    ours, theirs = system.probabilities, original.probabilities
    changes = ap_changes(ours, theirs, dataset.labels(), dataset.domains())
    figures = {
        **dataclasses.asdict(difference_of(theirs, ours, original.thresholds)),
        **{f"{bounds.AP_CHANGE}_{domain}": change for domain, change in changes.items()},
    }
    rules = bounds.RULES[system.precision]
    return {"system": system.name, **figures, **_judged(rules, figures)}


def _judged(rules: Sequence[bounds.Rule], figures: dict[str, Any]) -> dict[str, str]:
    """Return the columns bound, met and missed, all empty where there is no bound.

    met is yes, no, or in part, where the figure of a rule could not be measured.
    """
    faults = bounds.missed(rules, figures)
    met = "no" if faults else "in part" if bounds.unjudged(rules, figures) else "yes"
    met = met if rules else ""
    return {"bound": bounds.bound(rules), "met": met, "missed": "; ".join(faults)}


def ap_changes(
    ours: Probabilities, theirs: Probabilities, labels: NDArray[np.bool_], domains: NDArray[np.str_]
) -> dict[str, float | None]:
    """Subtract the macro average precision of theirs from that of ours, for each domain.

    Args:
        ours: float64 [posters, genres].
        theirs: The same shape.
        labels: bool, the same shape.
        domains: The domain of each poster, [posters].

    Returns:
        Domain -> change over the genres with enough posters there; None where no genre has.
    """
    changes: dict[str, float | None] = {}
    for domain in np.unique(domains):
        chosen = domains == domain
        columns = metrics.supported(labels[chosen])
        if not len(columns):
            changes[str(domain)] = None
            continue
        truth = labels[chosen][:, columns]
        ap = [average_precision_score(truth, p[chosen][:, columns]) for p in (ours, theirs)]
        changes[str(domain)] = float(ap[0] - ap[1])
    return changes


class OtherSizes:
    """A sample of a split's posters, resized by Pillow, with the original's answer for each.

    The original gets each resized picture squished to the input size by Pillow's bilinear filter.
    To save memory the pictures are resized again whenever they are needed.

    Attributes:
        posters: How many posters the sample has.
    """

    def __init__(self, checkpoint: Path, dataset: Dataset) -> None:
        source = read_checkpoint(checkpoint)
        width, height = source.size
        chosen = np.unique(np.linspace(0, len(dataset.posters) - 1, SAMPLE).astype(int))
        self._paths = [dataset.folder / dataset.posters[i].name for i in chosen]
        self.posters = len(self._paths)
        scaled = {f"{f:g}x": (round(f * width), round(f * height)) for f in FACTORS}
        self._sizes = {f"{name} ({w}x{h})": (w, h) for name, (w, h) in scaled.items()}
        self._sizes |= {f"{w}x{h}": (w, h) for w, h in ODD}
        self._expected: dict[str, NDArray[np.float32]] = {}
        for name, size in self._sizes.items():
            squished = [squish(picture, width, height) for picture in self._pictures(size)]
            self._expected[name] = original_probabilities(source, np.stack(squished))

    def _pictures(self, size: tuple[int, int]) -> Iterator[Image.Image]:
        for path in self._paths:
            yield load_poster(path).resize(size, Image.Resampling.BILINEAR)

    def rows(self, classifier: Classifier) -> Iterator[dict[str, Any]]:
        """Yield two rows for each size: resized by the graph (predict) and by the host (classify).

        The columns largest, percentile_99 and mean are of |probability difference|.
        """
        name = system_name(classifier)
        rules = bounds.RESIZED.get(classifier.metadata.precision, ())
        for label, size in progress(self._sizes.items(), len(self._sizes), f"{name}, other sizes"):
            graph = [classifier.predict(np.asarray(p)[None])[0] for p in self._pictures(size)]
            results = classifier.classify_many(self._pictures(size))
            host = [np.array(list((r.scores or {}).values()), np.float32) for r in results]
            for way, given in (("graph", graph), ("host", host)):
                difference = np.abs(np.stack(given).astype(np.float64) - self._expected[label])
                figures = {
                    "posters": len(difference),
                    "largest": float(difference.max()),
                    "percentile_99": float(np.quantile(difference, 0.99)),
                    "mean": float(difference.mean()),
                }
                row = {"system": name, "size": label, "shrunk_by": way, **figures}
                yield {**row, **_judged(rules, figures)}
