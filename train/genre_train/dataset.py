"""The dataset: films of a table joined with the posters of a folder, decoded."""

import hashlib
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_infer.cores import available_cores
from genre_infer.limits import Limits, PosterError
from genre_infer.posters import SUFFIXES, Pixels, poster_pixels
from genre_infer.progress import progress

from .table import SPLITS, Film, TableError, parse_imdb_id, read_table


@dataclass(frozen=True, slots=True)
class Poster:
    """A film with its poster.

    Attributes:
        imdb_id: The number of the film's IMDb id.
        name: The file, relative to the posters' folder.
        genres: In the order of the film's row.
        split: 'train', 'valid' or 'test'.
        domain: Where the poster is from; 'all' if the table does not say.
        year: The year of the film; None if the table does not say.
    """

    imdb_id: int
    name: str
    genres: tuple[str, ...]
    split: str
    domain: str
    year: int | None = None


@dataclass
class Dataset:
    """The posters of some splits, decoded.

    Attributes:
        posters: In the order of their IMDb ids. A film may have several.
        pixels: uint8 [posters, height, width, 3].
        genres: The vocabulary, which is alphabetical if it was counted here.
        rows: The rows of the table.
        left_out: Reason -> rows of the table that are not used.
        rare_genres: Genre -> train posters, for genres with too few of them.
        folder: The posters' folder.
        unreadable: The files that could not be decoded, each with the cause.
        form: How the table writes genres.
        further: How many posters were found beside their film's first one, if a row is a film.
    """

    posters: list[Poster]
    pixels: Pixels
    genres: list[str]
    rows: int
    left_out: Counter[str]
    rare_genres: dict[str, int]
    folder: Path
    unreadable: list[str] = field(default_factory=list)
    further: int = 0
    form: str = ""

    def indices(self, split: str) -> NDArray[np.int64]:
        """Return the positions of a split's posters."""
        return np.array([i for i, p in enumerate(self.posters) if p.split == split], dtype=np.int64)

    def thinned(self, fraction: int) -> "Dataset":
        """Return the dataset with one in `fraction` films of train, always the same ones."""
        kept = [
            i
            for i, poster in enumerate(self.posters)
            if poster.split != "train" or _hashed(poster.imdb_id, "thinned") * fraction < 1
        ]
        left_out = self.left_out + Counter({"another part of train": len(self.posters) - len(kept)})
        posters = [self.posters[i] for i in kept]
        return replace(self, posters=posters, pixels=self.pixels[kept], left_out=left_out)

    def _count(self, split: str) -> str:
        """Return a split's posters and their domains: '2814 test (kaggle 1444, kgp 422)'."""
        domains = Counter(poster.domain for poster in self.posters if poster.split == split)
        parts = ", ".join(f"{domain} {count}" for domain, count in sorted(domains.items()))
        return f"{domains.total():7} {split}" + (f" ({parts})" if len(domains) > 1 else "")

    def labels(self) -> NDArray[np.bool_]:
        """Return bool [posters, genres]."""
        column = {genre: i for i, genre in enumerate(self.genres)}
        labels = np.zeros((len(self.posters), len(self.genres)), dtype=bool)
        for row, poster in enumerate(self.posters):
            labels[row, [column[genre] for genre in poster.genres if genre in column]] = True
        return labels

    def domains(self) -> NDArray[np.str_]:
        """Return str [posters]; 'all' if the table has no domains."""
        return np.array([poster.domain for poster in self.posters])

    def fingerprint(self) -> str:
        """Return the sha256 of ids, splits, genres and decoded pixels, in hex.

        Two runs with the same fingerprint saw the same posters.
        """
        digest = hashlib.sha256()
        for poster, pixels in zip(self.posters, self.pixels, strict=True):
            row = f"{poster.imdb_id}\t{poster.split}\t{'|'.join(poster.genres)}\n"
            digest.update(row.encode())
            digest.update(np.ascontiguousarray(pixels).data)
        return digest.hexdigest()

    def report(self) -> str:
        """Say what is used, and what is left out and why, in numbers that add up."""
        films = len({poster.imdb_id for poster in self.posters})
        more = f", and {self.further} further posters of their films" if self.further else ""
        lines = [f"{self.rows} rows in the table{more}"]
        lines += [f"{len(self.posters)} posters of {films} films used"]
        lines += [f"  {self._count(split)}" for split in SPLITS]
        lines += [f"{sum(self.left_out.values())} left out"]
        lines += [f"  {count:7} {reason}" for reason, count in self.left_out.most_common()]
        form = f" (read as {self.form})" if self.form else ""
        lines += [f"{len(self.genres)} genres{form}: {', '.join(self.genres)}"]
        if self.rare_genres:
            rare = ", ".join(f"{genre} ({n})" for genre, n in sorted(self.rare_genres.items()))
            lines += [f"Genres left out, with their train posters: {rare}"]
        lines += [f"  {fault}" for fault in self.unreadable]
        return "\n".join(lines)


_NUMBERED = re.compile(r"(.*?)(?:-(\d+))?", re.DOTALL)  # matches every name


