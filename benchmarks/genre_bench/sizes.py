"""Pictures of other sizes than the input: resized by the graph, or by the host, against Pillow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genre_export import bounds
from genre_export.difference import original_probabilities
from genre_infer import Classifier
from genre_infer.posters import Pixels, load_poster, squish
from genre_infer.progress import progress
from genre_train.checkpoint import read_checkpoint
from genre_train.dataset import Dataset

from .compare import judged
from .systems import system_name

SAMPLE = 64  # posters, evenly over the split
FACTORS = (0.5, 1.5, 2, 3.3, 8)
ODD = ((1000, 77), (77, 1000), (1, 1))  # width, height


class OtherSizes:
    """A sample of a split's posters at other sizes, and what the original says of each.

    The picture of a size is the poster, resized by Pillow. The original gets it squished to the
    input size by Pillow's bilinear filter. One picture at a time is in memory; the squished ones of
    all sizes are for a moment.
    """

    def __init__(self, checkpoint: Path, dataset: Dataset) -> None:
        source = read_checkpoint(checkpoint)
        self._input = source.size
        width, height = self._input
        chosen = np.unique(np.linspace(0, len(dataset.posters) - 1, SAMPLE).astype(int))
        self._paths = [dataset.folder / dataset.posters[i].name for i in chosen]
        self.posters = len(self._paths)
        scaled = {f"{f:g}x": (round(f * width), round(f * height)) for f in FACTORS}
        self._sizes = {f"{name} ({w}x{h})": (w, h) for name, (w, h) in scaled.items()}
        self._sizes |= {f"{w}x{h}": (w, h) for w, h in ODD}
        self._expected: dict[str, NDArray[np.float32]] = {}
        for name, size in self._sizes.items():
            squished = [squish(picture, *self._input) for picture in self._pictures(size)]
            self._expected[name] = original_probabilities(source, np.stack(squished))

    def _pictures(self, size: tuple[int, int]) -> Iterator[Image.Image]:
        for path in self._paths:
            yield load_poster(path).resize(size, Image.Resampling.BILINEAR)

    def rows(self, classifier: Classifier) -> Iterator[dict[str, Any]]:
        """Two rows for each size: resized by the graph (predict) and by the host (classify)."""
        name = system_name(classifier)
        rules = bounds.RESIZED.get(classifier.metadata.precision, ())
        for label, size in progress(self._sizes.items(), len(self._sizes), f"{name}, other sizes"):
            graph = [classifier.predict(_batch(p))[0] for p in self._pictures(size)]
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
                yield {**row, **judged(rules, figures)}


def _batch(picture: Image.Image) -> Pixels:
    return np.asarray(picture)[None]
