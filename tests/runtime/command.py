"""Runs the command genre-infer as a user does: in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "genre_infer"]
CPU = ["--device", "cpu"]
# As users have it: output goes through buffers.
ENVIRONMENT = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run(
    *args: str | Path | bytes, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *(os.fspath(arg) for arg in args)]
    return subprocess.run(
        command, input=stdin, capture_output=True, cwd=cwd, env=ENVIRONMENT, check=False
    )


def rows(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def eventually(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether the condition comes true within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False
