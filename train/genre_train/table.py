"""Read the table of films: Kaggle's MovieGenre.csv as it is, or any CSV with IMDb id and genres."""

import re
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from genre_infer.errors import GenreInferError

from .genre_column import GenreColumnError, check_vocabulary, genre_parser

ID_COLUMNS = ("imdbid", "imdb_id", "tconst")
GENRE_COLUMNS = ("genre", "genres")
SPLITS = ("train", "valid", "test")


class TableError(GenreInferError):
    """The table cannot be used; the message names the file and the fix."""


@dataclass(frozen=True, slots=True)
class Film:
    """One usable row: a film, or one of its posters where the table has a column 'file'.

    Attributes:
        imdb_id: The number of the IMDb id: 114709 for tt0114709.
        genres: In the row's order.
        split: One of SPLITS; None if the table has no such column.
        domain: Where the poster is from; None if the table does not say.
        file: The poster's file, relative to the posters' folder; None if the table does not say.
        year: The year of the film; None if the table does not say.
    """

    imdb_id: int
    genres: tuple[str, ...]
    split: str | None
    domain: str | None
    file: str | None = None
    year: int | None = None


class FilmTable(NamedTuple):
    """A table, read.

    Attributes:
        films: Its usable rows, in their order.
        left_out: Reason -> rows left out. Together with the films they are all rows.
        form: How the genres were written.
    """

    films: list[Film]
    left_out: Counter[str]
    form: str


def read_table(path: Path, domains: tuple[str, ...] = ()) -> FilmTable:
    """Read the films of a table, and count the rows that are left out by reason.

    A row needs only an IMDb id and a genre. Of several rows with one id, the first usable one
    counts. Only where the table has a column 'file' each row is a poster, and the rows of one film
    must agree on its genres and its split.

    Args:
        path: The CSV file.
        domains: If given, only rows of these domains are used.

    Raises:
        TableError: The file is not a table of films, has no usable row, contradicts itself, or its
            genres do not look like genres.
    """
    frame = _read_csv(path)
    columns = {str(name).strip().lower(): name for name in frame.columns}
    id_column = _column(columns, ID_COLUMNS, path)
    genre_column = _column(columns, GENRE_COLUMNS, path)
    split_column, domain_column = columns.get("split"), columns.get("domain")
    file_column, year_column = columns.get("file"), columns.get("year")
    if domains and domain_column is None:
        raise TableError(f"{path.name} has no column 'domain'; leave --domain out.")
    try:
        form, parse_genres = genre_parser([str(cell) for cell in frame[genre_column]])
        cells = [parse_genres(str(cell)) for cell in frame[genre_column]]
        counts = Counter(genre for genres in cells for genre in genres)
        check_vocabulary(counts, sum(map(bool, cells)), form)
    except GenreColumnError as error:
        raise TableError(f"{path.name}, column {genre_column}: {error}") from None
    films: dict[tuple[int, str | None], Film] = {}
    first_rows: dict[int, Film] = {}
    left_out: Counter[str] = Counter()
    for row, genres in zip(frame.to_dict("records"), cells, strict=True):
        imdb_id = parse_imdb_id(row[id_column])
        domain = str(row[domain_column]).strip() or None if domain_column is not None else None
        file = str(row[file_column]).strip() if file_column is not None else None
        if imdb_id is None:
            left_out["no imdbId"] += 1
        elif domains and domain not in domains:
            left_out["another domain"] += 1
        elif not genres:
            left_out["no genre"] += 1
        elif file == "":
            left_out["no file"] += 1
        elif (imdb_id, file) in films:
            left_out["duplicate"] += 1
        else:
            split = _split(row[split_column], path) if split_column is not None else None
            year = _year(row[year_column]) if year_column is not None else None
            film = Film(imdb_id, genres, split, domain, file, year)
            _refuse_contradiction(first_rows.setdefault(imdb_id, film), film, path)
            films[imdb_id, file] = film
    if not films:
        raise TableError(f"{path.name} has no usable row ({dict(left_out)}).")
    return FilmTable(list(films.values()), left_out, form)


def _refuse_contradiction(first: Film, other: Film, path: Path) -> None:
    for what, one, two in (
        ("genres", sorted(first.genres), sorted(other.genres)),
        ("split", first.split, other.split),
    ):
        if one != two:
            raise TableError(
                f"{path.name}: the posters {first.file} and {other.file} are both of the film "
                f"{first.imdb_id}, but their {what} differ: {one} and {two}. Give all rows of a "
                f"film the same {what}."
            )


def parse_imdb_id(text: str) -> int | None:
    """Return 114709 for 'tt0114709', '0114709' and '114709', and None for anything else."""
    match = re.fullmatch(r"(?:tt)?0*([1-9]\d*)(?:\.0)?", str(text).strip().lower())
    return int(match[1]) if match else None


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"The table {path} cannot be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # Kaggle's own encoding; every byte is a character in it
    try:
        # As text: pandas would turn a column of ids with an empty cell into floats.
        return pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path.name} is not a CSV table: {error}") from None


def _column(columns: dict[str, str], wanted: tuple[str, ...], path: Path) -> str:
    for name in wanted:
        if name in columns:
            return columns[name]
    raise TableError(
        f"{path.name} has none of the columns {', '.join(wanted)} (any case); it has "
        f"{', '.join(columns) or 'none at all'}."
    )


def _year(text: str) -> int | None:
    match = re.fullmatch(r"\s*(\d{4})(\.0)?\s*", str(text))
    return int(match[1]) if match else None


def _split(text: str, path: Path) -> str:
    split = str(text).strip().lower()
    if split not in SPLITS:
        raise TableError(f"{path.name}: a split is one of {', '.join(SPLITS)}, not {text!r}.")
    return split
