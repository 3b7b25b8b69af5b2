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
    """Open a session, and check that it runs a batch, and runs it on the GPU."""
    ort = import_onnxruntime(device)
    name, provider = f"The device {device}", providers[0][0]
    install = 'pip install "genre-infer[gpu]"' + " tensorrt" * (device == "tensorrt")
    check = f"Check the driver with nvidia-smi and the libraries with: {install}"
    if provider not in ort.get_available_providers():
        fix = f"Fix it with: pip uninstall -y onnxruntime && {install}"
        raise DeviceError(f"{name} is not available: this onnxruntime is built without it. {fix}")
    batch_size = request.batch_size or _BATCH_SIZE
    try:
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder, _silenced():
            session = _open_profiled(ort, providers, request, os.path.join(folder, "probe"))
            # onnxruntime silently falls back to another provider where one does not start.
            if session.get_providers()[0] != provider:
                cause = "onnxruntime could not start it"
                raise DeviceError(f"{name} is not available: {cause}. {check}")
            try:  # a first batch also prepares the session for its shape
                session.run([OUTPUT], {INPUT: np.zeros((batch_size, *request.size, 3), np.uint8)})
            except Exception as error:  # onnxruntime raises classes of its own
                cause = first_line(error)
                raise DeviceError(f"{name} does not run the model: {cause}") from None
            placed = placements(Path(session.end_profiling()))
    except ModelError as error:  # TensorRT says so where its libraries are missing
        raise DeviceError(f"{name} does not open the model. {check}  ({error})") from None
    except (OSError, ValueError) as error:  # no folder to write to, or its disk is full
        why = "onnxruntime writes a profile into a temporary folder, which TMPDIR names"
        raise DeviceError(f"{name} cannot be tried: {error}; {why}.") from None
    stray = sum("Conv" in node and where == "CPUExecutionProvider" for node, where in placed)
    if stray or not any(where == provider for _, where in placed):
        cause = f"onnxruntime runs {stray or 'all'} of its convolutions on the processor"
        message = f"{name} is available, but does not run this model: {cause}."
        raise DeviceError(f"{message} Use the device cpu or openvino.", "device")
    sizes = {"batch_size": batch_size, "lanes": _LANES, "padded_from": padded_from}
    return OnnxRuntime(device, session, padded=request.size, **sizes)


def _open_profiled(ort: Any, providers: list[Any], request: Request, profile: str) -> Any:
    if hasattr(ort, "preload_dlls"):
        with redirect_stdout(StringIO()):  # it prints what it does not find
            ort.preload_dlls()  # CUDA and cuDNN from pip's packages
    options = gpu_options(ort, request)
    options.enable_profiling = True
    options.profile_file_prefix = profile
    return open_session(ort, request, [*providers, "CPUExecutionProvider"], options)


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
