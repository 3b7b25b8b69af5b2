"""The one module that knows the engines: how each opens a model from bytes and runs a batch."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, distribution
from io import StringIO
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .cores import available_cores
from .errors import DeviceError, ModelError
from .metadata import INPUT, OUTPUT
from .posters import Pixels

Shape: TypeAlias = tuple[int, int, int, int]  # N, height, width, 3

DEVICES = ("auto", "cpu", "cuda", "openvino")


class Engine(Protocol):
    """A model, opened. device: "cpu", "cuda" or "openvino". provider: what really computes."""

    device: str
    provider: str

    def run(self, batch: Pixels) -> NDArray[np.float32]:
        """uint8 [N, height, width, 3] -> float32 [N, genres]. Safe from many threads."""


def open_engine(
    model: bytes, usual: Shape, device: str = "auto", threads: int | None = None
) -> tuple[Engine, list[str]]:
    """Open a model on a device. "auto" takes the first of CUDA, OpenVINO and onnxruntime's CPU
    that is installed and really runs.

    usual: the shape that most batches will have, at the model's input size; others are slower.
    threads: cores to use; None: all allowed.
    Returns the engine, and a sentence for each faster one that is installed but does not run.
    Raises DeviceError for a device that is not there, ModelError for a model that cannot be opened.
    """
    if device not in DEVICES:
        raise DeviceError(f"The device {device!r} is none of {', '.join(DEVICES)}.")
    _refuse_doubled_runtime()
    threads = threads or available_cores()
    if device != "auto":
        return _OPENERS[device](model, usual, threads), []
    skipped: list[str] = []
    for candidate, package in (("cuda", "onnxruntime-gpu"), ("openvino", "openvino")):
        if not _installed(package):
            continue
        try:
            return _OPENERS[candidate](model, usual, threads), skipped
        except DeviceError as error:
            skipped.append(str(error))
    return _OPENERS["cpu"](model, usual, threads), skipped


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


_REINSTALL = (
    "Mend it with: pip uninstall -y onnxruntime onnxruntime-gpu && "
    'pip install "genre-infer[cpu]"  (or [gpu])'
)


def _refuse_doubled_runtime() -> None:
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        raise DeviceError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files. "
            + _REINSTALL
        )


def _import_onnxruntime(device: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        extra = "gpu" if device == "cuda" else "cpu"
        other = "" if device == "cuda" else ' (or "genre-infer[openvino]" and --device openvino)'
        cause = "is not installed" if error.name == "onnxruntime" else f"does not load: {error}"
        raise DeviceError(
            f'The engine onnxruntime {cause}; install it with: pip install "genre-infer[{extra}]"'
            + other
        ) from None
    if not hasattr(onnxruntime, "InferenceSession"):  # what removing one of two leaves behind
        raise DeviceError(f"onnxruntime is installed in part only. {_REINSTALL}")
    onnxruntime.disable_telemetry_events()
    return onnxruntime


class _OnnxRuntime:
    """onnxruntime, on its own CPU provider or on CUDA."""

    def __init__(self, device: str, session: Any) -> None:
        self.device = device
        self.provider: str = session.get_providers()[0]
        self._session = session

    def run(self, batch: Pixels) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: batch})[0]
        return probabilities


def _session(ort: Any, model: bytes, threads: int, providers: list[Any]) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin would take the cores from the decoding threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; what matters is raised anyway
    try:
        # Without its fall-back: it would print on stdout and go on with another provider.
        return ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime raises classes of its own for each fault
        raise ModelError(f"onnxruntime cannot open the model: {_first_line(error)}") from None


def _open_cpu(model: bytes, _usual: Shape, threads: int) -> Engine:
    ort = _import_onnxruntime("cpu")
    return _OnnxRuntime("cpu", _session(ort, model, threads, ["CPUExecutionProvider"]))


def _open_cuda(model: bytes, _usual: Shape, threads: int) -> Engine:
    ort = _import_onnxruntime("cuda")
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise DeviceError(
            "The device cuda is not there: this onnxruntime is built without CUDA. Mend it with: "
            'pip uninstall -y onnxruntime && pip install "genre-infer[gpu]"'
        )
    with _silenced():
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # CUDA and cuDNN from pip's packages, wherever they lie
        # HEURISTIC: the default measures every algorithm and takes seconds for the first batch.
        cuda = ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"})
        session = _session(ort, model, threads, [cuda, "CPUExecutionProvider"])
    # onnxruntime falls back to the CPU without an error where CUDA does not start.
    if session.get_providers()[0] != "CUDAExecutionProvider":
        raise DeviceError(
            "The device cuda is not there: onnxruntime could not start CUDA. Check the driver with "
            'nvidia-smi and the libraries with: pip install "genre-infer[gpu]"'
        )
    return _OnnxRuntime("cuda", session)


_stderr_lock = threading.Lock()


@contextmanager
def _silenced() -> Iterator[None]:
    """onnxruntime's CUDA provider prints its failures, from C++ and from Python; we raise them."""
    with _stderr_lock, redirect_stdout(StringIO()):
        sys.stderr.flush()
        saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(sink)
            os.close(saved)


