"""Whole files, CSV, Markdown tables and templates."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

from genre_train.files import checksum_line, whole_file, write_csv, write_whole
from genre_train.markdown import render, table


def write_half(path: Path) -> None:
    with whole_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError("stopped")


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "file"
    write_whole(path, "one\né")
    assert path.read_bytes() == "one\né".encode()
    with pytest.raises(RuntimeError, match="stopped"):
        write_half(path)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"two")
    assert path.read_bytes() == "one\né".encode()


def test_csv_has_six_digits_and_empty_cells(tmp_path: Path) -> None:
    rows = [{"name": "a,b", "value": 1 / 3, "count": 7}, {"name": "c", "value": np.nan, "count": 0}]
    write_csv(tmp_path / "table.csv", rows)
    lines = (tmp_path / "table.csv").read_bytes()
    assert lines == b'name,value,count\n"a,b",0.333333,7\nc,,0\n'


def test_a_markdown_table_is_aligned_by_its_first_row() -> None:
    rows = [{"n": "1e5", "v": 0.25, "k": 3}, {"n": "a|b", "v": np.nan, "k": 12}]
    lines = table(rows, {"n": "name", "k": "count", "v": "value"}).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert cells[0] == ["name", "count", "value"]
    assert cells[2:] == [["1e5", "3", "0.2500"], ["a\\|b", "12", ""]]
    marks = lines[1].strip("|").split("|")
    assert [mark.endswith(":") for mark in marks] == [False, True, True]
    assert all(set(mark) <= set(":-") for mark in marks)


def test_a_template_needs_all_its_values() -> None:
    with pytest.raises(UndefinedError, match="is undefined"):
        render("genre_train", "results.md.jinja", model=json.dumps("m"))


@pytest.mark.parametrize("name", ["made.onnx", "two words.onnx", "back\\slash\n.onnx"])
@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs coreutils")
def test_a_checksum_line_is_that_of_sha256sum(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"data")
    line = subprocess.check_output(["sha256sum", name], cwd=tmp_path)
    assert checksum_line(path, hashlib.sha256(b"data").hexdigest()) == line
