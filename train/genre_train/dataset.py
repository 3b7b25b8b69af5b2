"""Films of a table joined with the posters of a folder: what a training run sees."""

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_infer.cores import available_cores
from genre_infer.posters import SUFFIXES, Limits, Pixels, PosterError, poster_pixels
from genre_infer.progress import progress

from .table import SPLITS, Film, TableError, parse_imdb_id, read_table


@dataclass(frozen=True, slots=True)
class Poster:
    """A film with its poster. name: the file, relative to the posters' folder."""

    imdb_id: int
    name: str
    genres: tuple[str, ...]
    split: str
    domain: str


@dataclass
class Dataset:
    """The posters of all splits, decoded.

    posters: in order of their IMDb id. pixels: uint8 [posters, height, width, 3].
    genres: the vocabulary, alphabetical. left_out: rows of the table by the reason why.
    rare_genres: genre -> train posters, for those below --min-posters.
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
        """The positions of a split's posters."""
        return np.array([i for i, p in enumerate(self.posters) if p.split == split], dtype=np.int64)

    def labels(self) -> NDArray[np.bool_]:
        """bool [posters, genres]."""
        column = {genre: i for i, genre in enumerate(self.genres)}
        labels = np.zeros((len(self.posters), len(self.genres)), dtype=bool)
        for row, poster in enumerate(self.posters):
            labels[row, [column[genre] for genre in poster.genres if genre in column]] = True
        return labels

    def domains(self) -> NDArray[np.str_]:
        """str [posters]; 'all' where the table has no domains."""
        return np.array([poster.domain for poster in self.posters])

    def fingerprint(self) -> str:
        """sha256 over ids, splits, genres and decoded pixels: two runs with one fingerprint saw the
        same posters."""
        digest = hashlib.sha256()
        for poster, pixels in zip(self.posters, self.pixels, strict=True):
            row = f"{poster.imdb_id}\t{poster.split}\t{'|'.join(poster.genres)}\n"
            digest.update(row.encode())
            digest.update(np.ascontiguousarray(pixels).data)
        return digest.hexdigest()

    def report(self) -> str:
        """What was used and what was left out and why, in numbers that add up."""
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
    """Join a table with a folder of posters and decode all posters to size (width, height).

    With `splits`, the other splits are left out (and counted). `genres` fixes the vocabulary;
    without it, it is the genres with at least min_posters posters in train. Raises TableError.
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
            f"No film of {table.name} has a poster in {folder}: posters are named by their "
            f"imdbId, as 114709.jpg or tt0114709.jpg. {dict(left_out)}"
        )
    rare: dict[str, int] = {}
    if genres is None:
        genres, rare = vocabulary(posters, min_posters)
    left_out = +left_out  # drops reasons that never came up
    return Dataset(posters, pixels, genres, rows, left_out, rare, folder, unreadable)


def first_genre_only(dataset: Dataset, min_posters: int) -> Dataset:
    """The single-label view: each poster has its row's first genre alone. Posters whose first genre
    has fewer than min_posters train posters are left out and counted."""
    firsts = [replace(poster, genres=poster.genres[:1]) for poster in dataset.posters]
    genres, rare = vocabulary(firsts, min_posters)
    kept = [i for i, poster in enumerate(firsts) if poster.genres[0] in genres]
    left_out = Counter(dataset.left_out)
    left_out["rare first genre"] += len(firsts) - len(kept)
    return replace(
        dataset,
        posters=[firsts[i] for i in kept],
        pixels=dataset.pixels[kept],
        genres=genres,
        left_out=+left_out,
        rare_genres=rare,
    )


def _poster(film: Film, name: str, split: str) -> Poster:
    return Poster(film.imdb_id, name, film.genres, split, film.domain or "all")


def hashed_split(imdb_id: int, seed: int) -> str:
    """A split for a film of a table that has none: 80 % train, 10 % valid, 10 % test.

    It depends on the id and the seed alone, so a film keeps its split when the table grows.
    """
    digest = hashlib.sha256(f"{seed}:{imdb_id}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if share < 0.8 else "valid" if share < 0.9 else "test"


def find_posters(folder: Path) -> dict[int, str]:
    """imdbId -> file name relative to the folder, for every poster named by its number."""
    if not folder.is_dir():
        raise TableError(f"The posters' folder {folder} is not there.")
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
    """Decode posters with the runtime's own function. Returns those that could be decoded, their
    pixels as one uint8 array [n, height, width, 3], and the names of the others with the cause."""
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

    with ThreadPoolExecutor(
        available_cores()
    ) as pool:  # Pillow decodes outside the interpreter lock
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
    """The genres with at least min_posters train posters, alphabetical, and the counts of the
    others. Raises TableError where none is left."""
    counts = Counter(g for poster in posters if poster.split == "train" for g in poster.genres)
    everywhere = {genre for poster in posters for genre in poster.genres}
    genres = sorted(genre for genre, count in counts.items() if count >= min_posters)
    if not genres:
        raise TableError(
            f"No genre has {min_posters} train posters; give more posters or a lower --min-posters."
        )
    return genres, {genre: counts[genre] for genre in everywhere - set(genres)}
