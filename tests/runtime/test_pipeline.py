"""The pipeline: order, bounded reading ahead, threads side by side, faults in place."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from command import eventually
from toy_pipeline import SIZE, decode, our_threads, run, squares, values


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_order_survives_uneven_work(lanes: int, batch_size: int) -> None:
    def uneven(n: int) -> np.ndarray:
        time.sleep(0.002 * (n % 5))
        return decode(n)

    def slow(batch: np.ndarray) -> np.ndarray:
        time.sleep(0.003 * (batch[0, 0, 0, 0] % 3))
        return run(batch)

    settings = {"workers": 4, "lanes": lanes, "batch_size": batch_size}
    results = list(squares(range(50), decode=uneven, run=slow, **settings))
    assert [(n, float(row[0])) for n, row in results] == [(n, n * n) for n in range(50)]


def test_batches_have_one_shape() -> None:
    shapes = []

    def seen(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return run(batch)

    assert values(squares(range(10), run=seen)) == [n * n for n in range(10)]
    assert shapes == [(4, *SIZE, 3)] * 3
    shapes.clear()
    assert values(squares([3], run=seen)) == [9]
    assert shapes == [(1, *SIZE, 3)]  # a run's only poster is not padded


def test_a_last_poster_that_comes_late_is_computed_as_all_others() -> None:
    shapes = []

    def seen(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return run(batch)

    def late() -> Iterator[int]:
        yield from (0, 1)
        assert eventually(lambda: len(shapes) == 1)
        time.sleep(0.1)  # for the batch to be done, so that no further one is taken ahead
        yield from (2, 3)
        yield 4

    found = []
    for n, row in squares(late(), run=seen, batch_size=2):
        found.append((n, float(row[0])))
        assert eventually(lambda: len(shapes) >= 2)
        time.sleep(0.1)
    assert found == [(n, n * n) for n in range(5)]
    assert shapes == [(2, *SIZE, 3)] * 3


def test_nothing_to_do() -> None:
    assert list(squares([])) == []
    assert eventually(lambda: our_threads() == 0)


def test_reads_no_further_ahead_than_told() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for n in range(200):
            taken.append(n)
            yield n

    results = squares(source(), batch_size=3, lanes=2)
    assert taken == []
    for n in range(20):
        next(results)
        assert len(taken) <= n + 3 * (2 + 2 + 1)
    results.close()


def test_batches_go_without_a_collection_of_garbage() -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def seen(batch: np.ndarray) -> np.ndarray:
        alive.append(weakref.ref(batch))
        return run(batch)

    gc.disable()
    try:
        for _ in squares(range(200), run=seen):
            assert len({id(ref()) for ref in alive} - {id(None)}) <= 1 + 2 + 1
        assert len(alive) == 50
        assert eventually(lambda: not any(ref() is not None for ref in alive))
    finally:
        gc.enable()


def test_threads_work_while_the_consumer_does() -> None:
    computed = []

    def seen(batch: np.ndarray) -> np.ndarray:
        computed.append(int(batch[0, 0, 0, 0]))
        return run(batch)

    results = squares(range(40), run=seen)
    next(results)
    # Nobody asks for more, and yet what was read ahead is decoded and computed.
    assert eventually(lambda: len(computed) >= 3)
    results.close()


def test_rows_do_not_wait_for_items_that_come_slowly() -> None:
    computed = threading.Event()
    taken = []

    def source() -> Iterator[int]:
        for n in range(100):
            if n == 8:  # two batches are under way; the first is done before the third begins
                assert computed.wait(5)
                time.sleep(0.05)
            taken.append(n)
            yield n

    def seen(batch: np.ndarray) -> np.ndarray:
        computed.set()
        return run(batch)

    results = squares(source(), run=seen, lanes=5)
    next(results)
    assert len(taken) <= 12
    results.close()


def test_a_fault_is_delivered_in_its_place() -> None:
    def faulty(n: int) -> np.ndarray:
        if n in (2, 4, 5, 6, 7):
            raise ValueError(str(n))
        return decode(n)

    outcomes = values(squares(range(9), decode=faulty))
    assert [o for o in outcomes if not isinstance(o, Exception)] == [0, 1, 9, 64]
    assert [str(outcomes[n]) for n in (2, 4, 5, 6, 7)] == ["2", "4", "5", "6", "7"]


def test_a_batch_without_a_good_poster_is_not_computed() -> None:
    def faulty(n: int) -> np.ndarray:
        raise ValueError(str(n))

    def never(batch: np.ndarray) -> np.ndarray:
        raise AssertionError(batch.shape)

    outcomes = values(squares(range(9), decode=faulty, run=never))
    assert [str(outcome) for outcome in outcomes] == [str(n) for n in range(9)]


def test_a_fault_of_the_engine_is_raised_after_the_rows_before_it() -> None:
    def faulty(batch: np.ndarray) -> np.ndarray:
        if batch[0, 0, 0, 0] == 8:
            raise RuntimeError("out of memory")
        return run(batch)

    results = squares(range(40), run=faulty, lanes=2)
    assert [next(results)[0] for _ in range(8)] == list(range(8))
    with pytest.raises(RuntimeError, match="out of memory"):
        next(results)
    assert eventually(lambda: our_threads() == 0)


def test_a_fault_of_the_source_is_raised_after_the_rows_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(6)
        raise OSError("the list ends")

    results = squares(source())
    assert [next(results)[0] for _ in range(6)] == list(range(6))
    with pytest.raises(OSError, match="the list ends"):
        next(results)
