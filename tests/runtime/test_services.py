"""What services meet: forks, signals, one source in place of several, pictures of every size."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import COMMAND, rows

from genre_infer import Classifier, GenreInferError

FORKED = """
import os, sys, time
import numpy as np
from genre_infer import Classifier, GenreInferError
batch = np.zeros((4, 60, 40, 3), np.uint8)
classifier = Classifier(sys.argv[1], device=sys.argv[2], batch_size=4)
classifier.predict(batch)
if os.fork() == 0:
    try:
        list(classifier.classify_many([batch[0]]))
    except GenreInferError as error:
        print(error, flush=True)
    with Classifier(sys.argv[1], device="cpu") as own:
        print(own.predict(batch).shape, flush=True)
    sys.exit(0)
os.wait()
classifier.predict(batch)
print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_a_fork_is_told_to_open_its_own(device: str, toy: Path) -> None:
    pytest.importorskip({"cpu": "onnxruntime"}.get(device, device))
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(toy), device]
    done = subprocess.run(command, capture_output=True, timeout=60, text=True)
    said, own, parent = done.stdout.splitlines()
    assert "open it in the process that uses it" in said
    assert own == "(4, 4)"
    assert parent == "parent"
    assert done.returncode == 0


def test_one_source_in_place_of_several(toy: Path) -> None:
    pytest.importorskip("onnxruntime")
    with Classifier(toy, device="cpu") as classifier:
        for source in ("p.png", b"x", Path("p.png"), np.zeros((4, 4, 3), np.uint8)):
            with pytest.raises(TypeError, match="several sources"):
                classifier.classify_many(source)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_sigterm_ends_a_run_as_ctrl_c_does(folder: Path, tmp_path: Path, cpu: list[str]) -> None:
    os.mkfifo(folder / "99.jpg")  # nobody writes to it: the run waits there
    target = tmp_path / "rows.jsonl"
    command = [*COMMAND, str(folder), "-o", str(target), *cpu, "--batch-size", "4"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    part = target.with_name("rows.jsonl.part")
    end = time.monotonic() + 30
    while not (part.exists() and part.read_bytes().count(b"\n") >= 8) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 143, errors
    assert errors.endswith(b"Stopped.\n")
    assert len(rows(part.read_bytes())) >= 8


EVERY_HEIGHT = """
import sys
import numpy as np
from genre_infer import Classifier
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
classifier = Classifier(device="openvino")
for height in range(100, 300):
    classifier.predict(np.zeros((1, height, 80, 3), np.uint8))
    if height == 140:
        before = megabytes()
print(megabytes() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_every_other_size() -> None:
    pytest.importorskip("openvino")
    done = subprocess.run([sys.executable, "-c", EVERY_HEIGHT], capture_output=True, check=True)
    assert float(done.stdout) < 40  # it was 100 and more


def test_a_closed_classifier_says_so(toy: Path) -> None:
    pytest.importorskip("onnxruntime")
    classifier = Classifier(toy, device="cpu")
    classifier.close()
    with pytest.raises(GenreInferError, match="closed"):
        classifier.predict(np.zeros((1, 60, 40, 3), np.uint8))
