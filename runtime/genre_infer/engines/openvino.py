"""OpenVINO on the processor."""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..errors import DeviceError
from ..posters import Pixels
from .base import Engine, Probabilities, Request, first_line, joined, parts_of

_BATCH_SIZE = 4  # measured: larger ones gain nothing beside decoding, and need more memory
_MOST_LANES = 8
# OpenVINO keeps what it prepares for each shape, a megabyte or more. After so many other sizes the
# network for them is compiled anew, and what oneDNN keeps below it is bounded too.
_MOST_SHAPES = 16
_MOST_PRIMITIVES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128"}


class OpenVino:
    """The model, compiled for its usual batches, and on demand for single posters and other sizes.

    A network compiled for one exact shape is faster than one for any, and each takes time and
    memory again.
    """

    device = "openvino"
    provider = "OpenVINO CPU"

    def __init__(self, openvino: Any, request: Request) -> None:
        self.batch_size = request.batch_size or _BATCH_SIZE
        # Batches run side by side, each on its own cores, and none waits for another; a single
        # poster is done soonest by all cores together.
        self.lanes = min(request.threads, _MOST_LANES) if self.batch_size > 1 else 1
        self._size, self._threads = request.size, request.threads
        with _device_errors("open the model"):
            self._core = openvino.Core()
            # Its front end for ONNX: Core.read_model guesses the format from the bytes, but what
            # was checked is their reading as ONNX.
            onnx = openvino.frontend.FrontEndManager().load_by_framework("onnx")
            self._model = onnx.convert(onnx.load(BytesIO(request.model)))
        self._compiled: dict[tuple[int, ...] | None, _Compiled] = {}
        self._others: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()  # one compilation at a time
        usual = (self.batch_size, *self._size, 3)
        if self.batch_size > 1:
            self.run(np.zeros(usual, np.uint8))  # a fault shows now, not at the first poster
        else:  # for a single poster that run would take as long as its own
            self._for(usual)

    def run(self, batch: Pixels) -> Probabilities:
        """See Engine. Raises DeviceError."""
        usual = batch.shape[1:3] == self._size and len(batch) > 1
        parts = parts_of(np.ascontiguousarray(batch), self.batch_size if usual else len(batch))
        compiled = self._for(parts[0].shape)
        with _device_errors("run the model"):
            return joined(compiled.run(parts), len(batch))

    def _for(self, shape: tuple[int, ...]) -> "_Compiled":
        key = shape if shape[1:3] == self._size else None  # one network for all other sizes
        with self._lock:
            if key is None and shape not in self._others:
                if len(self._others) == _MOST_SHAPES:
                    self._others.clear()
                    del self._compiled[None]
                self._others.add(shape)
            if key not in self._compiled:
                self._compiled[key] = self._compile(key)
            return self._compiled[key]

    def _compile(self, shape: tuple[int, ...] | None) -> "_Compiled":
        lanes = self.lanes if shape and shape[0] > 1 else 1
        config = {
            # By default OpenVINO computes in bfloat16 on processors that have it, and the graph's
            # own resize, whose pixel indices need more digits, is wrong in it. int8 stays int8.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": lanes,
            "ENABLE_CPU_PINNING": False,  # the decoding threads need the cores too
        }
        with _device_errors("run the model here"):
            model = self._model.clone()
            if shape:
                model.reshape(list(shape))
            return _Compiled(self._core.compile_model(model, "CPU", config), lanes)


class _Compiled:
    """A compiled network with its requests, each of which runs one batch at a time."""

    def __init__(self, compiled: Any, lanes: int) -> None:
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(lanes):
            self._free.put(compiled.create_infer_request())

    def run(self, parts: list[Pixels]) -> list[Probabilities]:
        """Run batches of the compiled shape side by side, on as many requests as are free."""
        started: deque[Any] = deque()
        results: list[Probabilities] = []
        try:
            for part in parts:
                # Finish the request we hold before waiting for another: two callers that each
                # hold what the other waits for would wait for ever.
                if started and self._free.empty():
                    results.append(self._finish(started.popleft()))
                request = self._free.get()
                started.append(request)
                request.start_async([part], share_inputs=True)
            while started:
                results.append(self._finish(started.popleft()))
        finally:
            while started:  # after a fault, or Ctrl-C: the parts must outlive their computation
                with suppress(RuntimeError):
                    self._finish(started.popleft())
        return results

    def _finish(self, request: Any) -> Probabilities:
        try:
            request.wait()
            return np.array(request.get_output_tensor(0).data)
        finally:
            self._free.put(request)


@contextmanager
def _device_errors(what: str) -> Iterator[None]:
    # OpenVINO raises RuntimeError for faults of the device and of the file alike.
    try:
        yield
    except RuntimeError as error:
        cause = first_line(error)
        # What its assembler says where memory that was written cannot be run.
        if "label is redefined" in cause or "can't protect" in cause:
            cause = "this process may not run code that it generates (memory-deny-write-execute)"
        raise DeviceError(f"OpenVINO cannot {what}: {cause}") from None


def open_openvino(request: Request) -> Engine:
    """Open OpenVINO's plugin for processors. Raises DeviceError."""
    if sys.platform == "linux" and not os.path.exists("/proc/self"):
        raise DeviceError("OpenVINO does not work without /proc, which is not mounted here.")
    # openvino imports its telemetry package if it finds it; if it is hidden, it uses a stub.
    hidden = "openvino_telemetry" not in sys.modules
    if hidden:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        cause = "is not installed" if error.name == "openvino" else f"does not load: {error}"
        message = f"The device openvino is not available: openvino {cause}"
        install = 'pip install "genre-infer[openvino]"'
        raise DeviceError(f"{message}; install it with: {install}") from None
    finally:
        if hidden:
            del sys.modules["openvino_telemetry"]
    # oneDNN reads it once, when it is first used. PyTorch has a oneDNN of its own, which must not.
    new = {key: value for key, value in _MOST_PRIMITIVES.items() if key not in os.environ}
    os.environ.update(new)
    try:
        return OpenVino(openvino, request)
    finally:
        for key in new:
            os.environ.pop(key, None)
