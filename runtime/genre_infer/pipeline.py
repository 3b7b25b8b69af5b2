"""Work done ahead by threads, delivered in order, with bounded memory and a time limit each."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


class _Job(Generic[Item]):
    __slots__ = ("abandoned", "done", "item", "outcome", "started")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = threading.Event()
        self.started: float | None = None
        self.abandoned = False
        self.outcome: object = None


def ordered_map(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
    timeout: float | None = None,
) -> Iterator[tuple[Item, Value | Exception]]:
    """Yield (item, function(item)) in the order of items, computed by threads up to `ahead` items
    in advance. An exception is yielded in the value's place; TimeoutError for an item that took
    longer than `timeout` seconds: its thread cannot be stopped, so it is left behind and another
    takes its place. The threads end with the generator.
    """
    queue: SimpleQueue[_Job[Item] | None] = SimpleQueue()
    pending: deque[_Job[Item]] = deque()

    def work() -> None:
        while (job := queue.get()) is not None:
            job.started = time.monotonic()
            try:
                job.outcome = function(job.item)
            except Exception as error:
                job.outcome = error
            job.done.set()
            if job.abandoned:
                return
        queue.put(None)  # the end is for every thread

    def start() -> None:
        # daemon: a thread stuck in a read that never returns must not keep the process alive
        threading.Thread(target=work, name="genre-infer-decode", daemon=True).start()

    def wait(job: _Job[Item]) -> object:
        while not job.done.wait(_remaining(job, timeout)):
            if job.started is not None and _remaining(job, timeout) == 0:
                job.abandoned = True
                start()
                return TimeoutError()
        return job.outcome

    for _ in range(workers):
        start()
    try:
        source = iter(items)
        exhausted = False
        while True:
            while not exhausted and len(pending) < ahead:
                try:
                    job = _Job(next(source))
                except StopIteration:
                    exhausted = True
                    break
                pending.append(job)
                queue.put(job)
            if not pending:
                return
            job = pending.popleft()
            yield job.item, wait(job)  # type: ignore[misc]
    finally:
        _drain(queue)
        queue.put(None)


def _remaining(job: _Job[Item], timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if job.started is None:  # waits for a free thread: look again soon
        return min(timeout, 0.1)
    return max(0.0, job.started + timeout - time.monotonic())


def _drain(queue: "SimpleQueue[_Job[Item] | None]") -> None:
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
