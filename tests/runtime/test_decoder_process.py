"""Decoding in processes: the rows of threads, processes that end in every way, and none left."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import COMMAND, eventually, rows
from PIL import Image
from pretend import device_is
from write_onnx import toy_model

from genre_infer import Classifier, GenreInferError, Limits
from genre_infer.decoder_process import ProcessDecoder

needs_proc = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks into Linux's /proc")


def in_processes(threads: int = 1, **options: object) -> Classifier:
    return Classifier(toy_model(), device="cpu", threads=threads, decoders="processes", **options)


def decoding(parent: int) -> list[int]:
    """The decoding processes of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            owner = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if (
                owner == parent
                and b"genre_infer.decoder_process" in (folder / "cmdline").read_bytes()
            ):
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def writer(fifo: Path) -> int | None:
    """The end of a pipe whose other end somebody reads; while it is open, he waits."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def writer_once_read(fifo: Path) -> int:
    end = time.monotonic() + 60
    while (descriptor := writer(fifo)) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return descriptor


@pytest.fixture
def fifo(folder: Path) -> Path:
    """A poster that never comes, among those of the folder."""
    os.mkfifo(folder / "fifo.jpg")
    return folder / "fifo.jpg"


def test_rows_are_those_of_threads(folder: Path) -> None:
    (folder / "cut.jpg").write_bytes((folder / "1.jpg").read_bytes()[:-3000])
    (folder / "text.png").write_text("not a picture")
    Image.new("1", (9000, 9000)).save(folder / "many-pixels.png")
    odd = os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jpg")
    Path(odd).write_bytes((folder / "2.jpg").read_bytes())
    Image.open(folder / "3.jpg").resize((1000, 1400)).save(folder / "drafted.jpg")
    sources = [
        *(str(folder / f"{n}.jpg") for n in range(6, 9)),
        *(folder / name for name in ("cut.jpg", "text.png", "many-pixels.png", "drafted.jpg")),
        *(odd, str(folder), str(folder / "none.jpg"), "nul\0", "\ud800", "", "x" * 100_000),
        *((folder / "4.jpg").read_bytes(), b"", Image.open(folder / "5.jpg")),
    ]
    for options in ({}, {"exact": True, "limits": Limits(bytes=5000)}):
        with in_processes(2, batch_size=4, **options) as classifier:
            found = list(classifier.classify_many(sources))
            classifier.decoders = "threads"
            assert found == list(classifier.classify_many(sources))
        assert len({result.status for result in found}) >= 4


@pytest.mark.slow
@needs_proc
def test_a_time_limit_kills_the_process_and_the_others_go_on(folder: Path, fifo: Path) -> None:
    paths = [fifo, *(folder / f"{n}.jpg" for n in range(1, 5)), fifo]
    with in_processes(2, timeout=2, batch_size=2) as classifier:
        results = classifier.classify_many(paths)
        found = [next(results) for _ in paths]
        assert len(decoding(os.getpid())) <= 2
        assert writer(fifo) is None  # nobody reads it any more
        results.close()
    assert [result.status for result in found] == ["timeout", *["ok"] * 4, "timeout"]


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_during_a_poster_gives_it_a_row(
    folder: Path, fifo: Path, number: signal.Signals
) -> None:
    def sources() -> Iterator[Path]:
        yield folder / "1.jpg"
        yield fifo
        yield folder / "2.jpg"
        descriptor = writer_once_read(fifo)
        (process,) = decoding(os.getpid())
        os.kill(process, number)
        assert eventually(lambda: process not in decoding(os.getpid()))
        os.close(descriptor)
        yield folder / "3.jpg"

    with in_processes(batch_size=1) as classifier:
        found = list(classifier.classify_many(sources()))
    assert [result.status for result in found] == ["ok", "unreadable", "ok", "ok"]
    assert found[1].error == f"The process that decoded it ended ({number.name})."


@needs_proc
def test_a_process_that_dies_between_posters_costs_none_of_them(folder: Path) -> None:
    decoder = ProcessDecoder(182, 268, Limits(), draft=True, problems=None)
    before = decoder.decode(folder / "1.jpg").copy()
    (process,) = decoding(os.getpid())
    os.kill(process, signal.SIGKILL)
    # Until all its threads have ended, its pipes are open.
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert (decoder.decode(folder / "1.jpg") == before).all()
    decoder.close()
    with pytest.raises(GenreInferError, match="stopped"):
        decoder.decode(folder / "1.jpg")
    assert decoding(os.getpid()) == []


def nothing_is_left_of_other_tests() -> bool:
    gc.collect()
    return not decoding(os.getpid())


@needs_proc
@pytest.mark.parametrize("taken", [0, 1, 6])
def test_nothing_is_left_of_a_run(folder: Path, fifo: Path, taken: int) -> None:
    paths = [*(folder / f"{n}.jpg" for n in range(1, 7)), fifo]  # whose decoder is killed
    with in_processes(2, batch_size=2) as classifier:
        classifier.classify(paths[0])  # opens what the engine and Pillow keep
        assert eventually(nothing_is_left_of_other_tests)
        files = len(os.listdir("/proc/self/fd"))
        results = classifier.classify_many(paths)
        for _ in range(taken):
            assert next(results).ok
        if taken:
            assert 1 <= len(decoding(os.getpid())) <= 2
        results.close()
        assert eventually(lambda: decoding(os.getpid()) == [])  # a killed process takes a moment
        assert eventually(lambda: len(os.listdir("/proc/self/fd")) == files)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(
    folder: Path, fifo: Path, tmp_path: Path, number: signal.Signals, cpu: list[str]
) -> None:
    command = [*COMMAND, folder, "-o", tmp_path / "rows", *cpu, "--decoders", "processes"]
    process = subprocess.Popen(
        [*command, "--threads", "2", "--batch-size", "1"],
        stderr=subprocess.PIPE,
        process_group=0,
        # A shell's background job ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    descriptor = writer_once_read(fifo)
    left = decoding(process.pid)
    assert left
    os.killpg(process.pid, number)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert b"Traceback" not in errors
    assert len(errors.splitlines()) <= 2
    assert eventually(lambda: not any(Path(f"/proc/{one}").exists() for one in left))
    os.close(descriptor)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["file", "stdin"])
def test_a_script_needs_no_guard_for_its_main_part(
    folder: Path, tmp_path: Path, toy: Path, by: str
) -> None:
    # A folder of posters is no place to import from.
    (folder / "numpy.py").write_text("raise SystemExit('imported')")
    script = tmp_path / "script.py"
    script.write_text(
        "from genre_infer import Classifier\n"
        "print('begins')\n"
        f"with Classifier({str(toy)!r}, device='cpu', threads=2, decoders='processes') as c:\n"
        "    for result in c.classify_many(['1.jpg', '2.jpg', 'none.jpg']):\n"
        "        print(result.path, result.status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", script if by == "file" else "-"],
        input=script.read_text(),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["begins", "1.jpg ok", "2.jpg ok", "none.jpg not-found"]


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs /dev/stdin")
def test_a_process_s_own_files_are_read_by_itself(folder: Path, cpu: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, "/dev/stdin", *cpu, "--decoders", "processes", "--threads", "1"],
        input=(folder / "1.jpg").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert [row["status"] for row in rows(done.stdout)] == ["ok"]


def test_a_process_that_does_not_start_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_processes() as classifier:
        for program in (folder / "none", "false"):
            monkeypatch.setattr(sys, "executable", str(program))
            with pytest.raises(GenreInferError, match=r'does not start.*decoders="threads"'):
                list(classifier.classify_many([folder / "1.jpg"]))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(GenreInferError, match='decoders="threads"'):
        in_processes()


@pytest.mark.parametrize(
    ("threads", "device", "expected"),
    [
        (16, "cpu", "threads"),
        (4, "cuda", "threads"),
        (5, "cuda", "processes"),
        (16, "tensorrt", "processes"),
    ],
)
def test_auto_is_processes_beside_a_gpu_with_many_threads(
    threads: int, device: str, expected: str, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device_is(device, monkeypatch)
    with Classifier(toy, threads=threads) as classifier:
        assert classifier.decoders == expected
    with Classifier(toy, threads=threads, expected_posters=1) as classifier:
        assert classifier.decoders == "threads"


def test_auto_goes_on_in_threads_where_no_process_starts(
    folder: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device_is("cuda", monkeypatch)
    monkeypatch.setattr(sys, "executable", str(folder / "none"))
    with Classifier(toy, threads=5) as classifier:
        results = list(classifier.classify_many([folder / "1.jpg", folder / "2.jpg"]))
        assert [result.status for result in results] == ["ok", "ok"]
        (sentence,) = classifier.skipped
        assert "does not start" in sentence
        assert classifier.decoders == "threads"


def test_what_python_s_start_prints_is_no_answer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello from the start of python')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    with in_processes() as classifier:
        (result,) = classifier.classify_many([folder / "1.jpg"])
    assert result.status == "ok"


def test_decoders_of_another_name_are_refused() -> None:
    with pytest.raises(ValueError, match="auto, threads, processes, not 'fibres'"):
        Classifier(decoders="fibres")


def test_a_process_imports_what_decoding_needs() -> None:
    code = "import sys, genre_infer.decoder_process; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"numpy", "PIL", "genre_infer.posters"} <= loaded
    assert not loaded & {"onnxruntime", "openvino", "click", "rich", "subprocess"}
    assert not {name for name in loaded if name.startswith("genre_infer.engines")}
