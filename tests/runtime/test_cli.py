"""The command genre-infer, through its public door: arguments in, rows and exit status out."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import CPU, rows, run
from PIL import Image
from write_onnx import model_bytes


def test_a_folder_to_json_lines(folder: Path) -> None:
    (folder / "notes.txt").write_text("no poster")
    done = run(folder, *CPU)
    assert done.returncode == 0
    assert done.stdout.isascii()
    found = rows(done.stdout)
    assert [Path(row["path"]).name for row in found] == [f"{n}.jpg" for n in range(1, 13)]
    for row in found:
        assert list(row) == ["path", "status", "genres", "scores", "error"]
        assert row["status"] == "ok"
        assert row["error"] is None
        assert set(row["genres"]) <= set(row["scores"])
        assert all(score == round(score, 4) for score in row["scores"].values())
    assert b"12 posters; 1 other files skipped" in done.stderr
    assert b"CPUExecutionProvider" in done.stderr


def test_paths_are_as_reached_from_the_argument(folder: Path) -> None:
    done = run("posters/2.jpg", "./posters", cwd=folder.parent)
    paths = [row["path"] for row in rows(done.stdout)]
    assert paths[:2] == ["posters/2.jpg", "./posters/1.jpg"]
    done = run("classify", "posters/2.jpg", cwd=folder.parent)
    assert rows(done.stdout)[0]["path"] == "posters/2.jpg"


def bad_posters(folder: Path) -> dict[str | bytes, str]:
    """Write bad posters of all kinds; returns name -> status."""
    (folder / "a-empty.jpg").write_bytes(b"")
    (folder / "b-text.png").write_text("not a picture")
    (folder / "c-cut.jpg").write_bytes((folder / "1.jpg").read_bytes()[:-3000])
    with (folder / "d-large.webp").open("wb") as file:
        file.truncate(200_000_000)
    (folder / "e-broken-link.gif").symlink_to(folder / "nowhere")
    Image.new("1", (9000, 9000)).save(folder / "f-many-pixels.png")
    (folder / "g-new\nline.bmp").write_bytes(b"BM")
    os.mkfifo(folder / "h-pipe.tif")
    (folder / "i-folder.jpg").mkdir()
    name = os.fsencode(folder) + b"/z-\xff\xfe.jpg"
    Path(os.fsdecode(name)).write_bytes((folder / "1.jpg").read_bytes())
    return {
        "a-empty.jpg": "not-an-image",
        "b-text.png": "not-an-image",
        "c-cut.jpg": "truncated",
        "d-large.webp": "too-large",
        "e-broken-link.gif": "not-found",
        "f-many-pixels.png": "too-large",
        "g-new\nline.bmp": "not-an-image",
        "h-pipe.tif": "timeout",
        "z-\udcff\udcfe.jpg": "ok",
    }


def test_bad_posters_are_one_row_each_and_change_nothing_for_the_others(folder: Path) -> None:
    before = {row["path"]: row for row in rows(run(folder, *CPU).stdout)}
    bad = bad_posters(folder)
    done = run(folder, *CPU, "--timeout", "1")
    assert done.returncode == 1
    after = rows(done.stdout)
    assert len(after) == len(before) + len(bad)
    for row in after:
        name = os.path.relpath(row["path"], folder)
        if row["path"] in before:
            assert row == before[row["path"]]
        else:
            assert row["status"] == bad[name], name
            if row["status"] != "ok":
                assert (row["genres"], row["scores"]) == ([], None)
                assert row["error"].endswith(".")
    assert b"3 not-an-image" in done.stderr
    assert b"1 timeout" in done.stderr


@pytest.mark.parametrize("options", [["--threads", "1"], ["--batch-size", "5"], ["--threads", "3"]])
def test_a_row_is_the_same_bytes_in_any_order_and_thread_count(
    folder: Path, options: list[str]
) -> None:
    expected = set(run(folder, *CPU).stdout.splitlines())
    files = sorted(folder.iterdir(), reverse=True)
    assert set(run(*files, *CPU, *options).stdout.splitlines()) == expected


def test_a_named_path_always_gets_a_row(folder: Path) -> None:
    done = run(folder / "none.jpg", folder / "1.jpg", *CPU)
    assert [row["status"] for row in rows(done.stdout)] == ["not-found", "ok"]
    assert done.returncode == 1


def test_a_name_that_no_file_can_have_gets_a_row() -> None:
    done = run("x" * 300 + ".jpg", *CPU)
    assert [row["status"] for row in rows(done.stdout)] == ["not-found"]
    assert done.returncode == 1


def test_a_list_on_stdin(folder: Path) -> None:
    lines = f"{folder}/2.jpg\n{folder}/1.jpg\n".encode()
    paths = [row["path"] for row in rows(run("-", *CPU, stdin=lines).stdout)]
    assert paths == [f"{folder}/2.jpg", f"{folder}/1.jpg"]


def test_no_posters_is_status_1(tmp_path: Path) -> None:
    done = run(tmp_path, *CPU)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"No posters found" in done.stderr


def test_links_in_a_circle_are_a_row(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    done = run(folder, *CPU)
    assert [r["status"] for r in rows(done.stdout)] == ["ok"] * 12 + ["not-found"]
    assert b"1 other files skipped" in done.stderr


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["x.jpg", "--device", "cuda"], 3, b"genre-infer[gpu]"),
        (["x.jpg", "--model", "none.onnx"], 3, b"none.onnx"),
        (["x.jpg", "--model", "m" * 300], 3, b"no installed model"),
        (["x.jpg", "--mode", "none"], 3, b"high-recall"),
        (["x.jpg", "--device", "tpu"], 2, b"tpu"),
        (["x.jpg", "--threshold", "2"], 2, b"threshold"),
        (["x.jpg", "--threshold", "nan"], 2, b"threshold"),
        (["x.jpg", "--timeout", "inf"], 2, b"timeout"),
        (["x.jpg", "--nonsense"], 2, b"nonsense"),
        (["classify"], 2, b"PATH"),
    ],
)
def test_wrong_usage_and_missing_devices(args: list[str], status: int, says: bytes) -> None:
    done = run(*args)
    assert done.returncode == status
    assert says in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_threshold_and_top(folder: Path) -> None:
    for row in rows(run(folder, *CPU, "--threshold", "0", "--top", "2").stdout):
        best = sorted(row["scores"].values(), reverse=True)[:2]
        assert [row["scores"][genre] for genre in row["genres"]] == best


def test_version_shows_tool_and_model() -> None:
    from genre_infer import __version__, model_file

    model = f"{model_file.PACKAGED_NAME} {model_file.PACKAGED_VERSION}"
    expected = f"genre-infer {__version__}, model {model}\n"
    assert run("--version").stdout.decode() == expected


def test_info_shows_the_metadata() -> None:
    from genre_infer import model_file

    document = json.loads(run("info", "--json").stdout)
    assert document["sha256"] == model_file.PACKAGED_SHA256
    assert document["format"] == 1
    shown = run("info").stdout.decode()
    assert all(genre in shown for genre in document["genres"])
    assert run("info", model_file.PACKAGED_PATH).stdout.decode() == shown


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def test_info_shows_all_that_the_file_says(tmp_path: Path) -> None:
    details = {
        "int8": {"method": "entropy", "float_layers": ["first", "last"], "calibration_posters": 77},
        "parity": {"posters": 1234, "largest": 0.123, "agreement": 0.987},
        "odd": {"deep": {"deeper": [{"a": 1.25}, None, True]}, "\x1b[2J": "\x1b[31m"},
    }
    thresholds = {"balanced": {"Drama": 0.123456, "Horror": None}}
    model = tmp_path / "made.onnx"
    model.write_bytes(
        model_bytes(metadata={"details": details, "thresholds": thresholds, "licences": {"a": "b"}})
    )
    document = json.loads(run("info", model, "--json").stdout)
    assert document["details"] == details
    assert (document["opset"], document["ir_version"]) == (18, 10)
    assert document["bytes"] == model.stat().st_size
    shown = run("info", model).stdout.decode()
    for leaf in leaves(document):
        word = {"None": "never", "True": "yes", "\x1b[31m": "\\x1b[31m"}.get(str(leaf), str(leaf))
        assert word in shown
    for part in ("uint8 [N, height, width, 3]", "float32 [N, 2]", "182x268", "opset 18"):
        assert part in shown
    assert "\x1b" not in shown


def test_a_model_of_one_s_own(folder: Path, tmp_path: Path) -> None:
    from genre_infer import model_file

    copy = tmp_path / "own.onnx"
    copy.write_bytes(model_file.PACKAGED_PATH.read_bytes())
    assert run(folder, *CPU, "--model", copy).stdout == run(folder, *CPU).stdout
