"""Where rows go: files, pipes, full disks, terminals; and what is left when a run is stopped."""

import csv
import importlib.util
import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import COMMAND, ENVIRONMENT, invoke, rows
from PIL import Image


def test_csv_has_a_column_for_each_genre(folder: Path, cpu: list[str]) -> None:
    (folder / "bad,name.jpg").write_bytes(b"no picture")
    done = invoke(folder, "--format", "csv", *cpu)
    table = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    as_json = rows(invoke(folder, *cpu).stdout)
    assert list(table[0])[:4] == ["path", "status", "error", "genres"]
    assert list(table[0])[4:] == list(as_json[0]["scores"])
    for cells, row in zip(table, as_json, strict=True):
        assert (cells["path"], cells["status"]) == (row["path"], row["status"])
        assert [g for g in cells["genres"].split("|") if g] == row["genres"]
        if row["scores"]:
            assert all(float(cells[genre]) == score for genre, score in row["scores"].items())
        else:
            assert {cells[genre] for genre in as_json[0]["scores"]} == {""}
            assert cells["error"] == row["error"]
    assert done.returncode == 1


def test_output_file_is_whole_or_not_there(folder: Path, tmp_path: Path, cpu: list[str]) -> None:
    target = tmp_path / "rows.jsonl"
    assert invoke(folder, *cpu, "-o", target).returncode == 0
    assert target.read_bytes() == invoke(folder, *cpu).stdout
    again = invoke(folder, *cpu, "-o", target)
    assert again.returncode == 2
    assert b"--force" in again.stderr
    assert invoke(folder / "1.jpg", *cpu, "-o", target, "--force").returncode == 0
    assert len(target.read_bytes().splitlines()) == 1
    assert not list(tmp_path.glob("*.part"))
    assert invoke(folder, "-o", tmp_path / "no" / "rows").returncode == 2


