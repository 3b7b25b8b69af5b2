"""onnxruntime on the processor, and what its other providers share with it."""

from typing import Any

import numpy as np

from ..errors import DeviceError, ModelError
from ..metadata import INPUT, OUTPUT
from ..posters import Pixels
from .base import Engine, Probabilities, Request, first_line, installed, joined, parts_of

_BATCH_SIZE = 8  # larger ones gain nothing on a processor and need more memory

_UNINSTALL = "Fix it with: pip uninstall -y onnxruntime onnxruntime-gpu"
_REINSTALL = f'{_UNINSTALL} && pip install "genre-infer[cpu]"  (or [gpu])'


class OnnxRuntime:
    """A session of onnxruntime.

    Args:
        device: See Engine.
        session: onnxruntime's InferenceSession.
        batch_size: See Engine.
        lanes: See Engine.
        padded: Height and width of the batches that are run as batches of batch_size alone, the
            last one padded.
        padded_from: Smaller batches of this size are run as they are.
    """

    def __init__(
        self,
        device: str,
        session: Any,
        *,
        batch_size: int,
        lanes: int,
        padded: tuple[int, int] | None = None,
        padded_from: int = 2,
    ) -> None:
        self.device, self.batch_size, self.lanes = device, batch_size, lanes
        self.provider: str = session.get_providers()[0]
        self._session, self._padded, self._padded_from = session, padded, padded_from

    def run(self, batch: Pixels) -> Probabilities:
        """See Engine. Raises DeviceError."""
        usual = batch.shape[1:3] == self._padded and len(batch) >= self._padded_from
        parts = parts_of(np.ascontiguousarray(batch), self.batch_size if usual else len(batch))
        try:
            results = [self._session.run([OUTPUT], {INPUT: part})[0] for part in parts]
        except Exception as error:  # onnxruntime raises classes of its own
            message = f"onnxruntime cannot run the model on {self.device}: {first_line(error)}"
            raise DeviceError(message) from None
        return joined(results, len(batch))


def open_cpu(request: Request) -> Engine:
    """Open onnxruntime's own kernels for the processor. Raises DeviceError, ModelError."""
    ort = import_onnxruntime("cpu")
    session = open_session(ort, request, ["CPUExecutionProvider"], new_options(ort, request))
    return OnnxRuntime("cpu", session, batch_size=request.batch_size or _BATCH_SIZE, lanes=1)


def refuse_doubled_runtime() -> None:
    """Raise DeviceError where two builds of onnxruntime are installed over each other."""
    if installed("onnxruntime") and installed("onnxruntime-gpu"):
        both = "onnxruntime and onnxruntime-gpu are both installed"
        raise DeviceError(f"{both} and overwrite each other's files. {_REINSTALL}")


def import_onnxruntime(device: str) -> Any:
    """Import onnxruntime, and switch its telemetry off. Raises DeviceError."""
    try:
        import onnxruntime
    except ImportError as error:
        cause = "is not installed" if error.name == "onnxruntime" else f"does not load: {error}"
        cpu = '"genre-infer[cpu]" (or "genre-infer[openvino]" for the device openvino)'
        extra = cpu if device == "cpu" else '"genre-infer[gpu]"'
        message = f"The engine onnxruntime {cause}; install it with: pip install {extra}"
        raise DeviceError(message) from None
    if not hasattr(onnxruntime, "InferenceSession"):  # what removing one of two leaves behind
        raise DeviceError(f"onnxruntime is only partly installed. {_REINSTALL}")
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def open_session(ort: Any, request: Request, providers: list[Any], options: Any) -> Any:
    """Open a session on these providers. Raises ModelError."""
    try:
        # Without its fallback, which prints on stdout and goes on with another provider.
        return ort.InferenceSession(request.model, options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime raises classes of its own
        raise ModelError(f"onnxruntime cannot open the model: {first_line(error)}") from None


def new_options(ort: Any, request: Request) -> Any:
    """Make session options that suit all providers."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = request.threads
    options.inter_op_num_threads = 1
    # Idle threads that spin would take the cores from the decoding threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # By default it guesses the format from the bytes; what was checked is their reading as ONNX.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3  # errors; what matters is raised anyway
    return options
