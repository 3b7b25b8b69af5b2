"""Films with several posters: found by name or named by the table, in one split, drawn together."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from genre_train.cli import main
from genre_train.dataset import find_posters, load_dataset
from genre_train.intervals import resample
from genre_train.table import TableError, read_table

SIZE = (32, 48)
HEAD = "file,imdb_id,genres,split,domain\n"


@pytest.fixture
def posters(tmp_path: Path) -> Path:
    """Two posters of the film 1, three of 2, one of 3."""
    folder = tmp_path / "posters"
    folder.mkdir()
    names = ["1.jpg", "1-2.png", "2.jpg", "tt2-3.webp", "2-10.jpg", "3.jpg"]
    for shade, name in enumerate(names):
        Image.new("RGB", SIZE, (20 * shade, 0, 0)).save(folder / name)
    return folder


def table(folder: Path, text: str) -> Path:
    path = folder / "films.csv"
    path.write_text(text)
    return path


def test_further_posters_are_found_by_their_numbers(posters: Path) -> None:
    for name in ["one-2.jpg", "1-b.jpg", "-2.jpg", "4-2.txt"]:
        (posters / name).write_bytes(b"")
    found = find_posters(posters)
    assert found == {1: ["1.jpg", "1-2.png"], 2: ["2.jpg", "tt2-3.webp", "2-10.jpg"], 3: ["3.jpg"]}


def test_without_a_column_file_all_posters_share_their_film_s_row(
    posters: Path, tmp_path: Path
) -> None:
    text = "imdb_id,genres,split,domain\n1,Drama,train,a\n2,Comedy,valid,a\n3,Drama,test,b\n"
    dataset = load_dataset(table(tmp_path, text), posters, SIZE, min_posters=1)
    assert Counter((p.imdb_id, p.split, p.domain, p.genres) for p in dataset.posters) == {
        (1, "train", "a", ("Drama",)): 2,
        (2, "valid", "a", ("Comedy",)): 3,
        (3, "test", "b", ("Drama",)): 1,
    }
    report = dataset.report()
    assert "3 rows in the table, and 3 further posters of their films" in report
    assert "6 posters of 3 films used" in report


def test_with_a_column_file_a_row_is_a_poster(posters: Path, tmp_path: Path) -> None:
    rows = [
        "1.jpg,1,Drama|War,train,a",
        "1-2.png,1,War|Drama,train,b",  # the order of genres is not a contradiction
        "1-2.png,1,Drama|War,train,b",
        "none.jpg,1,Drama|War,train,b",
        ",1,Drama|War,train,b",
        "2.jpg,2,Drama,valid,a",
    ]
    path = table(tmp_path, HEAD + "\n".join(rows) + "\n")
    dataset = load_dataset(path, posters, SIZE, min_posters=1)
    assert [(p.name, p.split, p.domain) for p in dataset.posters] == [
        ("1.jpg", "train", "a"),
        ("1-2.png", "train", "b"),
        ("2.jpg", "valid", "a"),
    ]
    assert dataset.left_out == {"duplicate": 1, "no poster": 1, "no file": 1}
    assert "2 train (a 1, b 1)" in dataset.report()


@pytest.mark.parametrize(
    ("row", "what"), [("1-2.png,1,Comedy,train,a", "genres"), ("1-2.png,1,Drama,test,a", "split")]
)
def test_posters_of_one_film_must_agree(row: str, what: str, tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + f"1.jpg,1,Drama,train,a\n{row}\n")
    with pytest.raises(TableError, match=rf"1\.jpg and 1-2\.png .* film 1, .* {what} differ"):
        read_table(path)


def test_sort_takes_each_row_s_own_poster(posters: Path, tmp_path: Path) -> None:
    rows = ["1.jpg,1,Drama,train,a", "1-2.png,1,Drama,train,b", "none.jpg,2,War,train,b"]
    path = table(tmp_path, HEAD + "\n".join(rows) + "\n")
    command = ["sort", "--table", str(path), "--posters", str(posters), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out" / "Drama").iterdir()) == ["1-2.png", "1.jpg"]
    assert not (tmp_path / "out" / "War").exists()


def test_films_are_drawn_with_all_their_posters() -> None:
    imdb_ids = np.array([7, 7, 8, 9, 9, 9])
    counts = resample(imdb_ids, 200, (0,))
    assert counts.shape == (200, 6)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 4]).all()
    assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()  # three films are drawn each time
    assert counts.std() > 0
