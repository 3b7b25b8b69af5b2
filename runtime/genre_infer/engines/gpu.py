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
from .onnx_runtime import OnnxRuntime, import_onnxruntime, new_options, open_session

_BATCH_SIZE = 64
_LANES = 2  # while one batch computes, the next one is handed over

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
# HEURISTIC: the default measures every algorithm and takes seconds for the first batch.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}

_MEND = {
    _CUDA: 'the libraries with: pip install "genre-infer[gpu]"',
    _TENSORRT: 'the libraries with: pip install "genre-infer[gpu]" tensorrt',
}


def open_cuda(request: Request) -> Engine:
    """onnxruntime's CUDA provider. Raises DeviceError, ModelError."""
    return _open("cuda", _CUDA, [(_CUDA, _CUDA_OPTIONS)], request)


def open_tensorrt(request: Request) -> Engine:
    """onnxruntime's TensorRT provider, with CUDA for what TensorRT leaves. It compiles the network
    for minutes whenever it is opened. Raises DeviceError, ModelError."""
    with suppress(ImportError):
        import_module("tensorrt")  # loads its libraries from pip's packages
    return _open("tensorrt", _TENSORRT, [_TENSORRT, (_CUDA, _CUDA_OPTIONS)], request)


def _open(device: str, provider: str, providers: list[Any], request: Request) -> Engine:
    ort = import_onnxruntime(device)
    if provider not in ort.get_available_providers():
        raise DeviceError(
            f"The device {device} is not there: this onnxruntime is built without it. Mend it "
            f"with: pip uninstall -y onnxruntime && {_MEND[provider].partition(': ')[2]}"
        )
    batch_size = request.batch_size or _BATCH_SIZE
    try:
        session = _probed(ort, device, provider, providers, request, batch_size)
    except (OSError, ValueError) as error:  # no folder to write to, a profile cut short by its disk
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
        padded_from=1 if provider == _TENSORRT else 2,  # which compiles anew for another shape
    )


def _probed(
    ort: Any,
    device: str,
    provider: str,
    providers: list[Any],
    request: Request,
    batch_size: int,
) -> Any:
    """A session that has run a batch, and ran it on the GPU."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, _silenced():
        if hasattr(ort, "preload_dlls"):
            with redirect_stdout(StringIO()):  # it prints what it does not find
                ort.preload_dlls()  # CUDA and cuDNN from pip's packages, wherever they lie
        options = gpu_options(ort, request.threads)
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(folder, "probe")
        try:
            session = open_session(
                ort, request, [*providers, "CPUExecutionProvider"], options=options
            )
        except ModelError as error:  # where its libraries are missing, TensorRT says so in this way
            raise DeviceError(
                f"The device {device} does not open the model. Check the driver with nvidia-smi "
                f"and {_MEND[provider]}  ({error})"
            ) from None
        # onnxruntime falls back to another provider without an error where one does not start.
        if session.get_providers()[0] != provider:
            raise DeviceError(
                f"The device {device} is not there: onnxruntime could not start it. Check the "
                f"driver with nvidia-smi and {_MEND[provider]}"
            )
        _check_placed(device, provider, _probe(device, session, (batch_size, *request.size, 3)))
    return session


def gpu_options(ort: Any, threads: int) -> Any:
    """Session options for a GPU, which has no kernels for onnxruntime's int8 convolutions.

    disable_quant_qdq: int8 weights become float32 once, when the model is opened, and not anew in
    each batch. Its sibling enable_quant_qdq_cleanup, which is to drop the roundings between the
    layers too, makes the probabilities of our files wrong (onnxruntime 1.32, by 0.98).
    """
    options = new_options(ort, threads)
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def _probe(device: str, session: Any, shape: tuple[int, ...]) -> list[tuple[str, str]]:
    """Run a first batch, which also plans for its shape. Returns placements()."""
    try:
        session.run([OUTPUT], {INPUT: np.zeros(shape, np.uint8)})
    except Exception as error:  # onnxruntime raises classes of its own for each fault
        cause = first_line(error)
        raise DeviceError(f"The device {device} does not run the model: {cause}") from None
    return placements(Path(session.end_profiling()))


def placements(profile: Path) -> list[tuple[str, str]]:
    """Operator and provider of every node that ran, from the file that onnxruntime's profiling
    writes: a list of trace events, those of nodes with both names among their args."""
    events = json.loads(profile.read_text("utf-8"))
    nodes = [e["args"] for e in events if e.get("cat") == "Node" and "provider" in e["args"]]
    return [(node["op_name"], node["provider"]) for node in nodes]


def _check_placed(device: str, provider: str, placed: list[tuple[str, str]]) -> None:
    """Raises DeviceError where a provider has started, but the network runs on the processor."""
    stray = sum("Conv" in name and where == "CPUExecutionProvider" for name, where in placed)
    if stray or not any(where == provider for _, where in placed):
        raise DeviceError(
            f"The device {device} is there, but does not take this model: onnxruntime runs "
            f"{stray or 'all'} of its convolutions on the processor. Use --device cpu or openvino."
        )


_stderr_lock = threading.Lock()


@contextmanager
def _silenced() -> Iterator[None]:
    """onnxruntime's GPU providers print their failures on stderr, from C++; we raise them."""
    with _stderr_lock:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # there is none, and nothing to be kept from it
            yield
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(sink)
            os.close(saved)
