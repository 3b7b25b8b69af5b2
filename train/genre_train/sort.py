"""genre-train sort: posters into one folder per first genre, as single-label tools need them."""

import errno
import filecmp
import os
import shutil
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
from pathvalidate import sanitize_filename
from pathvalidate.handler import ReservedNameHandler

from genre_infer.errors import GenreInferError
from genre_infer.posters import SUFFIXES
from genre_infer.progress import progress

from .table import parse_imdb_id, read_table

DONE = {"link": "linked", "copy": "copied", "move": "moved"}
MOST_LISTED = 10  # of the files that are in the way


class SortError(GenreInferError):
    """Posters cannot be sorted; the message says how far the command came, and the fix."""


@dataclass
class Plan:
    """What to do with every row of the table, before anything is done.

    Attributes:
        rows: The rows of the table.
        left_out: Reason -> rows.
        place: (source, target) of each poster to link, copy or move.
        already_there: Targets that already are the poster.
        in_the_way: Targets that are another file.
        unnamed: How many posters no row with a genre names.
        further: How many files are of a film that has another poster.
    """

    rows: int
    left_out: Counter[str]
    place: list[tuple[Path, Path]] = field(default_factory=list)
    already_there: list[Path] = field(default_factory=list)
    in_the_way: list[Path] = field(default_factory=list)
    unnamed: int = 0
    further: int = 0

    def report(self, mode: str, dry_run: bool) -> str:
        """Say what is done, or would be, in numbers that add up to the table's rows."""
        verb = ("would be " if dry_run else "") + DONE[mode]
        counts = [
            (len(self.place), verb),
            (len(self.already_there), "already there"),
            (len(self.in_the_way), "in the way: another file has the name, and is left alone"),
            (self.left_out.total(), "left out"),
        ]
        lines = [f"{self.rows} rows in the table:"]
        lines += [f"  {count:7} {what}" for count, what in counts]
        lines += [f"    {count:7} {reason}" for reason, count in self.left_out.most_common()]
        lines += [f"{self.unnamed} posters that no row with a genre names"]
        if self.further:
            lines += [f"{self.further} further files of films that have another poster"]
        folders = Counter(target.parent.name for _, target in self.place)
        if folders:
            lines += [f"{verb}: " + ", ".join(f"{k} {n}" for k, n in sorted(folders.items()))]
        lines += [f"in the way: {target}" for target in self.in_the_way[:MOST_LISTED]]
        if len(self.in_the_way) > MOST_LISTED:
            lines += [f"in the way: and {len(self.in_the_way) - MOST_LISTED} more"]
        return "\n".join(lines)


def run_sort(*, table: Path, posters: Path, output: Path, mode: str, dry_run: bool) -> None:
    """Sort posters, and print what was done.

    Args:
        table: The table of films.
        posters: The posters' folder.
        output: The folder that the genres' folders are in.
        mode: 'link', 'copy' or 'move'.
        dry_run: Whether to only say what would be done.

    Raises:
        GenreInferError: The table or a folder cannot be used, or a poster cannot be placed.
    """
    plan = make_plan(table, posters, output, mode)
    if not dry_run:
        carry_out(plan, mode)
    click.echo(plan.report(mode, dry_run))


def make_plan(table: Path, posters: Path, output: Path, mode: str) -> Plan:
    """Decide what to do with every row of the table. This changes nothing.

    Raises:
        TableError: The table cannot be used.
        SortError: The output is the posters' folder itself.
    """
    if output.resolve() == posters.resolve():
        raise SortError(
            f"{output} is the folder of posters itself: give a folder inside it, or another one."
        )
    films, left_out, _ = read_table(table)
    plan = Plan(len(films) + left_out.total(), left_out)
    files = poster_files(posters, without=output)
    plan.further = sum(len(paths) - 1 for paths in files.values())
    plan.unnamed = len(files.keys() - {film.imdb_id for film in films})
    sorted_before: dict[Path, dict[int, list[Path]]] = {}
    for film in films:
        folder = output / folder_name(film.genres[0])
        if folder not in sorted_before:
            sorted_before[folder] = poster_files(folder)
        if film.file is not None:
            found = [posters / film.file] if (posters / film.file).is_file() else []
        else:
            found = files.get(film.imdb_id, [])
        if found:
            _plan_poster(plan, found[0], folder, mode)
        elif film.imdb_id in sorted_before[folder]:  # an earlier --move put it there
            plan.already_there.append(sorted_before[folder][film.imdb_id][0])
        else:
            left_out["no poster"] += 1
    return plan


