"""How many cores this process may use: its CPU affinity, and a container's share of the time."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath

_V1_MOUNTS = ("sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpu")
_V2_MOUNTS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")


def available_cores(root: Path = Path("/")) -> int:
    """The cores this process may use: the fewer of its CPU affinity and its cgroups' quota.

    A quota of one and a half cores counts as two: with one thread the half would never be used,
    while two that are held up for a part of each period use all of it.
    root: where proc and sys lie.
    """
    allowed = _affinity()
    quota = min(_quotas(root), default=None)
    return allowed if quota is None else max(1, min(allowed, ceil(quota)))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Every limit, in cores, of this process's cgroups and of those above them: each one holds."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if number == "0":  # version 2 has one hierarchy for all
            for folder in _folders(root, _V2_MOUNTS, path):
                limit, _, period = _text(folder / "cpu.max").partition(" ")
                yield from _cores(limit, period)
        elif "cpu" in controllers.split(","):
            for folder in _folders(root, _V1_MOUNTS, path):
                limit = _text(folder / "cpu.cfs_quota_us")
                yield from _cores(limit, _text(folder / "cpu.cfs_period_us"))


def _folders(root: Path, mounts: tuple[str, ...], path: str) -> Iterator[Path]:
    """A cgroup's folder and all above it, up to the mount itself: in a container the path may be
    the host's, of which nothing can be seen here but the container's own cgroup, as the mount."""
    # "..": of a process outside this namespace's root
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for mount in mounts:
        for depth in range(len(parts), -1, -1):
            yield root.joinpath(mount, *parts[:depth])


def _cores(limit: str, period: str) -> Iterator[float]:
    try:
        cores = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return
    if cores > 0:  # version 1 says -1 where there is no limit
        yield cores


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
