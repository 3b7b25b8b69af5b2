"""Tables: Kaggle's with its dirt, ours, and what is said of those that cannot be used."""

from pathlib import Path

import pytest

from genre_train.table import Film, TableError, parse_genres, parse_imdb_id, read_table

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
    films, left_out = read_table(path)
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
    films, left_out = read_table(path, domains=("a",))
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


def test_genres() -> None:
    assert parse_genres("Drama| Sci-Fi |Drama||N/A") == ("Drama", "Sci-Fi")
    assert parse_genres("(no genres listed)") == ()
