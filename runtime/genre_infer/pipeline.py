"""Posters to probabilities: decoded by threads, computed in batches, delivered in order.

Decoding threads, each with a decoder of its own, fill batches; the thread that decodes a batch's
last poster hands it to the lanes, threads that run the engine; whoever consumes takes rows from the
oldest batch. Only so many batches are under way, so memory does not depend on how many posters
there are, and decoding and computing go on while the consumer works.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .decoders import Decoder
from .errors import GenreInferError
from .posters import Pixels

Item = TypeVar("Item")
Row = NDArray[np.float32]

_LOOK = 0.5  # seconds between looks at the clock, also where a signal can end the wait (Windows)
# Seconds that a stopped run waits for the batches being computed, a second or so on the slowest
# processors: Python must not end while an engine is amid its work. Ctrl-C does not wait so long.
_PATIENCE, _PATIENCE_ON_CTRL_C = 10.0, 0.5


@dataclass(frozen=True, slots=True)
class Stages(Generic[Item]):
    """What is done, by how many threads.

    decoder: makes what each of `workers` threads decodes with, to pixels of `size` (height, width).
    run: a batch of these to float32 [N, genres], called by `lanes` threads; may raise. timeout:
    seconds for one poster's decoding, or None.
    """

    decoder: Callable[[], Decoder[Item]]
    run: Callable[[Pixels], Row]
    size: tuple[int, int]
    batch_size: int
    workers: int
    lanes: int
    timeout: float | None = None


def classified(
    items: Iterable[Item], stages: Stages[Item]
) -> Generator[tuple[Item, Row | Exception], None, None]:
    """Yield (item, its row of probabilities), in the order of items.

    A fault of decoding is yielded in the row's place, TimeoutError for an item that took too long:
    a thread cannot be stopped, so it is left behind and another takes its place. A fault of run
    or of items is raised where it occurred, after the rows before it. Items are taken by the
    consumer's thread, lanes + 2 batches ahead and no more; all threads end with the generator.
    """
    pipeline, patience = _Pipeline(stages), _PATIENCE
    try:
        pipeline.start()
        yield from pipeline.rows(iter(items))
    except KeyboardInterrupt:
        patience = _PATIENCE_ON_CTRL_C
        raise
    finally:
        pipeline.stop(patience)


class _Batch:
    """Posters that are computed together, each with its own slot in one array."""

    def __init__(self, items: list[Any], pixels: Pixels) -> None:
        self.pixels: Pixels | None = pixels
        self.slots = [_Slot(self, position, item) for position, item in enumerate(items)]
        self.left = len(items)
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.rows: Row | None = None
        self.fault: Exception | None = None

    def compute(self, run: Callable[[Pixels], Row]) -> Pixels:
        """Compute the rows, or keep the fault. Returns the pixels, which are done with."""
        pixels, self.pixels = self.pixels, None
        assert pixels is not None
        try:
            if any(slot.fault is None for slot in self.slots):
                self.rows = run(pixels)
        except Exception as error:
            self.fault = error
        return pixels


class _Slot:
    """One poster's place in a batch; settled once it is decoded, or has failed."""

    __slots__ = ("batch", "decoder", "fault", "item", "position", "settled", "started")

    def __init__(self, batch: _Batch, position: int, item: Any) -> None:
        self.batch, self.position, self.item = batch, position, item
        self.decoder: Decoder[Any] | None = None
        self.started: float | None = None
        self.settled = False
        self.fault: Exception | None = None

    def settle(self, outcome: Pixels | Exception) -> tuple[bool, bool]:
        """Whether this was the first outcome, which alone counts, and the batch's last one."""
        with self.batch.lock:
            if self.settled:
                return False, False
            self.settled = True
            assert self.batch.pixels is not None
            if isinstance(outcome, Exception):
                self.fault = outcome
                self.batch.pixels[self.position] = 0
            else:
                self.batch.pixels[self.position] = outcome
            self.batch.left -= 1
            return True, self.batch.left == 0


