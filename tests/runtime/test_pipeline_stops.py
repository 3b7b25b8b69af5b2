"""The pipeline where it is stopped: time limits, Ctrl-C, a consumer that leaves."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import eventually
from toy_pipeline import decode, our_threads, run, squares, values

from genre_infer import Classifier, GenreInferError
from genre_infer.limits import PosterError


def test_ctrl_c_while_the_source_is_slow_loses_no_row_that_is_done() -> None:
    computed = threading.Event()

    def compute(batch: np.ndarray) -> np.ndarray:
        if batch[0, 0, 0, 0] == 4:
            computed.set()
        return run(batch)

    def source() -> Iterator[int]:
        yield from range(10)
        assert computed.wait(30)
        time.sleep(0.2)
        raise KeyboardInterrupt  # as a signal during a read of stdin does

    results = squares(source(), run=compute)
    assert [next(results)[0] for _ in range(8)] == list(range(8))
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert eventually(lambda: our_threads() == 0)


def test_threads_that_cannot_be_started_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def starts(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starts)
    with pytest.raises(GenreInferError, match=r"5 decoding threads.*ask for fewer") as caught:
        next(squares(range(9), workers=5))
    assert caught.value.setting == "threads"
    assert eventually(lambda: our_threads() == 0)


SUSPENDED = """
import time
from types import SimpleNamespace
import numpy as np
from genre_infer.decoder import Decoder
from genre_infer.pipeline import classified

def decode(n):
    print("decoding", flush=True)
    time.sleep(0.5)
    return np.zeros((2, 3, 3), np.uint8)

run = lambda batch: np.zeros((len(batch), 1), np.float32)
engine = SimpleNamespace(run=run, batch_size=1, lanes=1)
settings = {"size": (2, 3), "workers": 1, "timeout": 1.0}
print(next(classified([1], lambda: Decoder(decode), engine, **settings))[1])
"""


@pytest.mark.slow
def test_time_while_the_process_is_stopped_does_not_count() -> None:
    with subprocess.Popen([sys.executable, "-c", SUSPENDED], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"decoding\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == b"[0.]\n"


def test_an_endless_item_times_out_and_the_others_go_on() -> None:
    release = threading.Event()

    def endless(n: int) -> np.ndarray:
        if n in (1, 2, 9):
            release.wait(30)
        return decode(n)

    started = time.monotonic()
    outcomes = values(squares(range(12), decode=endless, timeout=0.2))
    assert time.monotonic() - started < 10
    good = [n for n in range(12) if n not in (1, 2, 9)]
    assert [outcomes[n] for n in good] == [n * n for n in good]
    for n in (1, 2, 9):
        assert isinstance(outcomes[n], PosterError)
        assert (outcomes[n].status, outcomes[n].limit) == ("timeout", "timeout")
        assert str(outcomes[n]) == "Reading took longer than 0.2 seconds."
    release.set()
    assert eventually(lambda: our_threads() == 0)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_threads_end_with_the_generator(taken: int) -> None:
    results = squares(range(100), workers=3, lanes=2)
    for _ in range(taken):
        next(results)
    results.close()
    assert eventually(lambda: our_threads() == 0)


def test_closing_waits_for_the_batch_that_is_being_computed() -> None:
    entered, left = threading.Event(), threading.Event()

    def slow(batch: np.ndarray) -> np.ndarray:
        if batch[0, 0, 0, 0] > 0:
            entered.set()
            time.sleep(0.3)
            left.set()
        return run(batch)

    results = squares(range(100), run=slow)
    next(results)
    assert entered.wait(5)
    results.close()
    assert left.is_set()


def test_a_stuck_engine_does_not_hold_ctrl_c() -> None:
    release = threading.Event()

    def stuck(batch: np.ndarray) -> np.ndarray:
        if batch[0, 0, 0, 0] > 0:
            release.wait(30)
        return run(batch)

    results = squares(range(100), run=stuck)
    assert [next(results)[0] for _ in range(4)] == list(range(4))
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt())
    assert not release.is_set()
    release.set()
    assert eventually(lambda: our_threads() == 0)


SAMPLE = Path(__file__).parents[2] / "samples" / "the-quiet-ice.jpg"
LEFT = """
import threading
import numpy as np
from genre_infer import Classifier
classifier = Classifier(device={device!r})
{use}
print("end", flush=True)
"""
FROM_A_THREAD = """
def work():
    while True:
        classifier.predict(np.zeros((4, 90, 60, 3), np.uint8))
threading.Thread(target=work, daemon=True).start()
"""
WAYS_TO_LEAVE = {
    "break": "results = classifier.classify_many({many})\nfor r in results: break",
    "with": "with classifier:\n    results = classifier.classify_many({many})\n    next(results)",
    "thread": FROM_A_THREAD,
    "exception": "results = classifier.classify_many({many})\nnext(results)\nraise KeyError(7)",
}


@pytest.mark.parametrize("device", ["cpu", "openvino"])
@pytest.mark.parametrize("way", WAYS_TO_LEAVE)
@pytest.mark.slow
def test_python_ends_while_results_are_left(way: str, device: str) -> None:
    """With the packaged model, whose batches take long enough to be under way at the end."""
    pytest.importorskip({"cpu": "onnxruntime"}.get(device, device))
    use = WAYS_TO_LEAVE[way].format(many=f"[{str(SAMPLE)!r}] * 10000")
    script = LEFT.format(device=device, use=use)
    for _ in range(2):
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
        assert time.monotonic() - started < 9
        if way == "exception":
            assert done.returncode == 1
            assert done.stderr.endswith(b"KeyError: 7\n")
        else:
            assert (done.returncode, done.stdout, done.stderr) == (0, b"end\n", b"")


def test_a_pause_delivers_what_is_there() -> None:
    taken: list[int] = []

    def items() -> Iterator[int | None]:
        for number in range(20):
            taken.append(number)
            yield number
            if number % 7 == 2:
                yield None

    results = squares(items())
    seen = []
    for number, _ in results:
        seen.append(number)
        if number == 2:
            assert taken == [0, 1, 2]  # computed without waiting for more
    assert seen == list(range(20))


def test_abandoned_threads_are_few(toy: Path, tmp_path: Path) -> None:
    """After two that exceeded the time limit, posters are decoded in processes."""
    pytest.importorskip("onnxruntime")
    pipes = [tmp_path / f"{number}.jpg" for number in range(5)]
    for pipe in pipes:
        os.mkfifo(pipe)  # nobody writes: a read never returns
    before = threading.active_count()
    with Classifier(toy, device="cpu", threads=1, timeout=0.5, decoders="threads") as classifier:
        results = list(classifier.classify_many([*pipes, SAMPLE]))
    assert [result.status for result in results] == ["timeout"] * 5 + ["ok"]
    assert eventually(lambda: threading.active_count() <= before + 3)
    for pipe in pipes:  # lets the abandoned threads end
        with suppress(OSError):
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
