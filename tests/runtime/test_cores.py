"""The number of cores: affinity of real processes, quotas of made-up cgroup trees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genre_infer.cores import available_cores


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 16 cores, all of them allowed."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def v1(path: str, quota: int, period: int = 100_000, mount: str = "cpu,cpuacct") -> dict[str, str]:
    folder = f"sys/fs/cgroup/{mount}{path}"
    return {f"{folder}/cpu.cfs_quota_us": str(quota), f"{folder}/cpu.cfs_period_us": str(period)}


V1_SELF = {"proc/self/cgroup": "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc"}
V2_SELF = {"proc/self/cgroup": "0::/user.slice/app.scope"}


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Without a limit: the affinity.
        ({}, 16),
        ({**V2_SELF, "sys/fs/cgroup/user.slice/app.scope/cpu.max": "max 100000"}, 16),
        ({**V1_SELF, **v1("/docker/abc", -1)}, 16),
        # The process's own group.
        ({**V2_SELF, "sys/fs/cgroup/user.slice/app.scope/cpu.max": "400000 100000"}, 4),
        ({**V1_SELF, **v1("/docker/abc", 300_000)}, 3),
        ({**V1_SELF, **v1("/docker/abc", 300_000, mount="cpu")}, 3),
        # A group above it, and the lowest of several.
        ({**V2_SELF, "sys/fs/cgroup/user.slice/cpu.max": "200000 100000"}, 2),
        (
            {
                **V2_SELF,
                "sys/fs/cgroup/user.slice/cpu.max": "600000 100000",
                "sys/fs/cgroup/user.slice/app.scope/cpu.max": "500000 100000",
            },
            5,
        ),
        ({**V1_SELF, **v1("/docker", 200_000), **v1("/docker/abc", 800_000)}, 2),
        # In a container the path is the host's, and the mount is the container's own group.
        ({**V1_SELF, **v1("", 200_000)}, 2),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/../x", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        # Both versions at once: each limit holds.
        ({**V1_SELF, **v1("/docker/abc", 600_000), "sys/fs/cgroup/unified/cpu.max": "3 1"}, 3),
        # A part of a core counts as a core, and there is always one.
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 2),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "5000 100000"}, 1),
        ({**V1_SELF, **v1("/docker/abc", 25_000, 50_000)}, 1),
        # More than there is.
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "6400000 100000"}, 16),
        # What is not understood is no limit.
        ({"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": "100000 100000"}, 16),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "100000"}, 16),
        ({**V1_SELF, **v1("/docker/abc", 100_000, 0)}, 16),
    ],
)
def test_quotas(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    assert available_cores(tree(tmp_path, files)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity (Linux)")
def test_affinity_of_a_real_process() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from genre_infer.cores import available_cores; print(available_cores())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity (Linux)")
def test_affinity_is_kept_where_the_quota_is_wider(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "999900000 100000"}
    assert available_cores(tree(tmp_path, files)) == len(os.sched_getaffinity(0))


def test_threads_say_otherwise(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genre_infer import Classifier, classifier

    monkeypatch.setattr(classifier, "available_cores", lambda: 3)
    with Classifier(toy) as by_itself, Classifier(toy, threads=1) as told:
        assert (by_itself.threads, told.threads) == (3, 1)
