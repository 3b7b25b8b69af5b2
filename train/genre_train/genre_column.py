"""The genres in a table's cells, in the forms that tables have."""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from genre_infer.errors import GenreInferError

Genres: TypeAlias = tuple[str, ...]
Parser: TypeAlias = Callable[[str], Genres]

SEPARATORS = {"|": "separated by |", ";": "separated by ;", ",": "separated by commas"}
LISTS = "lists of names, in JSON or Python"
DICTS = "lists of objects with a name, in JSON or Python"
SINGLE = "one genre per row"

# What tables write where there is no genre.
_NONE = {"", "n/a", "na", "nan", "none", "null", "-", "unknown", "(no genres listed)", "\\n", "[]"}
_NO_NAME = re.compile(r"[\[\]{}|;,\"<>\\]|:\s|^\W|^\d+$")
_FEW_GENRES = 10  # that a table of any length may have
_FEWEST_FILMS = 10  # for each genre of a table, on average


class GenreColumnError(GenreInferError):
    """The cells are in no form that is known, or what was read is no list of genres."""


def genre_parser(cells: list[str]) -> tuple[str, Parser]:
    """Find the form of a column.

    Args:
        cells: All its cells.

    Returns:
        What to call the form, and the function that reads a cell of it: the genres in their order,
        each once, none where the table says that there is none.

    Raises:
        GenreColumnError: A cell looks like a list and cannot be read as one.
    """
    filled = [cell.strip() for cell in cells if cell.strip().lower() not in _NONE]
    if lists := [cell for cell in filled if cell.startswith("[")]:
        objects = any(isinstance(item, dict) for cell in lists for item in _items(cell))
        return DICTS if objects else LISTS, _from_list
    counts = Counter(s for cell in filled for s in SEPARATORS if s in cell)
    if not counts:
        return SINGLE, lambda cell: _cleaned([cell])
    separator = max(SEPARATORS, key=lambda s: counts[s])  # of equal ones, the first
    return SEPARATORS[separator], lambda cell: _cleaned(cell.split(separator))


def check_vocabulary(genres: Counter[str], films: int, form: str) -> None:
    """Refuse what does not look like the names of genres.

    Args:
        genres: Genre -> films.
        films: How many films there are.
        form: What genre_parser() called the form.

    Raises:
        GenreColumnError: It does not; the message has an example.
    """
    for genre in genres:
        if _NO_NAME.search(genre):
            raise GenreColumnError(
                f"the genres were read as {form}, and {genre!r} does not look like one. Known "
                "forms: names separated by | ; or commas, or lists of names or of objects with a "
                "'name'."
            )
    if len(genres) > max(_FEW_GENRES, films // _FEWEST_FILMS):
        rarest = ", ".join(repr(genre) for genre, _ in genres.most_common()[:-4:-1])
        raise GenreColumnError(
            f"the genres were read as {form}, which gives {len(genres)} genres for {films} films "
            f"({rarest} …). Is this the column of genres? There must be {_FEWEST_FILMS} films for "
            "each genre."
        )


def _from_list(cell: str) -> Genres:
    if cell.strip().lower() in _NONE:
        return ()
    return _cleaned([_name(item, cell) for item in _items(cell)])


def _items(cell: str) -> list[object]:
    for read in (json.loads, ast.literal_eval):
        try:
            items = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(items, list):
            return items
    raise GenreColumnError(f"a cell looks like a list and cannot be read as one: {_short(cell)}")


def _name(item: object, cell: str) -> str:
    name = item.get("name") if isinstance(item, dict) else item
    if name is None and not isinstance(item, dict):
        return ""
    if not isinstance(name, str):
        raise GenreColumnError(f"an entry of a list has no name: {_short(cell)}")
    return name


def _cleaned(names: list[str]) -> Genres:
    stripped = (name.strip() for name in names)
    return tuple(dict.fromkeys(name for name in stripped if name.lower() not in _NONE))


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 80 else cell[:77] + "…")
