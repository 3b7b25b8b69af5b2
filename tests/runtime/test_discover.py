"""Which files become rows, and in which order."""

import io
import os
from pathlib import Path

from genre_infer.discover import Discovery, natural_key


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(folder: Path, *paths: str, stdin: bytes = b"") -> tuple[list[str], int]:
    search = Discovery(paths or (str(folder),), io.BytesIO(stdin))
    names = [os.path.relpath(path, folder) for path in search]
    return names, search.others


def test_natural_order_and_recursion(tmp_path: Path) -> None:
    touch(tmp_path, "p10.jpg", "p9.jpg", "P1.jpg", "a/2.png", "a/10.png", "b.webp")
    assert found(tmp_path)[0] == ["a/2.png", "a/10.png", "b.webp", "P1.jpg", "p9.jpg", "p10.jpg"]


def test_suffixes_in_any_case_others_are_counted_hidden_are_not(tmp_path: Path) -> None:
    good = ["1.jpg", "2.JPEG", "3.Png", "4.webp", "5.AVIF", "6.gif", "7.bmp", "8.tif", "9.TIFF"]
    touch(tmp_path, *good, "notes.txt", "Thumbs.db", "noext", ".hidden.jpg", ".git/x.jpg")
    assert found(tmp_path) == (good, 3)


def test_a_named_path_gets_through_whatever_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", ".hidden.jpg")
    paths = [str(tmp_path / name) for name in ("notes.txt", ".hidden.jpg", "missing")]
    assert found(tmp_path, *paths) == (["notes.txt", ".hidden.jpg", "missing"], 0)


def test_a_list_on_stdin(tmp_path: Path) -> None:
    touch(tmp_path, "one.jpg", "more/2.jpg")
    lines = f"{tmp_path}/one.jpg\r\n\n{tmp_path}/more\n".encode()
    assert found(tmp_path, "-", stdin=lines)[0] == ["one.jpg", "more/2.jpg"]


def test_a_link_back_to_its_own_folder_ends(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    assert found(tmp_path)[0] == ["a/1.jpg", "linked/1.jpg"]


def test_any_file_name_has_a_place_in_the_order() -> None:
    assert sorted(["b10", "b9", "b", "B9a"], key=natural_key) == ["b", "b9", "B9a", "b10"]
    # Superscripts are digits to str.isdigit and no numbers to int(): they must not raise.
    names = ["٣", "\u00b2a", "10", "9", "a1", "A2", "", "ß"]
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)
