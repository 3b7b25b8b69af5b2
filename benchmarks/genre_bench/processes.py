"""Whole processes: how long they take and how much memory they need."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genre_infer.errors import GenreInferError

# Runs a command from a process that is itself small. On Linux the peak of a child includes the
# memory of the process that it was forked from, and ours holds PyTorch.
_LAUNCHER = """
import json, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - started
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
except ImportError:
    peak = None
errors = done.stderr.decode("utf-8", "replace")
print(json.dumps([seconds, peak, done.returncode, errors[-2000:]]))
"""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that has ended.

    Attributes:
        seconds: From start to end.
        peak_bytes: Its largest resident memory, or that of the largest process it started. None
            where the system does not report it.
    """

    seconds: float
    peak_bytes: int | None


def run_process(command: Sequence[str | Path]) -> Process:
    """Run a command to its end. Its stdout is thrown away.

    Raises:
        GenreInferError: It did not start, or ended with another status than 0; the sentence has
            the last line of its stderr.
    """
    launch = [sys.executable, "-S", "-c", _LAUNCHER, *(str(part) for part in command)]
    done = subprocess.run(launch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenreInferError(f"{command[0]} could not be started: {_last_line(done.stderr)}")
    seconds, peak, status, errors = json.loads(done.stdout)
    if status:
        words = " ".join(Path(str(part)).name for part in command[:4])
        raise GenreInferError(f"{words} … ended with status {status}: {_last_line(errors)}")
    return Process(seconds, peak)


def genre_infer() -> list[str]:
    """Return the installed command beside this Python, or else the module."""
    for name in ("genre-infer", "genre-infer.exe"):
        script = Path(sys.executable).with_name(name)
        if script.is_file():
            return [str(script)]
    return [sys.executable, "-m", "genre_infer"]


def engine_options(
    device: str, model: Path | None, threads: int | None, batch_size: int | None = None
) -> list[str]:
    """Return the options of genre-infer for these arguments of Classifier."""
    options = ["--device", device]
    options += ["--model", str(model)] if model else []
    options += ["--threads", str(threads)] if threads else []
    options += ["--batch-size", str(batch_size)] if batch_size else []
    return options


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it gave no reason"])[-1]