def wait_for_rows(part: Path, count: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if part.exists() and part.read_bytes().count(b"\n") == count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{part} never had {count} rows")


def test_ctrl_c_keeps_what_is_done(folder: Path, tmp_path: Path, cpu: list[str]) -> None:
    os.mkfifo(folder / "99.jpg")  # nobody writes to it: the run waits there
    target = tmp_path / "rows.jsonl"
    command = [*COMMAND, str(folder), "-o", str(target), *cpu, "--batch-size", "4"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        # A shell's background job ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for_rows(tmp_path / "rows.jsonl.part", 12)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert not target.exists()
    part = (tmp_path / "rows.jsonl.part").read_bytes()
    assert len(rows(part)) == 12
    assert b"12 rows are in" in errors


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_ctrl_c_during_the_work_keeps_whole_rows(folder: Path, tmp_path: Path, device: str) -> None:
    if device == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("needs the extra openvino")
    target, part = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.part"
    posters = [str(folder / f"{number}.jpg") for number in range(1, 13)]
    command = [*COMMAND, *posters * 2000, "-o", str(target), "--device", device]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 20_000) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130, errors
    assert not target.exists()
    found = rows(part.read_bytes())
    assert 0 < len(found) < 24_000
    assert f"{len(found)} rows are in".encode() in errors
    for position, row in enumerate(found):
        assert row["path"] == f"{folder}/{position % 12 + 1}.jpg"


STUCK = """
import hashlib
import signal
from genre_infer import classifier, cli

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores

def stuck(*_):
    print("opening", flush=True)
    hashlib.pbkdf2_hmac("sha1", b"", b"", 10**9)  # minutes, in C

classifier.open_engine = stuck
cli.main(["1.jpg"])
"""


def test_ctrl_c_while_an_engine_opens(folder: Path) -> None:
    """As TensorRT does, which compiles for minutes."""
    command = [sys.executable, "-c", STUCK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"opening\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT  # which shells call 130


def test_a_reader_that_leaves_is_no_traceback(folder: Path, cpu: list[str]) -> None:
    # 600 rows are more than any buffer holds: a write does fail.
    posters = [str(path) for path in folder.iterdir()] * 50
    command = " ".join([*COMMAND, *posters, *cpu, "| head -n 1; exit ${PIPESTATUS[0]}"])
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize(
    "args", [["FOLDER", "CPU"], ["FOLDER/1.jpg", "CPU"], ["info"], ["--version"]]
)
def test_a_full_disk_is_a_sentence(folder: Path, cpu: list[str], args: list[str]) -> None:
    words = {"FOLDER": str(folder), "CPU": " ".join(cpu)}
    args = [re.sub("FOLDER|CPU", lambda found: words[found[0]], arg) for arg in args]
    command = " ".join([*COMMAND, *args, "> /dev/full"])
    bash = ["bash", "-c", command]
    done = subprocess.run(bash, capture_output=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    for crash in (b"Traceback", b"Exception ignored"):
        assert crash not in done.stderr


@pytest.mark.parametrize(
    ("args", "closed", "says"),
    [
        (["-"], "<&-", b"stdin, which is closed"),
        (["1.jpg"], ">&-", b"stdout is closed"),
        (["1.jpg", "-o", "''"], "", b"names no file"),
    ],
)
def test_streams_that_are_not_there(
    folder: Path, args: list[str], closed: str, says: bytes, cpu: list[str]
) -> None:
    command = " ".join([*COMMAND, *args, *cpu, closed])
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=folder, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert b"Traceback" not in done.stderr


def test_csv_with_line_ends_in_a_path(folder: Path, cpu: list[str]) -> None:
    for name in ("a\rb.jpg", "c\nd.jpg"):
        (folder / name).write_bytes((folder / "1.jpg").read_bytes())
    done = invoke(folder / "a\rb.jpg", folder / "c\nd.jpg", *cpu, "--format", "csv")
    found = list(csv.reader(io.StringIO(done.stdout.decode(), newline="")))
    assert [row[0] for row in found[1:]] == [f"{folder}/a\rb.jpg", f"{folder}/c\nd.jpg"]
    assert b"\r\n" not in done.stdout


def test_rows_are_utf_8_whatever_the_terminal(folder: Path, cpu: list[str]) -> None:
    (folder / "1.jpg").rename(folder / "é.jpg")
    command = [*COMMAND, str(folder / "é.jpg"), *cpu, "--format", "csv"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    assert done.returncode == 0
    assert "é.jpg".encode() in done.stdout


def test_a_killed_run_leaves_every_finished_row(
    folder: Path, tmp_path: Path, cpu: list[str]
) -> None:
    os.mkfifo(folder / "99.jpg")
    target = tmp_path / "rows.jsonl"
    command = [*COMMAND, str(folder), "-o", str(target), *cpu, "--batch-size", "4"]
    process = subprocess.Popen(command)
    part = tmp_path / "rows.jsonl.part"
    wait_for_rows(part, 12)
    process.kill()
    process.wait()
    assert len(rows(part.read_bytes())) == 12
    again = invoke(folder / "1.jpg", *cpu, "-o", target)
    assert again.returncode == 2
    assert b"rows.jsonl.part exists; --force" in again.stderr
    assert len(rows(part.read_bytes())) == 12


def test_output_to_a_device_is_refused(folder: Path, cpu: list[str]) -> None:
    done = invoke(folder, *cpu, "-o", "/dev/full", "--force")
    assert done.returncode == 2
    assert b"not a regular file" in done.stderr


def test_a_terminal_gets_a_table(folder: Path, cpu: list[str]) -> None:
    (folder / "evil\x1b[2J.jpg").write_bytes(b"no picture")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, str(folder), *cpu], stdout=slave, stderr=subprocess.DEVNULL
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux reports the closed terminal so
            break
        if not chunk:
            break
        shown += chunk
    process.wait()
    assert shown.count(b".jpg") == 13
    assert b"not-an-image" in shown
    assert b"{" not in shown
    assert b"\x1b[2J" not in shown  # a file name must not command the terminal


def test_no_words_of_libraries_on_stderr(folder: Path, cpu: list[str]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (60, 90), "red").save(file, "TIFF", compression="tiff_lzw")
    data = bytearray(file.getvalue())
    data[8:40] = b"\xff" * 32  # libtiff prints what it thinks of this
    (folder / "bad.tif").write_bytes(data)
    for decoders in ("threads", "processes"):
        done = invoke(folder, *cpu, "--decoders", decoders)
        assert [row["status"] for row in rows(done.stdout)].count("ok") == 12
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith("13 posters; 1 unreadable")


def test_paths_that_begin_like_formulas(folder: Path, cpu: list[str]) -> None:
    names = ["=1+1.jpg", "+1.jpg", "-1.jpg", "@SUM(1).jpg"]
    for name in names:
        (folder / name).write_bytes((folder / "1.jpg").read_bytes())
    done = invoke(*cpu, "--format", "csv", "--", *names, cwd=folder)
    found = list(csv.reader(io.StringIO(done.stdout.decode())))
    assert [row[0] for row in found[1 : 1 + len(names)]] == [f"./{name}" for name in names]
    as_json = rows(invoke(*cpu, "--", *names, cwd=folder).stdout)
    assert [row["path"] for row in as_json] == names  # only spreadsheets compute them