def load_dataset(
    table: Path,
    folder: Path,
    size: tuple[int, int],
    *,
    seed: int = 0,
    min_posters: int = 30,
    domains: tuple[str, ...] = (),
    splits: tuple[str, ...] = SPLITS,
    genres: list[str] | None = None,
) -> Dataset:
    """Join a table with a folder of posters, and decode the posters.

    Args:
        table: The CSV file.
        folder: The posters' folder.
        size: Width and height to decode to, in pixels.
        seed: The seed of the split, if the table has none.
        min_posters: How many train posters a genre needs to be in the vocabulary.
        domains: If given, only rows of these domains are used.
        splits: Posters of other splits are left out, and counted.
        genres: The vocabulary; without it, it is counted.

    Raises:
        TableError: The table cannot be used, no film has a poster, or no genre has enough of them.
    """
    films, left_out, form = read_table(table, domains)
    rows = len(films) + sum(left_out.values())
    files = find_posters(folder)
    candidates: list[Poster] = []
    further = 0
    for film in sorted(films, key=lambda film: film.imdb_id):
        split = film.split or hashed_split(film.imdb_id, seed)
        names = files.get(film.imdb_id, []) if film.file is None else _existing(film.file, folder)
        if split not in splits:
            left_out["another split"] += 1
        elif not names:
            left_out["no poster"] += 1
        else:
            candidates += [_poster(film, name, split) for name in names]
            further += len(names) - 1
    posters, pixels, unreadable = decode_posters(candidates, folder, size)
    left_out["unreadable"] += len(unreadable)
    if not posters:
        raise TableError(
            f"No film of {table.name} has a poster in {folder}: name posters by their imdbId, "
            f"as 114709.jpg or tt0114709.jpg. {dict(left_out)}"
        )
    rare: dict[str, int] = {}
    if genres is None:
        genres, rare = vocabulary(posters, min_posters)
    left_out = +left_out  # drops reasons that never came up
    return Dataset(posters, pixels, genres, rows, left_out, rare, folder, unreadable, further, form)


def _existing(file: str, folder: Path) -> list[str]:
    return [file] if (folder / file).is_file() else []


def _poster(film: Film, name: str, split: str) -> Poster:
    return Poster(film.imdb_id, name, film.genres, split, film.domain or "all", film.year)


def hashed_split(imdb_id: int, seed: int) -> str:
    """Choose a split for a film of a table without one: 80 % train, 10 % valid, 10 % test.

    It depends only on the id and the seed, so a film keeps its split when the table grows.
    """
    share = _hashed(imdb_id, seed)
    return "train" if share < 0.8 else "valid" if share < 0.9 else "test"


def _hashed(imdb_id: int, seed: int | str) -> float:
    """Return a number in [0, 1) that looks random and is always the same."""
    digest = hashlib.sha256(f"{seed}:{imdb_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def find_posters(folder: Path) -> dict[int, list[str]]:
    """Find the posters named by their imdbId, in a folder and below.

    114709.jpg and tt0114709.webp are posters of the film 114709, and 114709-2.jpg is a further one.

    Returns:
        imdbId -> the names of its files, relative to the folder, in the order of their numbers. Of
        two files with one number, the first one counts.

    Raises:
        TableError: There is no such folder.
    """
    if not folder.is_dir():
        raise TableError(f"The posters' folder {folder} does not exist.")
    found: dict[int, dict[int, str]] = {}
    for directory, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            match = _NUMBERED.fullmatch(stem)
            assert match is not None
            imdb_id = parse_imdb_id(match[1]) if suffix.lower() in SUFFIXES else None
            if imdb_id is not None:
                path = (Path(directory) / name).relative_to(folder).as_posix()
                found.setdefault(imdb_id, {}).setdefault(int(match[2] or 1), path)
    return {imdb_id: [names[n] for n in sorted(names)] for imdb_id, names in found.items()}


def decode_posters(
    posters: list[Poster], folder: Path, size: tuple[int, int]
) -> tuple[list[Poster], Pixels, list[str]]:
    """Decode posters with the runtime's own function.

    Args:
        posters: The posters.
        folder: The folder that their names are relative to.
        size: Width and height to decode to, in pixels.

    Returns:
        The posters that could be decoded, their pixels as uint8 [posters, height, width, 3], and
        the names of the others, each with the cause.
    """
    width, height = size
    pixels = np.empty((len(posters), height, width, 3), dtype=np.uint8)
    unreadable: list[str] = []
    good: list[int] = []

    def decode(position: int) -> str | None:
        try:
            path = folder / posters[position].name
            pixels[position] = poster_pixels(path, width, height, Limits())
        except PosterError as error:
            return f"{posters[position].name}: {error}"
        return None

    with ThreadPoolExecutor(available_cores()) as pool:  # Pillow releases the interpreter lock
        outcomes = pool.map(decode, range(len(posters)))
        for position, fault in enumerate(progress(outcomes, len(posters), "Decoding posters")):
            if fault is None:
                good.append(position)
            else:
                unreadable.append(fault)
    if unreadable:
        pixels = pixels[good]
    return [posters[i] for i in good], pixels, unreadable


def vocabulary(posters: list[Poster], min_posters: int) -> tuple[list[str], dict[str, int]]:
    """Choose the genres that have enough train posters.

    Returns:
        The genres with at least min_posters train posters, in alphabetical order, and the number
        of train posters of the others.

    Raises:
        TableError: No genre has that many.
    """
    counts = Counter(g for poster in posters if poster.split == "train" for g in poster.genres)
    everywhere = {genre for poster in posters for genre in poster.genres}
    genres = sorted(genre for genre, count in counts.items() if count >= min_posters)
    if not genres:
        raise TableError(
            f"No genre has {min_posters} train posters; give more posters or a lower --min-posters."
        )
    return genres, {genre: counts[genre] for genre in everywhere - set(genres)}
