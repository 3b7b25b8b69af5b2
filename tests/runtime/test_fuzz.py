"""Damaged files by the thousand; tests/runtime/fuzz.py tries as many as one likes."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_damaged_files_are_rows(device: str, toy: Path) -> None:
    pytest.importorskip({"cpu": "onnxruntime"}.get(device, device))
    script = Path(__file__).with_name("fuzz.py")
    command = [sys.executable, str(script), "--files", "1500", "--device", device]
    done = subprocess.run([*command, "--model", str(toy)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("no fault\n")
