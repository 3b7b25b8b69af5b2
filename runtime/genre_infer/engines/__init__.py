"""The one place that knows the engines: which there are, and which one is used.

An engine more is a function that takes a Request and returns an Engine, and a line in the table
below; docs/engines.md says how, also for plugin providers of onnxruntime.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from ..errors import DeviceError
from .base import Engine, Probabilities, Request, installed

__all__ = [
    "DEVICES",
    "ENGINES",
    "GPUS",
    "Engine",
    "Kind",
    "Probabilities",
    "Request",
    "open_engine",
    "this_process_is_ours",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine that can be opened.

    device: its name for users. package: the distribution that brings it; where it is not installed,
    "auto" passes it over without a word. home: module and function that open it, imported when
    needed; the function raises DeviceError where the device is not there or does not run. auto:
    whether "auto" may take it. gpu: whether it leaves the processor to decoding.
    """

    device: str
    package: str
    home: str
    auto: bool = True
    gpu: bool = False

    def open(self, request: Request) -> Engine:
        """Import the engine and open a model on it. Raises DeviceError, ModelError."""
        module, _, function = self.home.partition(":")
        opener: Callable[[Request], Engine] = getattr(
            import_module(f".{module}", __package__), function
        )
        return opener(request)


ENGINES = (  # the fastest first; the last one is what "auto" ends with
    # Not by itself: TensorRT compiles the network for minutes whenever it is opened.
    Kind("tensorrt", "onnxruntime-gpu", "gpu:open_tensorrt", auto=False, gpu=True),
    Kind("cuda", "onnxruntime-gpu", "gpu:open_cuda", gpu=True),
    Kind("openvino", "openvino", "openvino_cpu:open_openvino"),
    Kind("cpu", "onnxruntime", "onnx_runtime:open_cpu"),
)

GPUS = frozenset(kind.device for kind in ENGINES if kind.gpu)

DEVICES = ("auto", *(kind.device for kind in reversed(ENGINES)))


def open_engine(request: Request, device: str = "auto") -> tuple[Engine, list[str]]:
    """Open a model on a device. "auto" takes the first of the table that is installed and really
    runs: each but the last runs a batch, or is compiled for one, before it counts.

    Returns the engine, and a sentence for each faster one that is installed but does not run.
    Raises DeviceError for a device that is not there, ModelError for a model that cannot be opened.
    """
    from .onnx_runtime import refuse_doubled_runtime

    if device not in DEVICES:
        raise DeviceError(f"The device {device!r} is none of {', '.join(DEVICES)}.")
    if device != "openvino":  # which has nothing to do with it
        refuse_doubled_runtime()
    if device != "auto":
        (kind,) = (kind for kind in ENGINES if kind.device == device)
        return kind.open(request), []
    skipped: list[str] = []
    for kind in ENGINES[:-1]:
        if not kind.auto or not installed(kind.package):
            continue
        try:
            return kind.open(request), skipped
        except DeviceError as error:
            skipped.append(str(error))
    try:
        return ENGINES[-1].open(request), skipped
    except DeviceError as error:
        raise DeviceError(" ".join([str(error), *skipped])) from None


def this_process_is_ours() -> None:
    """Tell the engines that nobody else uses them in this process: OpenVINO's converters, a third
    of its import, need not be there."""
    import sys

    # openvino itself goes on without them.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
