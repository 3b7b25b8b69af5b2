"""ordered_map: order, bounded reading ahead, faults in place, time limits, threads that end."""

import threading
import time
from collections.abc import Iterator

import pytest

from genre_infer.pipeline import ordered_map


def decoding_threads() -> int:
    return sum(thread.name == "genre-infer-decode" for thread in threading.enumerate())


def eventually(condition: object, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.01)
    return False


def test_order_survives_uneven_work() -> None:
    def work(n: int) -> int:
        time.sleep(0.002 * (n % 5))
        return n * n

    results = list(ordered_map(work, range(50), workers=4, ahead=10))
    assert results == [(n, n * n) for n in range(50)]


def test_reads_no_further_ahead_than_told() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    results = ordered_map(lambda n: n, source(), workers=2, ahead=7)
    for n in range(20):
        assert next(results) == (n, n)
        assert len(taken) <= n + 8
    results.close()  # type: ignore[attr-defined]


def test_a_fault_is_delivered_in_its_place() -> None:
    def work(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    outcomes = [outcome for _, outcome in ordered_map(work, range(4), workers=2, ahead=4)]
    assert outcomes[:2] == [0, 1]
    assert isinstance(outcomes[2], ValueError)
    assert outcomes[3] == 3


def test_an_endless_item_times_out_and_the_others_go_on() -> None:
    release = threading.Event()

    def work(n: int) -> int:
        if n in (1, 2):
            release.wait(30)
        return n

    started = time.monotonic()
    results = ordered_map(work, range(6), workers=2, ahead=6, timeout=0.2)
    outcomes = [outcome for _, outcome in results]
    assert time.monotonic() - started < 10
    assert [o for o in outcomes if not isinstance(o, Exception)] == [0, 3, 4, 5]
    assert all(isinstance(outcomes[n], TimeoutError) for n in (1, 2))
    release.set()
    assert eventually(lambda: decoding_threads() == 0)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_threads_end_with_the_generator(taken: int) -> None:
    results = ordered_map(lambda n: n, range(100), workers=3, ahead=10)
    for _ in range(taken):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert eventually(lambda: decoding_threads() == 0)
