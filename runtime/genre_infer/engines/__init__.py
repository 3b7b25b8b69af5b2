"""The one place that knows the engines: which there are, and which one is used.

To add an engine, write a function that takes a Request and returns an Engine, and add a line to the
table below; docs/engines.md explains how, also for plugin providers of onnxruntime.
"""

import sys
import threading
from dataclasses import dataclass
from importlib import import_module
from queue import Empty, SimpleQueue

from ..errors import DeviceError
from .base import CheckedEngine, Engine, Probabilities, Request, installed

__all__ = ["DEVICES", "ENGINES", "GPUS", "CheckedEngine", "Engine", "Probabilities", "Request"]


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine that can be opened.

    Attributes:
        device: Its name for users.
        package: The distribution that contains it; where that is not installed, "auto" skips it
            silently.
        home: Module and function that open it, imported when needed. The function raises
            DeviceError where the device is missing or does not run.
        auto: Whether "auto" may choose it.
        gpu: Whether it leaves the processor to decoding.
    """

    device: str
    package: str
    home: str
    auto: bool = True
    gpu: bool = False

    def open(self, request: Request) -> Engine:
        """Import the engine and open a model on it. Raises DeviceError, ModelError."""
        module, _, function = self.home.partition(":")
        engine: Engine = getattr(import_module(f".{module}", __package__), function)(request)
        return engine


ENGINES = (  # the fastest first; the last one is what "auto" ends with
    # Not chosen by "auto": TensorRT compiles the network for minutes every time it is opened.
    Kind("tensorrt", "onnxruntime-gpu", "gpu:open_tensorrt", auto=False, gpu=True),
    Kind("cuda", "onnxruntime-gpu", "gpu:open_cuda", gpu=True),
    Kind("openvino", "openvino", "openvino:open_openvino"),
    Kind("cpu", "onnxruntime", "onnxruntime:open_cpu"),
)

_LONGEST_OPENING = 30.0  # seconds that "auto" waits for an engine before it goes on to the next

GPUS = frozenset(kind.device for kind in ENGINES if kind.gpu)

DEVICES = ("auto", *(kind.device for kind in reversed(ENGINES)))


def open_engine(request: Request, device: str = "auto") -> tuple[Engine, list[str]]:
    """Open a model on a device.

    Args:
        request: The model, and how it will be used.
        device: One of DEVICES. "auto" chooses the first of the table that is installed and really
            runs: each but the last must first run a batch, or be compiled for one.

    Returns:
        The engine, and a sentence for each faster one that is installed but does not run.

    Raises:
        DeviceError: The device is missing or does not run.
        ModelError: The model cannot be opened.
    """
    from .onnxruntime import refuse_doubled_runtime

    if device not in DEVICES:
        raise DeviceError(f"The device {device!r} is not one of {', '.join(DEVICES)}.")
    if device != "openvino":  # which does not use onnxruntime
        refuse_doubled_runtime()
    if device != "auto":
        (kind,) = (kind for kind in ENGINES if kind.device == device)
        return kind.open(request), []
    skipped: list[str] = []
    for kind in ENGINES[:-1]:
        if kind.auto and installed(kind.package):
            try:
                return _opened_in_time(kind, request), skipped
            except DeviceError as error:
                skipped.append(str(error))
    try:
        return ENGINES[-1].open(request), skipped
    except DeviceError as error:
        raise DeviceError(" ".join([str(error), *skipped]), error.setting) from None


def _opened_in_time(kind: Kind, request: Request) -> Engine:
    """Open a model on an engine that may hang. Raises DeviceError, ModelError."""
    outcome: SimpleQueue[Engine | Exception] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put(kind.open(request))
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=work, name=f"genre-infer-open-{kind.device}", daemon=True).start()
    try:
        opened = outcome.get(timeout=_LONGEST_OPENING)
    except Empty:
        raise DeviceError(
            f"The device {kind.device} did not open the model within {_LONGEST_OPENING:g} seconds."
        ) from None
    if isinstance(opened, Exception):
        raise opened
    return opened


def leave_out_converters() -> None:
    """Import OpenVINO without its model converters, which take a third of its import.

    Only for a process in which nobody else uses OpenVINO.
    """
    # openvino itself goes on without them.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
