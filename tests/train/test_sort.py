"""genre-train sort: numbers that add up, nothing overwritten, nothing lost."""

import errno
import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from genre_train import sort as sort_module
from genre_train.cli import main
from genre_train.sort import folder_name, make_plan

ROWS = """imdbId,Genre
1,Drama|Comedy
2,Comedy
tt0000003,Sci/Fi|Drama
4,
2,Drama
nonsense,Drama
5,Drama
6,Comedy
"""
SORTED = {"Drama/1.jpg": b"1", "Comedy/2.jpg": b"2", "Sci-Fi/tt0000003.png": b"3"}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A table of eight rows and posters of 1, 2, 3, of a row without genre, and of no row."""
    (tmp_path / "posters" / "more").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "more/tt0000003.png", "4.jpg", "77.jpg"):
        number = re.findall(r"\d+", name)[0]
        (tmp_path / "posters" / name).write_bytes(str(int(number)).encode())
    (tmp_path / "posters" / "notes.txt").write_text("not a poster")
    (tmp_path / "films.csv").write_text(ROWS)
    return tmp_path


def sort(root: Path, *args: str, output: str = "out") -> Result:
    command = ["sort", "--table", str(root / "films.csv"), "--posters", str(root / "posters")]
    return CliRunner().invoke(main, [*command, "-o", str(root / output), *args])


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def counts(result: Result) -> dict[str, int]:
    assert result.exit_code == 0, result.output
    found = re.findall(r"^ *(\d+) (.+?)(?::.*)?$", result.output, re.MULTILINE)
    return {what: int(number) for number, what in found}


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
def test_posters_come_into_the_folder_of_their_first_genre(films: Path, mode: str) -> None:
    said = counts(sort(films, f"--{mode}"))
    assert tree(films / "out") == SORTED
    left = {"4.jpg", "77.jpg", "notes.txt"}
    kept = {"1.jpg", "2.jpg", "more/tt0000003.png"}
    assert tree(films / "posters").keys() == (left if mode == "move" else left | kept)
    assert (films / "out" / "Drama" / "1.jpg").is_symlink() == (mode == "link")
    assert said["rows in the table"] == 8
    assert said[sort_module.DONE[mode]] == 3
    assert said["already there"] == said["in the way"] == 0
    assert said["left out"] == 5
    reasons = {"no poster": 2, "no genre": 1, "duplicate": 1, "no imdbId": 1}
    assert {reason: said[reason] for reason in reasons} == reasons
    assert said["posters that no row with a genre names"] == 2


def test_linking_is_the_default_and_links_are_relative(films: Path) -> None:
    assert counts(sort(films))["linked"] == 3
    link = films / "out" / "Drama" / "1.jpg"
    assert link.readlink() == Path("../../posters/1.jpg")
    films.rename(films.with_name("elsewhere"))
    assert (films.with_name("elsewhere") / "out" / "Drama" / "1.jpg").read_bytes() == b"1"


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
@pytest.mark.parametrize("output", ["out", "posters/sorted"])
def test_a_second_run_finds_all_done(films: Path, mode: str, output: str) -> None:
    sort(films, f"--{mode}", output=output)
    before = tree(films)
    said = counts(sort(films, f"--{mode}", output=output))
    assert tree(films) == before
    assert said["already there"] == 3
    assert "further files of films that have another poster" not in said  # those sorted before
    assert said[sort_module.DONE[mode]] == said["in the way"] == 0
    assert said["left out"] == 5
    assert said["posters that no row with a genre names"] == 2


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
def test_nothing_is_overwritten(films: Path, mode: str) -> None:
    (films / "out" / "Drama").mkdir(parents=True)
    (films / "out" / "Drama" / "1.jpg").write_bytes(b"another")
    (films / "out" / "Comedy").write_bytes(b"a file, not a folder")
    (films / "out" / "Sci-Fi").mkdir()
    (films / "out" / "Sci-Fi" / "tt0000003.png").symlink_to("nowhere")
    before = tree(films)
    result = sort(films, f"--{mode}")
    said = counts(result)
    assert tree(films) == before
    assert (films / "out" / "Sci-Fi" / "tt0000003.png").readlink() == Path("nowhere")
    assert (said["in the way"], said["already there"], said["left out"]) == (3, 0, 5)
    assert f"in the way: {films / 'out' / 'Drama' / '1.jpg'}" in result.output


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
def test_a_dry_run_changes_nothing_and_says_the_same(films: Path, mode: str) -> None:
    before = sorted(films.rglob("*"))
    dry = sort(films, f"--{mode}", "--dry-run")
    assert sorted(films.rglob("*")) == before
    done = sort(films, f"--{mode}")
    assert dry.output.replace("would be ", "") == done.output
    assert "would be" in dry.output


def test_of_two_files_of_a_film_the_first_is_taken(films: Path) -> None:
    (films / "posters" / "more" / "tt1.webp").write_bytes(b"again")
    said = counts(sort(films, "--copy"))
    assert tree(films / "out") == SORTED
    assert said["further files of films that have another poster"] == 1


def test_a_move_across_file_systems_copies_checks_and_removes(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "replace", replace)
    assert counts(sort(films, "--move"))["moved"] == 3
    assert tree(films / "out") == SORTED
    assert not (films / "posters" / "1.jpg").exists()


def test_a_move_that_fails_leaves_the_poster(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(*_: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def short(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = tree(films)
    monkeypatch.setattr(os, "replace", replace)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", short)
        result = sort(films, "--move")
    assert result.exit_code == 3
    assert "No space left on device" in result.stderr
    assert tree(films) == before
    monkeypatch.setattr(shutil, "copy2", lambda _, target: target.write_bytes(b"damaged"))
    result = sort(films, "--move")
    assert result.exit_code == 3
    assert "differs" in result.stderr
    assert tree(films) == before


def test_a_link_is_not_moved(films: Path) -> None:
    (films / "posters" / "5.jpg").symlink_to("77.jpg")
    said = counts(sort(films, "--move"))
    assert (films / "posters" / "5.jpg").is_symlink()
    assert said["a link, which --move leaves where it is"] == 1
    assert said["moved"] + said["left out"] == 8


def test_without_links_copying_is_named(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    result = sort(films)
    assert result.exit_code == 3
    assert "--copy" in result.stderr


def test_the_posters_folder_itself_is_refused(films: Path) -> None:
    result = sort(films, output="posters")
    assert result.exit_code == 3
    assert "a folder inside it" in result.stderr


def test_a_plan_adds_up_in_every_state(films: Path) -> None:
    def total() -> int:
        plan = make_plan(films / "films.csv", films / "posters", films / "out", "move")
        parts = (plan.place, plan.already_there, plan.in_the_way)
        return sum(map(len, parts)) + plan.left_out.total()

    assert total() == 8
    (films / "out" / "Comedy").mkdir(parents=True)
    (films / "out" / "Comedy" / "2.jpg").write_bytes(b"another")
    assert total() == 8
    sort(films, "--move")
    assert total() == 8


@pytest.mark.parametrize(
    ("genre", "name"),
    [
        ("Film-Noir", "Film-Noir"),
        ("Sci/Fi", "Sci-Fi"),
        ("..", "_"),
        ("../../etc", "-..-etc"),
        ("a:b*c", "a-b-c"),
        ("Drama. ", "Drama"),
        ("con", "_con"),
        ("Com\x00edy", "Com-edy"),
        ("x" * 300, "x" * 60),
    ],
)
def test_genres_as_folder_names(genre: str, name: str) -> None:
    assert folder_name(genre) == name
    assert Path("a", folder_name(genre)).parent == Path("a")
