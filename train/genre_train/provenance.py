"""Where figures come from: processor, date and commit. Nothing here tells who owns the machine."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

_UNITS = (
    ("amx_int8", "AMX"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx_vnni", "AVX VNNI"),
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("asimddp", "NEON dot product"),
)
"""(flag in /proc/cpuinfo, name of the vector unit)"""


def processor() -> str:
    """Return the processor's name and vector units, e.g. 'Intel(R) Xeon(R) Processor (AVX2)'."""
    fields: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip().lower(), value.strip())
    except OSError:
        return platform.processor() or platform.machine()
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    units = [name for flag, name in _UNITS if flag in flags]
    name = fields.get("model name") or platform.machine()
    return f"{name} ({', '.join(units)})" if units else name


def device_name(device: str) -> str:
    """Return the name of the GPU for 'cuda', else the processor's."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return processor()


def today() -> str:
    """Return the date in UTC, or that of SOURCE_DATE_EPOCH, as 2026-01-31."""
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def commit(source: Path) -> str:
    """Return the commit of a source file's repository.

    It ends in '-dirty' if tracked files other than results pages have changed, and is 'unknown'
    without git or a repository.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=source.parent, capture_output=True, check=True, text=True
        )
        return done.stdout.strip()

    try:
        # Fails if the repository around an installed copy is someone else's.
        git("ls-files", "--error-unmatch", source.name)
        changed = git("status", "--porcelain", "-uno", "--", ":/", ":(exclude,top)docs/results")
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
