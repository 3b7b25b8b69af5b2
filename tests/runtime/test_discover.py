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
    names = [os.path.relpath(path, folder) for path in search if path]
    return names, search.others.total()


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
    assert found(tmp_path)[0] == ["a/1.jpg"]


def test_any_file_name_has_a_place_in_the_order() -> None:
    assert sorted(["b10", "b9", "b", "B9a"], key=natural_key) == ["b", "b9", "B9a", "b10"]
    # Superscripts are digits to str.isdigit and no numbers to int(): they must not raise.
    names = ["٣", "\u00b2a", "10", "9", "a1", "A2", "", "ß"]
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


def test_folders_deeper_than_pythons_stack(tmp_path: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
        Path("1.jpg").write_bytes(b"")
    finally:
        os.chdir(here)
    deepest = "d/" * 1100
    try:
        assert found(tmp_path) == ([deepest + "1.jpg"], 0)
    finally:  # too deep for pytest to remove
        (tmp_path / deepest / "1.jpg").unlink()
        for depth in range(1100, 0, -1):
            (tmp_path / ("d/" * depth)).rmdir()


def test_each_folder_once_however_many_links_lead_to_it(tmp_path: Path) -> None:
    films = [tmp_path / f"film{n}" for n in range(30)]
    for film in films:
        touch(film, "poster.jpg")
    for number, film in enumerate(films):  # 'similar' films that link to each other
        for step in (1, 7, 11):
            (film / f"similar{step}").symlink_to(films[(number + step) % 30])
    names, _ = found(tmp_path)
    assert len(names) == 30
    assert {os.path.realpath(tmp_path / name) for name in names} == {
        str(film / "poster.jpg") for film in films
    }
    assert found(tmp_path, str(tmp_path), str(films[3]))[0] == names  # searched already
    alone = Discovery([str(films[0])], follow_links=False)
    assert [os.path.relpath(path or "", tmp_path) for path in alone] == ["film0/poster.jpg"]


def test_folders_of_media_servers_are_skipped_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "@eaDir/1.jpg/t.jpg", "#recycle/2.jpg", "$RECYCLE.BIN/3.jpg")
    touch(tmp_path, "a/lost+found/4.jpg", "a/.@__thumb/5.jpg", "a/2.jpg", "@EADIR.jpg")
    search = Discovery([str(tmp_path)])
    assert [os.path.relpath(p or "", tmp_path) for p in search] == [
        "1.jpg",
        "@EADIR.jpg",
        "a/2.jpg",
    ]
    assert search.system_folders == 5


def test_exclude(tmp_path: Path) -> None:
    touch(tmp_path, "a/poster.jpg", "a/fanart.jpg", "a/extras/1.jpg", "b/fanart-2.jpg", "b/c/1.jpg")
    search = Discovery([str(tmp_path)], exclude=("fanart*", "extras", "b/c"))
    assert [os.path.relpath(p or "", tmp_path) for p in search] == ["a/poster.jpg"]
    assert search.excluded == 4


def test_other_suffixes_of_posters(tmp_path: Path) -> None:
    touch(tmp_path, "1.jfif", "2.JPE", "3.tbn", "4.heic", "5.txt", "6.txt", "noext")
    search = Discovery([str(tmp_path)])
    assert [os.path.relpath(p or "", tmp_path) for p in search] == ["1.jfif", "2.JPE", "3.tbn"]
    assert search.others == {".heic": 1, ".txt": 2, "": 1}


def test_lists_in_other_encodings(tmp_path: Path) -> None:
    touch(tmp_path, "ünö.jpg")
    line = f"{tmp_path}/ünö.jpg\r\nnone.jpg"
    for data in (line.encode(), line.encode("utf-8-sig"), line.encode("utf-16")):
        assert list(Discovery(["-"], io.BytesIO(data))) == [f"{tmp_path}/ünö.jpg", "none.jpg"]


def test_a_list_that_grows() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", 0) as pipe:
        pipe.write(b"a.jpg\nb.j")
        search = iter(Discovery(["-"], stdin))
        assert next(search) == "a.jpg"
        assert next(search) is None  # the second line has not ended
        pipe.write(b"pg\n")
        assert next(path for path in search if path) == "b.jpg"
        pipe.close()
        assert [path for path in search if path] == []
