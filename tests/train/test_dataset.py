"""Posters found by their number, splits, the vocabulary, and a report whose numbers add up."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genre_infer.limits import Limits
from genre_infer.posters import poster_pixels
from genre_train.dataset import find_posters, hashed_split, load_dataset
from genre_train.first_genre import first_genre_only
from genre_train.table import TableError

SIZE = (64, 96)


def test_posters_are_named_by_their_number(tmp_path: Path) -> None:
    names = ["1.jpg", "tt0000002.jpeg", "0003.PNG", "tt4.webp", "sub/5.avif"]
    for name in [*names, "six.jpg", "7.txt", "tt.jpg"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert find_posters(tmp_path) == {n: [name] for n, name in enumerate(names, 1)}


def test_splits_from_a_hash_are_stable_and_of_the_right_size() -> None:
    splits = [hashed_split(number, 0) for number in range(20_000)]
    assert splits == [hashed_split(number, 0) for number in range(20_000)]
    assert splits != [hashed_split(number, 1) for number in range(20_000)]
    shares = [splits.count(split) / len(splits) for split in ("train", "valid", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    assert hashed_split(114709, 0) == "train"  # a film must keep its split in later versions


def test_the_report_adds_up(collection, tmp_path: Path) -> None:
    table = tmp_path / "films.csv"
    extra = "5,again,Drama,train,one\n,no id,Drama,train,one\n998,none,,train,one\n"
    table.write_text(collection.table.read_text() + extra + "997,bad,War,train,one\n")
    posters = tmp_path / "posters"
    posters.mkdir()
    for file in collection.posters.iterdir():
        (posters / file.name).symlink_to(file)
    (posters / "997.jpg").write_bytes(b"broken")
    dataset = load_dataset(table, posters, SIZE, min_posters=5)
    assert dataset.left_out == {
        "no poster": 1, "unreadable": 1, "duplicate": 1, "no imdbId": 1, "no genre": 1,
    }  # fmt: skip
    assert dataset.rows == 125 == len(dataset.posters) + sum(dataset.left_out.values())
    report = dataset.report()
    numbers = [int(n) for n in re.findall(r"^ +(\d+) ", report, re.MULTILINE)]
    assert sum(numbers) == 125
    assert "997.jpg" in dataset.unreadable[0]


def test_pixels_are_the_runtime_s(collection) -> None:
    dataset = load_dataset(collection.table, collection.posters, (40, 60), min_posters=5)
    for index in (0, 50, 119):
        path = collection.posters / dataset.posters[index].name
        assert np.array_equal(dataset.pixels[index], poster_pixels(path, 40, 60, Limits()))


def test_rare_genres_are_left_out_by_name(collection) -> None:
    # Counted in train: Comedy, Horror and Western have different numbers there.
    dataset = load_dataset(collection.table, collection.posters, SIZE, min_posters=1)
    train = [dataset.posters[i] for i in dataset.indices("train")]
    counts = {genre: sum(genre in p.genres for p in train) for genre in dataset.genres}
    rarest, least = min(counts.items(), key=lambda item: item[1])
    fewer = load_dataset(collection.table, collection.posters, SIZE, min_posters=least + 1)
    assert fewer.rare_genres[rarest] == least
    assert rarest not in fewer.genres
    assert f"{rarest} ({least})" in fewer.report()
    with pytest.raises(TableError, match="--min-posters"):
        load_dataset(collection.table, collection.posters, SIZE, min_posters=1000)


def test_labels(collection) -> None:
    dataset = load_dataset(collection.table, collection.posters, SIZE, min_posters=5)
    assert dataset.genres == ["Comedy", "Horror", "Western"]
    for row, poster in zip(dataset.labels(), dataset.posters, strict=True):
        assert {g for g, given in zip(dataset.genres, row, strict=True) if given} == set(
            poster.genres
        )


def test_the_fingerprint_sees_pixels_labels_and_splits(collection, tmp_path: Path) -> None:
    def fingerprint(table: Path, posters: Path = collection.posters) -> str:
        return load_dataset(table, posters, SIZE, min_posters=5).fingerprint()

    first = fingerprint(collection.table)
    assert first == fingerprint(collection.table)
    text = collection.table.read_text()
    table = tmp_path / "films.csv"
    for old, new in (("Film 2,Western", "Film 2,Horror"), (",train,one\n3", ",valid,one\n3")):
        assert old in text
        table.write_text(text.replace(old, new))
        assert fingerprint(table) != first
    posters = tmp_path / "posters"
    posters.mkdir()
    for file in collection.posters.iterdir():
        (posters / file.name).symlink_to(file)
    (posters / "2.webp").unlink()
    Image.new("RGB", (64, 96)).save(posters / "2.webp")
    assert fingerprint(collection.table, posters) != first


def test_the_single_label_view(collection) -> None:
    dataset = load_dataset(collection.table, collection.posters, SIZE, min_posters=5)
    single = first_genre_only(dataset, min_posters=5)
    assert (single.labels().sum(axis=1) == 1).all()
    firsts = {p.imdb_id: p.genres[0] for p in dataset.posters}
    assert all(p.genres == (firsts[p.imdb_id],) for p in single.posters)
    assert len(single.posters) + sum(single.left_out.values()) == single.rows


def test_no_poster_at_all_says_how_they_are_named(collection, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"tt0114709\.jpg"):
        load_dataset(collection.table, tmp_path, SIZE)
    with pytest.raises(TableError, match="does not exist"):
        load_dataset(collection.table, tmp_path / "none", SIZE)