class _Pipeline:
    def __init__(self, stages: Stages[Any]) -> None:
        self._stages = stages
        self._undecoded: SimpleQueue[_Slot | None] = SimpleQueue()
        self._ready: SimpleQueue[_Batch | None] = SimpleQueue()
        self._under_way: deque[_Batch] = deque()
        self._spare: list[Pixels] = []
        self._stopped = False
        self._decoders: list[Decoder[Any]] = []
        self._lanes: list[threading.Thread] = []

    def start(self) -> None:
        """Start all threads. Raises GenreInferError where the system gives no more."""
        try:
            for _ in range(self._stages.workers):
                self._start_decoding()
            for _ in range(self._stages.lanes):
                self._lanes.append(self._start(self._compute, "genre-infer-lane"))
        except RuntimeError as error:
            count = self._stages.workers
            raise GenreInferError(
                f"{count} decoding threads cannot be started ({error}); ask for fewer with "
                "--threads."
            ) from None

    def rows(self, items: Iterator[Any]) -> Iterator[tuple[Any, Row | Exception]]:
        most, first, ended = self._stages.lanes + 2, True, False
        fault: BaseException | None = None
        while True:
            while not ended and len(self._under_way) < most and not self._first_is_done():
                group, fault = _take(items, self._stages.batch_size)
                ended = fault is not None or len(group) < self._stages.batch_size
                if group and not isinstance(fault, KeyboardInterrupt):
                    self._submit(group, alone=first and ended and len(group) == 1)
                    first = False
            if not self._under_way:
                break
            if isinstance(fault, KeyboardInterrupt) and not self._first_is_done():
                break  # what is done is delivered, and nothing is waited for
            batch = self._under_way[0]
            self._await(batch)
            self._under_way.popleft()
            yield from _rows_of(batch)
        if fault is not None:
            raise fault

    def stop(self, patience: float) -> None:
        """Have all threads end, and wait so many seconds for the lanes' last batches."""
        self._stopped = True
        for queue in (self._undecoded, self._ready):
            _drain(queue)
            queue.put(None)
        for decoder in self._decoders:
            decoder.stop()
        end = time.monotonic() + patience
        for lane in self._lanes:
            lane.join(max(0.0, end - time.monotonic()))

    def _start(self, work: Callable[[], None], name: str) -> threading.Thread:
        # daemon: a thread stuck in a read that never returns must not keep the process alive
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread

    def _array(self, count: int) -> Pixels:
        # Used again: to be given fresh memory takes the system longer than copying the posters.
        if self._spare and count == self._stages.batch_size:
            return self._spare.pop()
        return np.zeros((count, *self._stages.size, 3), np.uint8)

    def _start_decoding(self) -> None:
        decoder = self._stages.decoder()
        self._decoders.append(decoder)
        self._start(lambda: self._decode(decoder), "genre-infer-decode")

    def _submit(self, group: list[Any], *, alone: bool) -> None:
        # Engines plan anew for each further shape, and a poster's row must not hang on how many
        # others came with it: a run's last batch is as large as all others, unless it is the
        # run's only poster.
        pixels = self._array(1 if alone else self._stages.batch_size)
        pixels[len(group) :] = 0
        batch = _Batch(group, pixels)
        self._under_way.append(batch)
        for slot in batch.slots:
            self._undecoded.put(slot)

    def _decode(self, decoder: Decoder[Any]) -> None:
        while (slot := self._undecoded.get()) is not None:
            outcome: Pixels | Exception
            try:
                decoder.prepare(slot.item)
                slot.decoder, slot.started = decoder, time.monotonic()
                outcome = decoder.decode(slot.item)
            except Exception as error:
                outcome = error
            if not self._settle(slot, outcome):
                break  # it took too long, and another thread has taken this one's place
        else:
            self._undecoded.put(None)  # the end is for every thread
        decoder.close()

    def _settle(self, slot: _Slot, outcome: Pixels | Exception) -> bool:
        first, last = slot.settle(outcome)
        if last:
            self._ready.put(slot.batch)
        return first

    def _compute(self) -> None:
        while (batch := self._ready.get()) is not None and not self._stopped:
            pixels = batch.compute(self._stages.run)
            if len(pixels) == self._stages.batch_size:
                self._spare.append(pixels)
            batch.done.set()
            del pixels, batch  # not held while this lane waits for the next
        self._ready.put(None)

    def _first_is_done(self) -> bool:
        return bool(self._under_way) and self._under_way[0].done.is_set()

    def _await(self, batch: _Batch) -> None:
        timeout = self._stages.timeout
        look = _LOOK if timeout is None else min(_LOOK, max(timeout / 4, 0.01))
        looked = time.monotonic()
        while not batch.done.wait(look):
            now = time.monotonic()
            if timeout is not None:
                self._give_up(now - timeout, not_counted=now - looked - look)
            looked = now

    def _give_up(self, before: float, not_counted: float) -> None:
        """Those that began before this time are late. not_counted: seconds by which this look came
        too late itself, because the whole process was stopped (Ctrl-Z, a paused container)."""
        for batch in self._under_way:
            for slot in batch.slots:
                if slot.started is not None and not slot.settled:
                    slot.started += max(0.0, not_counted)
                late = slot.started is not None and slot.started < before
                if late and not slot.settled and self._settle(slot, TimeoutError()):
                    assert slot.decoder is not None
                    slot.decoder.stop()
                    self._decoders.remove(slot.decoder)
                    self._start_decoding()


def _take(items: Iterator[Any], count: int) -> tuple[list[Any], BaseException | None]:
    """The next items, and what the iterator raised instead of one more: Ctrl-C too, which may end a
    long wait for it."""
    group: list[Any] = []
    try:
        group.extend(islice(items, count))
    except (Exception, KeyboardInterrupt) as error:
        return group, error
    return group, None


def _rows_of(batch: _Batch) -> Iterator[tuple[Any, Row | Exception]]:
    if batch.fault is not None:
        raise batch.fault
    # A batch and its slots hold each other: let go of them now, not at some collection of garbage.
    slots, batch.slots = batch.slots, []
    for slot in slots:
        if slot.fault is not None:
            yield slot.item, slot.fault
        else:
            assert batch.rows is not None
            yield slot.item, batch.rows[slot.position]


def _drain(queue: "SimpleQueue[Any]") -> None:
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
