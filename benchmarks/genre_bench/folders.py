"""Folders of posters to measure on: real posters, drawn ones, or many links to a few."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from genre_export.compared import drawn_posters
from genre_infer.discover import Discovery
from genre_infer.errors import GenreInferError

DRAWN = 256  # different posters that are drawn at most
SIZE = (182, 268)  # of Kaggle's posters, and of the packaged model's input
QUALITY = 90  # of drawn JPEGs


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of posters.

    Attributes:
        path: The folder.
        files: All files in it, in the order in which genre-infer finds them.
        drawn: Whether the posters were drawn for the run.
    """

    path: Path
    files: tuple[Path, ...]
    drawn: bool

    def describe(self) -> dict[str, object]:
        """Return the columns that describe the posters in a row of figures.

        They are the number of posters, whether they were drawn, their median width and height in
        pixels, and their mean size in kB (1,000 bytes).
        """
        some = self.files[:200]  # to open a million files would take a while
        sizes = []
        for file in some:
            with Image.open(file) as picture:
                sizes.append(picture.size)
        width, height = (int(value) for value in np.median(sizes, axis=0))
        kilobytes = np.mean([file.stat().st_size for file in some]) / 1000
        return {
            "posters": len(self.files),
            "posters_from": "drawn" if self.drawn else "a folder",
            "poster_size": f"{width}x{height}",
            "poster_kb": round(float(kilobytes), 1),
        }


@contextmanager
def poster_folder(
    posters: Path | None, count: int | None, size: tuple[int, int] | None
) -> Iterator[Folder]:
    """Make a folder with `count` posters, which is removed after the block.

    Args:
        posters: A folder whose first posters are linked, from the start again where it has fewer
            than `count`. None draws JPEGs, at most 256 different ones.
        count: None is all posters of the folder, or 256 drawn ones.
        size: Width and height of drawn posters; None is 182x268.

    Raises:
        GenreInferError: The folder has no posters.
    """
    with TemporaryDirectory(prefix="genre-bench-") as name:
        folder, drawn = Path(name) / "posters", Path(name) / "drawn"
        for made in (folder, drawn):
            made.mkdir()
        if posters is None:
            files = list(_draw(drawn, min(count or DRAWN, DRAWN), size or SIZE))
        else:
            found = (Path(path) for path in Discovery([str(posters)]) if path)
            files = list(islice(found, count))
        if not files:
            raise GenreInferError(f"The folder {posters} has no posters in it.")
        links = tuple(link_all(folder, files, count or len(files)))
        yield Folder(folder, links, drawn=posters is None)


def _draw(folder: Path, count: int, size: tuple[int, int]) -> Iterator[Path]:
    for number in range(count):
        path = folder / f"{number:07}.jpg"
        (pixels,) = drawn_posters(1, *size, seed=number)
        Image.fromarray(pixels).save(path, quality=QUALITY)
        yield path


def link_all(folder: Path, files: Sequence[Path], count: int) -> Iterator[Path]:
    """Fill a folder with `count` symbolic links to the files in turn; yield the links."""
    targets = [(file.resolve(), file.suffix.lower()) for file in files]
    for number in range(count):
        target, suffix = targets[number % len(targets)]
        path = folder / f"{number:07}{suffix}"
        path.symlink_to(target)
        yield path