def _plan_poster(plan: Plan, source: Path, folder: Path, mode: str) -> None:
    target = folder / source.name
    if os.path.lexists(target):
        same = target.is_file() and filecmp.cmp(source, target, shallow=False)
        (plan.already_there if same else plan.in_the_way).append(target)
    elif os.path.lexists(folder) and not folder.is_dir():
        plan.in_the_way.append(folder)
    elif mode == "move" and source.is_symlink():
        plan.left_out["a link, which --move leaves where it is"] += 1
    else:
        plan.place.append((source, target))


def poster_files(folder: Path, without: Path | None = None) -> dict[int, list[Path]]:
    """Find the posters in a folder and below.

    Args:
        folder: The folder.
        without: A folder inside it to leave out.

    Returns:
        imdbId -> its posters, files before links.
    """
    found: dict[int, list[Path]] = {}
    hidden = without.resolve() if without else None
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if Path(directory, f).resolve() != hidden)
        for name in sorted(names):
            path = Path(directory, name)
            imdb_id = parse_imdb_id(path.stem) if path.suffix.lower() in SUFFIXES else None
            if imdb_id is not None and path.is_file():
                found.setdefault(imdb_id, []).append(path)
    return {imdb_id: sorted(paths, key=Path.is_symlink) for imdb_id, paths in found.items()}


def folder_name(genre: str) -> str:
    """Return a genre as a name for every file system: 'Sci/Fi' -> 'Sci-Fi', '..' -> '_'."""
    name = sanitize_filename(
        unicodedata.normalize("NFC", genre).strip(" ."),
        replacement_text="-",
        max_len=60,
        reserved_name_handler=ReservedNameHandler.add_leading_underscore,  # con, nul … of Windows
    )
    return name or "_"


def carry_out(plan: Plan, mode: str) -> None:
    """Link, copy or move what the plan says, and overwrite nothing.

    Raises:
        SortError: A poster cannot be placed. Those before it stay where they were put.
    """
    place = {"link": _link, "copy": _copy, "move": _move}[mode]
    for done, (source, target) in enumerate(progress(plan.place, len(plan.place), "Sorting")):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            place(source, target)
        except OSError as error:
            raise SortError(
                f"{target} could not be {DONE[mode]} ({error.strerror or error}); {done} posters "
                f"were {DONE[mode]} before it. Fix that and run the same command again."
            ) from None


def _link(source: Path, target: Path) -> None:
    try:
        # Relative, so that links stay valid when both folders are moved together.
        real = source.parent.resolve() / source.name
        target.symlink_to(os.path.relpath(real, target.parent.resolve()))
    except FileExistsError:
        raise
    except (OSError, ValueError, NotImplementedError) as error:  # ValueError: another drive
        raise SortError(
            f"No symbolic link can be made in {target.parent} ({error}); use --copy instead."
        ) from None


def _copy(source: Path, target: Path) -> None:
    target.open("xb").close()  # x: fails if another file has come there
    try:
        shutil.copy2(source, target)
    except BaseException:
        target.unlink()
        raise


def _move(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target)  # another file system
        if not filecmp.cmp(source, target, shallow=False):
            target.unlink()
            raise OSError(errno.EIO, "the copy differs from the poster") from None
        source.unlink()
