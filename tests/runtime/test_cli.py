"""The command genre-infer, through its public door: arguments in, rows and exit status out."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import invoke, rows, run
from PIL import Image
from write_onnx import model_bytes

from genre_infer import GenreInferError
from genre_infer.engines import Engine, Request, open_engine


def test_a_folder_to_json_lines(folder: Path) -> None:
    (folder / "notes.txt").write_text("no poster")
    done = run(folder, "--device", "cpu")
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


def test_paths_are_as_reached_from_the_argument(folder: Path, cpu: list[str]) -> None:
    done = invoke("posters/2.jpg", "./posters", *cpu, cwd=folder.parent)
    paths = [row["path"] for row in rows(done.stdout)]
    assert paths[:2] == ["posters/2.jpg", "./posters/1.jpg"]
    done = invoke("classify", "posters/2.jpg", *cpu, cwd=folder.parent)
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


def test_bad_posters_are_one_row_each_and_change_nothing_for_the_others(
    folder: Path, cpu: list[str]
) -> None:
    before = {row["path"]: row for row in rows(invoke(folder, *cpu).stdout)}
    bad = bad_posters(folder)
    done = run(folder, *cpu, "--timeout", "1")  # leaves a thread in a read that never returns
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
    folder: Path, options: list[str], cpu: list[str]
) -> None:
    expected = set(invoke(folder, *cpu).stdout.splitlines())
    files = sorted(folder.iterdir(), reverse=True)
    assert set(invoke(*files, *cpu, *options).stdout.splitlines()) == expected


def test_a_named_path_always_gets_a_row(folder: Path, cpu: list[str]) -> None:
    done = invoke(folder / "none.jpg", folder / "1.jpg", *cpu)
    assert [row["status"] for row in rows(done.stdout)] == ["not-found", "ok"]
    assert done.returncode == 1


def test_a_name_that_no_file_can_have_gets_a_row(cpu: list[str]) -> None:
    done = invoke("x" * 300 + ".jpg", *cpu)
    assert [row["status"] for row in rows(done.stdout)] == ["not-found"]
    assert done.returncode == 1


def test_a_list_on_stdin(folder: Path, cpu: list[str]) -> None:
    lines = f"{folder}/2.jpg\n{folder}/1.jpg\n".encode()
    paths = [row["path"] for row in rows(invoke("-", *cpu, stdin=lines).stdout)]
    assert paths == [f"{folder}/2.jpg", f"{folder}/1.jpg"]


def test_no_posters_is_status_1(tmp_path: Path, cpu: list[str]) -> None:
    done = invoke(tmp_path, *cpu)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"No posters found" in done.stderr


def test_links_in_a_circle_are_a_row(folder: Path, cpu: list[str]) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    done = invoke(folder, *cpu)
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
    done = invoke(*args)
    assert done.returncode == status
    assert says in done.stderr
    assert done.stdout == b""


def test_threshold_and_top(folder: Path, cpu: list[str]) -> None:
    for row in rows(invoke(folder, *cpu, "--threshold", "0", "--top", "2").stdout):
        best = sorted(row["scores"].values(), reverse=True)[:2]
        assert [row["scores"][genre] for genre in row["genres"]] == best


def test_version_shows_tool_and_model() -> None:
    from genre_infer import __version__, model_file

    model = f"{model_file.PACKAGED_NAME} {model_file.PACKAGED_VERSION}"
    expected = f"genre-infer {__version__}, model {model}\n"
    assert invoke("--version").stdout.decode() == expected


def test_info_shows_the_metadata() -> None:
    from genre_infer import model_file

    document = json.loads(invoke("info", "--json").stdout)
    assert document["sha256"] == model_file.PACKAGED_SHA256
    assert document["format"] == 1
    shown = invoke("info").stdout.decode()
    assert all(genre in shown for genre in document["genres"])
    assert invoke("info", model_file.PACKAGED_PATH).stdout.decode() == shown


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
    document = json.loads(invoke("info", model, "--json").stdout)
    assert document["details"] == details
    assert (document["opset"], document["ir_version"]) == (18, 10)
    assert document["bytes"] == model.stat().st_size
    shown = invoke("info", model).stdout.decode()
    for leaf in leaves(document):
        word = {"None": "never", "True": "yes", "\x1b[31m": "\\x1b[31m"}.get(str(leaf), str(leaf))
        assert word in shown
    for part in ("uint8 [N, height, width, 3]", "float32 [N, 2]", "182x268", "opset 18"):
        assert part in shown
    assert "\x1b" not in shown


@pytest.mark.slow
def test_a_model_of_one_s_own(folder: Path, tmp_path: Path) -> None:
    from genre_infer import model_file

    copy, cpu = tmp_path / "own.onnx", ["--device", "cpu"]
    copy.write_bytes(model_file.PACKAGED_PATH.read_bytes())
    assert invoke(folder, *cpu, "--model", copy).stdout == invoke(folder, *cpu).stdout


@pytest.mark.parametrize(
    ("args", "expected"),
    [(["1.jpg"], 1), (["none.jpg"], 1), (["."], None), (["-"], None), (["1.jpg", "2.jpg"], None)],
)
def test_a_single_poster_gets_a_batch_of_one(
    args: list[str],
    expected: int | None,
    folder: Path,
    cpu: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seen(request: Request, device: str) -> tuple[Engine, list[str]]:
        sizes.append(request.batch_size)
        return open_engine(request, device)

    sizes: list[int | None] = []
    monkeypatch.setattr("genre_infer.classifier.open_engine", seen)
    invoke(*args, *cpu, cwd=folder)
    invoke(*args, *cpu, "--batch-size", "3", cwd=folder)
    assert sizes == [expected, 3]


@pytest.mark.parametrize(
    ("before", "after", "status", "posters"),
    [
        ([], ["--top", "1", "1.jpg"], 0, ["1.jpg"]),
        ([], ["--exact", "--", "1.jpg", "-odd.jpg"], 0, ["1.jpg", "-odd.jpg"]),
        ([], ["--", "-odd.jpg"], 0, ["-odd.jpg"]),
        (["classify"], ["--", "-odd.jpg"], 0, ["-odd.jpg"]),
        ([], ["-odd.jpg"], 2, []),
        ([], [], 2, []),
    ],
)
def test_options_come_first_too(
    before: list[str],
    after: list[str],
    status: int,
    posters: list[str],
    folder: Path,
    cpu: list[str],
) -> None:
    (folder / "-odd.jpg").write_bytes((folder / "1.jpg").read_bytes())
    done = invoke(*before, *cpu, *after, cwd=folder)
    assert done.returncode == status
    assert [row["path"] for row in rows(done.stdout)] == posters


def test_two_dashes_come_before_a_path_with_a_dash(folder: Path) -> None:
    assert [row["status"] for row in rows(invoke("--", "-no.jpg", cwd=folder).stdout)] == [
        "not-found"
    ]
    assert invoke("-no.jpg", cwd=folder).returncode == 2
    assert invoke(cwd=folder).returncode == 2


def test_help_is_the_group_s_or_the_subcommand_s() -> None:
    whole = invoke("--help").stdout
    assert b"classify  Classify posters" in whole
    own = invoke("classify", "--help").stdout
    assert b"--max-pixels" in own
    assert b"--max-pixels" not in whole
    assert invoke("--exact", "--help").stdout == own


def test_a_limit_s_row_names_its_option(folder: Path, cpu: list[str]) -> None:
    path = folder / "1.jpg"
    (row,) = rows(invoke(path, *cpu, "--max-bytes", "2000").stdout)
    assert row["error"] == "The file has more than 2,000 bytes, the limit (--max-bytes)."
    (row,) = rows(invoke(path, *cpu, "--max-pixels", "1000").stdout)
    size = "182x268 pixels, over the limit of 1,000"
    assert row["error"] == f"The picture has {size} (--max-pixels)."


def test_an_error_names_the_option_that_fixes_it(
    folder: Path, cpu: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise GenreInferError("No more threads; ask for fewer.", "threads")

    monkeypatch.setattr("genre_infer.classifier.open_engine", fail)
    done = invoke(folder, *cpu)
    assert done.stderr == b"Error: No more threads; ask for fewer (--threads).\n"
