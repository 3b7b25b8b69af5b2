"""Thousands of damaged files through the command: a row each, in bounded time and memory.

python tests/runtime/fuzz.py --files 50000 --device cpu
"""

import argparse
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

SAMPLES = Path(__file__).parents[2] / "samples"
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "AVIF": ".avif", "GIF": ".gif"}
SUFFIXES |= {"BMP": ".bmp", "TIFF": ".tif"}
OPTIONS: dict[str, list[dict[str, object]]] = {
    "JPEG": [{}, {"progressive": True}, {"restart_marker_blocks": 4}, {"subsampling": 0}],
    "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"compression": "packbits"}],
    "WEBP": [{}, {"lossless": True}],
}
MODES = {
    "JPEG": ["RGB", "L", "CMYK"],
    "PNG": ["RGB", "RGBA", "P", "L", "1", "I;16"],
    "WEBP": ["RGB", "RGBA"],
    "AVIF": ["RGB", "RGBA"],
    "GIF": ["P", "L"],
    "BMP": ["RGB", "P", "1"],
    "TIFF": ["RGB", "RGBA", "CMYK", "L", "P", "1", "I;16"],
}
GOOD_EVERY = 20


def originals() -> list[tuple[str, bytes]]:
    """Our drawn posters, small, in every format, mode and option: suffix and bytes."""
    made = []
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix in (".py", ".md"):
            continue
        with Image.open(path) as opened:
            poster = opened.convert("RGB").resize((90, 134))
        for form, suffix in SUFFIXES.items():
            for mode in MODES[form]:
                for options in OPTIONS.get(form, [{}]):
                    file = io.BytesIO()
                    try:
                        poster.convert("L" if mode == "I;16" else mode).convert(mode).save(
                            file, form, **options
                        )
                    except (OSError, ValueError):  # this mode is not for this option
                        continue
                    made.append((suffix, file.getvalue()))
    return made


def cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 3, 30))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def head(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 6))):
        changed[draw.randrange(min(64, len(changed)))] = draw.randrange(256)
    return bytes(changed)


def blank(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    length = draw.choice((1, 16, 256, 2000))
    return data[:start] + draw.choice((b"\0", b"\xff")) * length + data[start + length :]


def repeat(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    part = data[start : start + draw.choice((2, 20, 500))]
    return data[:start] + part * draw.choice((2, 50, 1000)) + data[start:]


def splice(data: bytes, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(data)), draw.choice((4, 100, 3000))
    other = draw.randrange(len(data))
    return data[:start] + data[other : other + length] + data[start + length :]


def tail(data: bytes, draw: random.Random) -> bytes:
    return data + draw.randbytes(draw.choice((1, 100, 100_000)))


DAMAGE: list[Callable[[bytes, random.Random], bytes]] = [
    cut, flip, head, blank, repeat, splice, tail,
]  # fmt: skip


def write_files(folder: Path, count: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Write the files; yield each name, and whether it is an undamaged one."""
    draw, made = random.Random(seed), originals()
    for number in range(count):
        suffix, data = draw.choice(made)
        good = number % GOOD_EVERY == 0
        if good:
            suffix, data = made[number // GOOD_EVERY % len(made)]
        for _ in range(0 if good else draw.choice((1, 1, 2))):
            data = draw.choice(DAMAGE)(data, draw) if data else data
        name = f"{number:06}{suffix}"
        (folder / name).write_bytes(data)
        yield name, good


def rows_of(arguments: list[str]) -> tuple[list[dict[str, object]], float, str, int]:
    """Run the command. Returns its rows, the longest pause between two, stderr, and the status."""
    command = [sys.executable, "-m", "genre_infer", *arguments, "--format", "jsonl"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        found, longest, last = [], 0.0, 0.0
        for line in process.stdout:
            now = time.monotonic()
            longest, last = max(longest, now - last if last else 0.0), now
            found.append(json.loads(line))
        status = process.wait()
        errors.seek(0)
        return found, longest, errors.read().decode(), status


def main() -> int:
    """Run, print what was found, and return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options, further = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = dict(write_files(folder, options.files, options.seed))
        run = ["--device", options.device, *further]
        rows, longest, errors, status = rows_of([str(folder), *run])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        good = [os.path.join(name, file) for file, is_good in names.items() if is_good]
        alone = {row["path"]: row for row in rows_of([*good, *run])[0]}
    by_path = {str(row["path"]): row for row in rows}
    faults = []
    if [os.path.basename(str(row["path"])) for row in rows] != sorted(names):
        faults.append(f"{len(rows)} rows for {len(names)} files, or in another order")
    faults += [f"{path}: another row among others" for path in good if by_path[path] != alone[path]]
    faults += [
        f"{path}: a whole file is {row['status']}: {row['error']}"
        for path, row in alone.items()
        if row["status"] != "ok"
    ]
    faults += [] if longest < 5 else [f"a pause of {longest:.1f} s"]
    faults += [] if peak < 700 else [f"{peak:.0f} MB"]
    faults += [] if status == 1 else [f"exit status {status}"]
    faults += [] if len(errors.splitlines()) == 1 else [f"on stderr: {errors[-500:]}"]
    sentences = Counter(f"{row['status']}: {row['error']}" for row in rows)
    print(f"{len(rows)} rows, longest pause {longest:.1f} s, peak {peak:.0f} MB")
    for sentence, number in sentences.most_common(25):
        print(f"{number:7} {sentence}")
    print("\n".join(faults[:20]) or "no fault")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
