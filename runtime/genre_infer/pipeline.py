"""Posters to probabilities: decoded by threads, computed in batches, delivered in order.

Decoding threads, each with a decoder of its own, fill batches. The thread that decodes a batch's
last poster hands it to the lanes, which are threads that run the engine. The consumer takes rows
from the oldest batch. Only a few batches are under way at a time, so memory does not depend on the
number of posters, and decoding and computing go on while the consumer works.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any
from weakref import WeakSet

import numpy as np

from .decoder import Decoder, Item
from .engines import Engine, Probabilities
from .errors import GenreInferError
from .limits import PosterError
from .posters import Pixels

# Seconds between looks at the clock; on Windows a signal can end the wait only then.
_LOOK = 0.5
# Seconds that a stopped run waits for the batches being computed, which take a second or so on the
# slowest processors: Python must not end while an engine works. Ctrl-C waits less.
_PATIENCE, _PATIENCE_ON_CTRL_C = 10.0, 0.5


def classified(
    items: Iterable[Item | None],
    new_decoder: Callable[[], Decoder[Item]],
    engine: Engine,
    *,
    size: tuple[int, int],
    workers: int,
    timeout: float | None = None,
) -> Generator[tuple[Item, Probabilities | Exception], None, None]:
    """Yield each item with its row of probabilities, in the order of items.

    Items are taken by the consumer's thread, at most lanes + 2 batches ahead. All threads end with
    the generator.

    Args:
        items: What the decoders take. None is no item: it says that the next one may take a while,
            and that the rows of those before it are wanted now.
        new_decoder: Makes a decoder for one thread.
        engine: Computes the batches; each of its lanes gets a thread.
        size: Height and width of the decoded pixels.
        workers: How many threads decode.
        timeout: Seconds for decoding one item, or None. A thread cannot be stopped, so one that
            takes longer is left behind, and another takes its place.

    Yields:
        (item, float32 [genres]), or (item, the exception that decoding raised, PosterError for one
        that took too long).

    Raises:
        Exception: What the engine or `items` raised, after the rows before it.
    """
    pipeline, patience = _Pipeline(new_decoder, engine, size, workers, timeout), _PATIENCE
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
        self.pixels = pixels
        self.slots = [_Slot(self, position, item) for position, item in enumerate(items)]
        self.left = len(items)
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.rows: Any = None  # Probabilities, once they are computed
        self.fault: Exception | None = None


class _Slot:
    """One poster's place in a batch; settled once it is decoded or has failed."""

    __slots__ = ("batch", "decoder", "fault", "item", "position", "settled", "started")

    def __init__(self, batch: _Batch, position: int, item: Any) -> None:
        self.batch, self.position, self.item = batch, position, item
        self.decoder: Decoder[Any] | None = None
        self.started: float | None = None
        self.settled = False
        self.fault: Exception | None = None


