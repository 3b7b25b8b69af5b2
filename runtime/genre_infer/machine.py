"""What kind of processor this is, for reports that name it. Nothing here tells who owns it."""

import platform
from pathlib import Path

_UNITS = (
    ("amx_int8", "AMX"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx_vnni", "AVX VNNI"),
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("asimddp", "NEON dot product"),
)


def processor() -> str:
    """The processor's name with its vector units, e.g. 'Intel(R) Xeon(R) Processor (AVX2, …)'."""
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
