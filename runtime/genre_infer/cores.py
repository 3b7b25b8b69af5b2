"""How many cores this process may use: its CPU affinity, and its container's CPU quota."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from math import ceil
from pathlib import Path

_V1_MOUNTS = ("sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpu")
_V2_MOUNTS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")


def available_cores(root: Path = Path("/")) -> int:
    """Count the cores this process may use, by its CPU affinity and its cgroups' quotas.

    A quota of one and a half cores counts as two: one thread would never use the half, while two
    threads that are each held up for a part of every period use all of it.

    Args:
        root: The folder that holds proc and sys.
    """
    affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(allowed, ceil(min(_quotas(root), default=allowed))))


def _quotas(root: Path) -> Iterator[float]:
    """Yield every quota, in cores, of this process's cgroups and of those above them."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path, *_ = [*line.split(":", 2), "", ""]
        if number == "0":  # version 2 has one hierarchy for all controllers
            mounts, files = _V2_MOUNTS, ["cpu.max"]
        elif "cpu" in controllers.split(","):
            mounts, files = _V1_MOUNTS, ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        # In a container the path may be the host's; then only the mount itself, which is the
        # container's own cgroup, can be seen. "..": a process outside this namespace's root.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for mount, depth in product(mounts, range(len(parts) + 1)):
            folder = root.joinpath(mount, *parts[:depth])
            # ValueError: "max", or no such file. Version 1 says -1 where there is no quota.
            with suppress(ValueError, ZeroDivisionError):
                quota, period = (int(word) for f in files for word in _text(folder / f).split())
                if quota / period > 0:
                    yield quota / period


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text("utf-8", "replace")
    return ""