@dataclass(eq=False)
class _Pipeline:
    new_decoder: Callable[[], Decoder[Any]]
    engine: Engine
    size: tuple[int, int]
    workers: int
    timeout: float | None
    undecoded: SimpleQueue[_Slot | None] = field(default_factory=SimpleQueue)
    ready: SimpleQueue[_Batch | None] = field(default_factory=SimpleQueue)
    under_way: deque[_Batch] = field(default_factory=deque)
    spare: list[Pixels] = field(default_factory=list)
    decoders: list[Decoder[Any]] = field(default_factory=list)
    lanes: list[threading.Thread] = field(default_factory=list)
    stopped: bool = False

    def start(self) -> None:
        """Start all threads. Raises GenreInferError where the system allows no more."""
        _RUNNING.add(self)
        try:
            for _ in range(self.workers):
                self._start_decoding()
            for _ in range(self.engine.lanes):
                self.lanes.append(_start(self._compute, "genre-infer-lane"))
        except RuntimeError as error:
            message = f"{self.workers} decoding threads cannot be started ({error})"
            raise GenreInferError(f"{message}; ask for fewer.", "threads") from None

    def rows(self, items: Iterator[Any]) -> Iterator[tuple[Any, Probabilities | Exception]]:
        most, count = self.engine.lanes + 2, self.engine.batch_size
        first, ended = True, False
        fault: BaseException | None = None
        while True:
            while not ended and len(self.under_way) < most and not self._first_is_done():
                group, ended, fault = _take(items, count)
                if group and not isinstance(fault, KeyboardInterrupt):
                    self._submit(group, alone=first and ended and len(group) == 1)
                    first = False
                if self.under_way and not ended and len(group) < count:
                    break  # a pause: deliver what is there
            if not self.under_way:
                break
            if isinstance(fault, KeyboardInterrupt) and not self._first_is_done():
                break  # deliver what is done, and wait for nothing
            self._await(self.under_way[0])
            yield from _rows_of(self.under_way.popleft())
        if fault is not None:
            raise fault

    def stop(self, patience: float) -> None:
        """End all threads, and wait so many seconds for the lanes' last batches."""
        self.stopped = True
        self.undecoded.put(None)
        self.ready.put(None)
        for decoder in self.decoders:
            decoder.stop()
        end = time.monotonic() + patience
        for lane in self.lanes:
            lane.join(max(0.0, end - time.monotonic()))

    def _start_decoding(self) -> None:
        decoder = self.new_decoder()
        self.decoders.append(decoder)
        _start(lambda: self._decode(decoder), "genre-infer-decode")

    def _submit(self, group: list[Any], *, alone: bool) -> None:
        # Engines prepare again for every new shape, and a poster's row must not depend on how many
        # others came with it: a run's last batch is as large as all others, unless it is the
        # run's only poster.
        shape = (1 if alone else self.engine.batch_size, *self.size, 3)
        # Arrays are used again: getting fresh memory takes longer than copying the posters.
        new = alone or not self.spare
        pixels = np.zeros(shape, np.uint8) if new else self.spare.pop()
        pixels[len(group) :] = 0
        batch = _Batch(group, pixels)
        self.under_way.append(batch)
        for slot in batch.slots:
            self.undecoded.put(slot)

    def _decode(self, decoder: Decoder[Any]) -> None:
        while (slot := self.undecoded.get()) is not None and not self.stopped:
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
            self.undecoded.put(None)  # for the other threads
        decoder.close()

    def _settle(self, slot: _Slot, outcome: "Pixels | Exception") -> bool:
        """Keep a slot's first outcome. Returns False for any later one, which does not count."""
        batch = slot.batch
        with batch.lock:
            if slot.settled:
                return False
            slot.settled = True
            slot.fault = outcome if isinstance(outcome, Exception) else None
            batch.pixels[slot.position] = 0 if isinstance(outcome, Exception) else outcome
            batch.left -= 1
            last = batch.left == 0
        if last:
            self.ready.put(batch)
        return True

    def _compute(self) -> None:
        while (batch := self.ready.get()) is not None and not self.stopped:
            try:
                if any(slot.fault is None for slot in batch.slots):
                    batch.rows = self.engine.run(batch.pixels)
            except Exception as error:
                batch.fault = error
            if len(batch.pixels) == self.engine.batch_size:
                self.spare.append(batch.pixels)
            del batch.pixels
            batch.done.set()
            del batch  # not held while this lane waits for the next
        self.ready.put(None)

    def _first_is_done(self) -> bool:
        return bool(self.under_way) and self.under_way[0].done.is_set()

    def _await(self, batch: _Batch) -> None:
        timeout = self.timeout
        look = _LOOK if timeout is None else min(_LOOK, max(timeout / 4, 0.01))
        looked = time.monotonic()
        while not batch.done.wait(look):
            now = time.monotonic()
            if timeout is not None:
                # If this look itself came late, the whole process was stopped (Ctrl-Z, a paused
                # container); that time does not count.
                self._give_up(timeout, now, stopped=max(0.0, now - looked - look))
            looked = now

    def _give_up(self, timeout: float, now: float, stopped: float) -> None:
        """Settle those that take longer than the time limit, and replace their threads."""
        for slot in [slot for batch in self.under_way for slot in batch.slots]:
            if slot.started is None or slot.settled:
                continue
            slot.started += stopped
            if now - slot.started <= timeout:
                continue
            message = f"Reading took longer than {timeout:g} seconds."
            if self._settle(slot, PosterError("timeout", message, "timeout")):
                assert slot.decoder is not None
                slot.decoder.stop()
                self.decoders.remove(slot.decoder)
                self._start_decoding()


_RUNNING: WeakSet[_Pipeline] = WeakSet()


def _stop_all() -> None:
    """End the threads of loops that were left: Python must not end while an engine works."""
    for pipeline in list(_RUNNING):
        pipeline.stop(_PATIENCE)


atexit.register(_stop_all)


def _start(work: Callable[[], None], name: str) -> threading.Thread:
    # daemon: a thread stuck in a read that never returns must not keep the process alive
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _take(items: Iterator[Any], count: int) -> tuple[list[Any], bool, BaseException | None]:
    """Take the next items, fewer before a pause (None).

    Returns:
        The items, whether there are no more, and what the iterator raised, which may be Ctrl-C.
    """
    group: list[Any] = []
    try:
        for item in items:
            if item is None:
                return group, False, None
            group.append(item)
            if len(group) == count:
                return group, False, None
    except (Exception, KeyboardInterrupt) as error:
        return group, True, error
    return group, True, None


def _rows_of(batch: _Batch) -> Iterator[tuple[Any, Probabilities | Exception]]:
    if batch.fault is not None:
        raise batch.fault
    # A batch and its slots refer to each other: break the cycle, to free their memory at once.
    slots, batch.slots = batch.slots, []
    for slot in slots:
        yield slot.item, batch.rows[slot.position] if slot.fault is None else slot.fault
