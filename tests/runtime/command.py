"""Runs the command genre-infer: within this process, or as a user does, in one of its own."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from genre_infer.cli import main

COMMAND = [sys.executable, "-m", "genre_infer"]
# As users have it: output goes through buffers.
ENVIRONMENT = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run(
    *args: str | Path | bytes, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    command = [*COMMAND, *(os.fspath(arg) for arg in args)]
    return subprocess.run(
        command, input=stdin, capture_output=True, cwd=cwd, env=ENVIRONMENT, check=False
    )


def invoke(
    *args: str | Path | bytes, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command within this process, which is faster; any exception fails the test."""
    words = [os.fsdecode(arg) for arg in args]
    with contextlib.chdir(cwd or Path.cwd()):
        done = CliRunner().invoke(main, words, input=stdin, catch_exceptions=False)
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout_bytes, done.stderr_bytes)


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
