"""The dataset: films of a table joined with the posters of a folder, decoded."""

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_infer.cores import available_cores
from genre_infer.posters import SUFFIXES, Limits, Pixels, PosterError, poster_pixels
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
    """

    imdb_id: int
    name: str
    genres: tuple[str, ...]
    split: str
    domain: str


@dataclass
class Dataset:
    """The posters of some splits, decoded.

    Attributes:
        posters: In the order of their IMDb ids.
        pixels: uint8 [posters, height, width, 3].
        genres: The vocabulary, which is alphabetical if it was counted here.
        rows: The rows of the table.
        left_out: Reason -> rows of the table that are not used.
        rare_genres: Genre -> train posters, for genres with too few of them.
        folder: The posters' folder.
        unreadable: The files that could not be decoded, each with the cause.
    """

    posters: list[Poster]
    pixels: Pixels
    genres: list[str]
    rows: int
    left_out: Counter[str]
    rare_genres: dict[str, int]
    folder: Path
    unreadable: list[str] = field(default_factory=list)

    def indices(self, split: str) -> NDArray[np.int64]:
        """Return the positions of a split's posters."""
        return np.array([i for i, p in enumerate(self.posters) if p.split == split], dtype=np.int64)

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
        splits = Counter(poster.split for poster in self.posters)
        lines = [f"{self.rows} rows in the table: {len(self.posters)} posters used"]
        lines += [f"  {splits[split]:7} {split}" for split in SPLITS]
        lines += [f"{sum(self.left_out.values())} left out"]
        lines += [f"  {count:7} {reason}" for reason, count in self.left_out.most_common()]
        lines += [f"{len(self.genres)} genres: {', '.join(self.genres)}"]
        if self.rare_genres:
            rare = ", ".join(f"{genre} ({n})" for genre, n in sorted(self.rare_genres.items()))
            lines += [f"Genres left out, with their train posters: {rare}"]
        lines += [f"  {fault}" for fault in self.unreadable]
        return "\n".join(lines)


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
    films, left_out = read_table(table, domains)
    rows = len(films) + sum(left_out.values())
    files = find_posters(folder)
    candidates = []
    for film in sorted(films, key=lambda film: film.imdb_id):
        split = film.split or hashed_split(film.imdb_id, seed)
        if split not in splits:
            left_out["another split"] += 1
        elif film.imdb_id not in files:
            left_out["no poster"] += 1
        else:
            candidates.append(_poster(film, files[film.imdb_id], split))
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
    return Dataset(posters, pixels, genres, rows, left_out, rare, folder, unreadable)


def _poster(film: Film, name: str, split: str) -> Poster:
    return Poster(film.imdb_id, name, film.genres, split, film.domain or "all")


def hashed_split(imdb_id: int, seed: int) -> str:
    """Choose a split for a film of a table without one: 80 % train, 10 % valid, 10 % test.

    It depends only on the id and the seed, so a film keeps its split when the table grows.
    """
    digest = hashlib.sha256(f"{seed}:{imdb_id}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if share < 0.8 else "valid" if share < 0.9 else "test"


def find_posters(folder: Path) -> dict[int, str]:
    """Find the posters named by their imdbId, in a folder and below.

    Returns:
        imdbId -> the name of the first such file, relative to the folder.

    Raises:
        TableError: There is no such folder.
    """
    if not folder.is_dir():
        raise TableError(f"The posters' folder {folder} does not exist.")
    found: dict[int, str] = {}
    for directory, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            imdb_id = parse_imdb_id(stem) if suffix.lower() in SUFFIXES else None
            if imdb_id is not None:
                found.setdefault(imdb_id, (Path(directory) / name).relative_to(folder).as_posix())
    return found


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