class _OpenVino:
    """OpenVINO on the processor."""

    device = "openvino"
    provider = "OpenVINO CPU"

    # A network compiled for one exact shape is faster than one for any, and takes memory again.
    _MOST_SHAPES = 2

    def __init__(self, openvino: Any, model: bytes, usual: Shape, threads: int) -> None:
        self._core, self._model, self._size = openvino.Core(), model, usual[1:3]
        self._config = {
            # By itself OpenVINO computes in bfloat16 on processors that have it, and the graph's
            # own resize, whose pixel indices need more digits, is wrong in it. int8 stays int8.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the decoding threads need the cores too
        }
        self._requests: dict[tuple[int, ...] | None, Any] = {}
        self._lock = threading.Lock()  # a request serves one batch at a time
        self._request(usual)  # a fault shows now, not at the first poster

    def run(self, batch: Pixels) -> NDArray[np.float32]:
        with self._lock:
            request = self._request(batch.shape)
            request.infer([np.ascontiguousarray(batch)], share_inputs=True)
            return np.array(request.get_output_tensor(0).data)

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._model)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot open the model: {_first_line(error)}") from None

    def _request(self, shape: tuple[int, ...]) -> Any:
        """For a shape at the input size one of its own, for all others the one for any shape."""
        fixed = shape[1:3] == self._size and len(self._requests.keys() - {None}) < self._MOST_SHAPES
        key = shape if fixed or shape in self._requests else None
        if key not in self._requests:
            model = self._read()
            if key:
                model.reshape(list(key))
            try:
                compiled = self._core.compile_model(model, "CPU", self._config)
            except RuntimeError as error:
                cause = _first_line(error)
                raise DeviceError(f"OpenVINO cannot run the model here: {cause}") from None
            self._requests[key] = compiled.create_infer_request()
        return self._requests[key]


def _import_openvino() -> Any:
    # openvino imports its telemetry package where it finds it; hidden, it takes its own stub.
    hidden = "openvino_telemetry" not in sys.modules
    if hidden:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        cause = "is not installed" if error.name == "openvino" else f"does not load: {error}"
        raise DeviceError(
            f"The device openvino is not there: openvino {cause}; install it with: "
            'pip install "genre-infer[openvino]"'
        ) from None
    finally:
        if hidden:
            del sys.modules["openvino_telemetry"]
    return openvino


def _open_openvino(model: bytes, usual: Shape, threads: int) -> Engine:
    return _OpenVino(_import_openvino(), model, usual, threads)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


_OPENERS: dict[str, Callable[[bytes, Shape, int], Engine]] = {
    "cpu": _open_cpu,
    "cuda": _open_cuda,
    "openvino": _open_openvino,
}
