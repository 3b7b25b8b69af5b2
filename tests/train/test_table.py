"""Tables: Kaggle's with its dirt, ours, and what is said of those that cannot be used."""

import csv
from pathlib import Path

import pytest

from genre_train.table import Film, TableError, parse_imdb_id, read_table

KAGGLE = (
    "imdbId,Imdb Link,Title,IMDB Score,Genre,Poster\n"
    "114709,http://x,Toy Story (1995),8.3,Animation|Adventure|Comedy,https://p/1.jpg\n"
    "113497,,Am\xe9lie,,Comedy|Romance,\n"  # no score, no link: used all the same
    "114709,http://x,Toy Story again,8.3,Animation,https://p/1.jpg\n"
    "113228,http://x,No genre,6.6,,https://p/2.jpg\n"
    ",http://x,No id,6.6,Drama,\n"
    "tt0001234,http://x,Full id,6.6,Drama|Drama,\n"
    "113228,http://x,Later with a genre,6.6,Horror,\n"
)


def test_kaggle_s_table_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "MovieGenre.csv"
    path.write_bytes(KAGGLE.encode("latin-1"))
    films, left_out, _ = read_table(path)
    assert films == [
        Film(114709, ("Animation", "Adventure", "Comedy"), None, None),
        Film(113497, ("Comedy", "Romance"), None, None),
        Film(1234, ("Drama",), None, None),
        Film(113228, ("Horror",), None, None),
    ]
    assert left_out == {"duplicate": 1, "no genre": 1, "no imdbId": 1}
    assert len(films) + left_out.total() == 7


def test_our_table_with_splits_and_domains(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text(
        "imdb_id,genres,split,domain\n1,Drama,train,a\n2,War,test,b\n3,War,valid,a\n", "utf-8-sig"
    )
    assert read_table(path)[0][1] == Film(2, ("War",), "test", "b")
    films, left_out, _ = read_table(path, domains=("a",))
    assert [film.imdb_id for film in films] == [1, 3]
    assert left_out == {"another domain": 1}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"title,Genre\nx,Drama\n", "imdbid, imdb_id, tconst"),
        (b"imdbId,title\n1,x\n", "genre, genres"),
        (b"", "not a CSV table"),
        (b"imdbId,Genre\n,\n", "no usable row"),
        (b"imdbId,Genre,split\n1,Drama,dev\n", "'dev'"),
    ],
)
def test_other_tables_are_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "films.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=f"films.csv.*{says}"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "number"),
    [("tt0114709", 114709), ("0114709", 114709), (" 114709 ", 114709), ("114709.0", 114709)]
    + [(text, None) for text in ("", "nan", "tt", "0", "12x", "-5", "1e5")],
)
def test_imdb_ids(text: str, number: int | None) -> None:
    assert parse_imdb_id(text) == number


TMDB = "[{'id': 16, 'name': 'Animation'}, {'id': 35, 'name': 'Comedy'}]"


@pytest.mark.parametrize(
    ("cells", "form", "expected"),
    [
        (["Drama| Sci-Fi |Drama||N/A"], "separated by |", ("Drama", "Sci-Fi")),
        (["Animation, Comedy", "War"], "separated by commas", ("Animation", "Comedy")),
        (["Animation;Comedy"], "separated by ;", ("Animation", "Comedy")),
        ([TMDB], "lists of objects with a name", ("Animation", "Comedy")),
        ([TMDB.replace("'", '"')], "lists of objects with a name", ("Animation", "Comedy")),
        (["['Animation', 'Comedy']"], "lists of names", ("Animation", "Comedy")),
        (['["Animation", null, "Comedy"]'], "lists of names", ("Animation", "Comedy")),
        (["Animation", "Comedy"], "one genre per row", ("Animation",)),
    ],
)
def test_every_form_of_genres(
    tmp_path: Path, cells: list[str], form: str, expected: tuple[str, ...]
) -> None:
    nothing = ["", "nan", "None", "null", "NaN", "[]", "(no genres listed)", "\\N"]
    path = tmp_path / "films.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["imdb_id", "genres"])
        writer.writerows(enumerate([*cells, *nothing], start=1))
    table = read_table(path)
    assert table.form.startswith(form)
    assert table.films[0].genres == expected
    assert len(table.films) == len(cells)
    assert table.left_out == {"no genre": len(nothing)}


@pytest.mark.parametrize("name", ["imdb_id", "imdbId", "imdbID", "IMDB_ID", "tconst"])
def test_names_of_the_id_column(tmp_path: Path, name: str) -> None:
    path = tmp_path / "films.csv"
    path.write_text(f"{name},genres\ntt0000007,Drama\n")
    assert read_table(path).films[0].imdb_id == 7


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["[{'id': 18}]"], "has no name"),
        (["[{'id': 18, 'name': 'Drama'"], "cannot be read as one"),
        (["Drama|War;Crime", "Drama|Crime"], "'War;Crime' does not look like one"),
        (["Drama / War: a story"], "does not look like one"),
        (["18", "35"], "'18' does not look like one"),
        ([f"Film number {chr(65 + n)}" for n in range(26)], "26 genres for 26 films"),
    ],
)
def test_what_does_not_look_like_genres(tmp_path: Path, cells: list[str], says: str) -> None:
    path = tmp_path / "films.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["imdb_id", "genres"], *enumerate(cells, start=1)])
    with pytest.raises(TableError, match=f"films.csv, column genres: .*{says}"):
        read_table(path)
