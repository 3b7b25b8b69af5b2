"""onnxruntime on NVIDIA GPUs, by its CUDA or its TensorRT provider."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..errors import DeviceError, ModelError
from ..metadata import INPUT, OUTPUT
from .base import Engine, Request, first_line
from .onnxruntime import OnnxRuntime, import_onnxruntime, new_options, open_session

_BATCH_SIZE = 64
_LANES = 2  # while one batch computes, the next one is handed over

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
# HEURISTIC: the default measures every algorithm and takes seconds for the first batch.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}

_INSTALL = {
    "cuda": 'pip install "genre-infer[gpu]"',
    "tensorrt": 'pip install "genre-infer[gpu]" tensorrt',
}


def open_cuda(request: Request) -> Engine:
    """Open onnxruntime's CUDA provider. Raises DeviceError, ModelError."""
    return _open("cuda", [(_CUDA, _CUDA_OPTIONS)], request, padded_from=2)


def open_tensorrt(request: Request) -> Engine:
    """Open onnxruntime's TensorRT provider, with CUDA for what TensorRT leaves out.

    It compiles the network for minutes every time. Raises DeviceError, ModelError.
    """
    with suppress(ImportError):
        import_module("tensorrt")  # loads its libraries from pip's packages
    # padded_from: it would compile again for another shape.
    return _open("tensorrt", [(_TENSORRT, {}), (_CUDA, _CUDA_OPTIONS)], request, padded_from=1)


def _open(
    device: str, providers: list[tuple[str, dict[str, str]]], request: Request, *, padded_from: int
) -> Engine:
    ort = import_onnxruntime(device)
    if providers[0][0] not in ort.get_available_providers():
        raise DeviceError(
            f"The device {device} is not available: this onnxruntime is built without it. Fix it "
            f"with: pip uninstall -y onnxruntime && {_INSTALL[device]}"
        )
    batch_size = request.batch_size or _BATCH_SIZE
    try:
        session = _open_and_probe(ort, device, providers, request, batch_size)
    except (OSError, ValueError) as error:  # no folder to write to, or its disk is full
        raise DeviceError(
            f"The device {device} cannot be tried: {error}; onnxruntime writes a profile into a "
            "temporary folder, which TMPDIR names."
        ) from None
    return OnnxRuntime(
        device,
        session,
        batch_size=batch_size,
        lanes=_LANES,
        padded=request.size,
        padded_from=padded_from,
    )


def _open_and_probe(
    ort: Any, device: str, providers: list[Any], request: Request, batch_size: int
) -> Any:
    """Open a session, and check that it runs a batch, and runs it on the GPU."""
    check = f"Check the driver with nvidia-smi and the libraries with: {_INSTALL[device]}"
    provider = providers[0][0]
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, _silenced():
        if hasattr(ort, "preload_dlls"):
            with redirect_stdout(StringIO()):  # it prints what it does not find
                ort.preload_dlls()  # CUDA and cuDNN from pip's packages
        options = gpu_options(ort, request)
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(folder, "probe")
        try:
            session = open_session(ort, request, [*providers, "CPUExecutionProvider"], options)
        except ModelError as error:  # TensorRT says so where its libraries are missing
            message = f"The device {device} does not open the model. {check}  ({error})"
            raise DeviceError(message) from None
        # onnxruntime silently falls back to another provider where one does not start.
        if session.get_providers()[0] != provider:
            raise DeviceError(
                f"The device {device} is not available: onnxruntime could not start it. {check}"
            )
        try:  # a first batch also prepares the session for its shape
            session.run([OUTPUT], {INPUT: np.zeros((batch_size, *request.size, 3), np.uint8)})
        except Exception as error:  # onnxruntime raises classes of its own
            cause = first_line(error)
            raise DeviceError(f"The device {device} does not run the model: {cause}") from None
        placed = placements(Path(session.end_profiling()))
    stray = sum("Conv" in name and where == "CPUExecutionProvider" for name, where in placed)
    if stray or not any(where == provider for _, where in placed):
        raise DeviceError(
            f"The device {device} is available, but does not run this model: onnxruntime runs "
            f"{stray or 'all'} of its convolutions on the processor. Use the device cpu or "
            "openvino.",
            "device",
        )
    return session


def gpu_options(ort: Any, request: Request) -> Any:
    """Make session options for a GPU, which has no kernels for onnxruntime's int8 convolutions.

    disable_quant_qdq: int8 weights become float32 once, when the model is opened, not in each
    batch. The related enable_quant_qdq_cleanup, which should also drop the roundings between the
    layers, makes the probabilities of our files wrong (onnxruntime 1.32, by 0.98).
    """
    options = new_options(ort, request)
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def placements(profile: Path) -> list[tuple[str, str]]:
    """Read the operator and provider of every node that ran from a profile of onnxruntime.

    It is a list of trace events; those of nodes have both names among their args.
    """
    events = json.loads(profile.read_text("utf-8"))
    nodes = [e["args"] for e in events if e.get("cat") == "Node" and "provider" in e["args"]]
    return [(node["op_name"], node["provider"]) for node in nodes]


_stderr_lock = threading.Lock()


@contextmanager
def _silenced() -> Iterator[None]:
    """Silence stderr: onnxruntime's GPU providers print from C++ the failures that we raise."""
    with _stderr_lock:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # stderr is closed
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(null)
            os.close(saved)
