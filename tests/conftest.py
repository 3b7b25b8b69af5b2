"""What the tests of all four packages share: drawn posters, a collection and a checkpoint."""

import ctypes
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

# For networks as small as the tests', PyTorch's threads cost more than they save, most of all on a
# busy machine. This must be set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# One heap for all threads, which glibc gives back better than one for each.
with suppress(OSError, AttributeError):  # no glibc
    M_ARENA_MAX = -8
    ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 1)

SAMPLES = Path(__file__).parents[1] / "samples"


def draw_poster(seed: int, size: tuple[int, int] = (182, 268)) -> Image.Image:
    """A gradient with a few shapes: no two seeds give the same picture."""
    generator = np.random.default_rng(seed)
    corners = generator.integers(0, 256, (3, 3, 3), dtype=np.uint8)
    picture = Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        x, y = (int(v) for v in generator.integers(0, size))
        colour = tuple(int(v) for v in generator.integers(0, 256, 3))
        draw.ellipse((x, y, x + size[0] // 3, y + size[1] // 4), fill=colour)
    return picture


@pytest.fixture
def poster() -> Callable[..., Image.Image]:
    return draw_poster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve good posters, 1.jpg to 12.jpg."""
    target = tmp_path / "posters"
    target.mkdir()
    for seed in range(1, 13):
        draw_poster(seed).save(target / f"{seed}.jpg")
    return target


@pytest.fixture(scope="session")
def samples() -> list[Path]:
    """The drawn posters of the repository."""
    return sorted(p for p in SAMPLES.iterdir() if p.suffix not in (".py", ".md") and p.is_file())


def trim() -> None:
    """Give back memory: fastai's learners are cycles, and glibc keeps pages."""
    gc.collect()
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(autouse=True)
def trim_around_slow_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """The quick tests alone do without: it takes longer than most of them."""
    slow = request.node.get_closest_marker("slow")
    if slow:
        trim()
    yield
    if slow:
        trim()


LOOKS = {"Comedy": (235, 220, 90), "Horror": (60, 10, 15), "Western": (200, 120, 50)}


@dataclass(frozen=True)
class Collection:
    """A table with splits and domains, and a folder with the posters of all its rows but one."""

    table: Path
    posters: Path


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """120 small posters in two domains whose colour tells their genres."""
    root = tmp_path_factory.mktemp("collection")
    posters = root / "posters"
    posters.mkdir()
    generator = np.random.default_rng(0)
    lines = ["imdb_id,title,genres,split,domain"]
    for number in range(1, 121):
        genres = ["Comedy", "Horror", "Western"][number % 3 :][: 1 + number % 2]
        colour = np.mean([LOOKS[genre] for genre in genres], axis=0)
        noise = generator.normal(0, 20, (96, 64, 3))
        pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
        suffix = [".jpg", ".png", ".webp", ".avif"][number % 4]
        Image.fromarray(pixels).save(posters / f"{number}{suffix}")
        split = "test" if number % 5 == 0 else "valid" if number % 5 == 1 else "train"
        domain = "one" if number <= 60 else "two"
        lines.append(f"{number},Film {number},{'|'.join(genres)},{split},{domain}")
    lines.append("999,No poster,Comedy,train,one")
    table = root / "films.csv"
    table.write_text("\n".join(lines) + "\n")
    return Collection(table, posters)


@pytest.fixture(scope="session")
def checkpoint(collection: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small, real checkpoint: genre-train fit --frozen with an untrained ResNet-18 body."""
    from click.testing import CliRunner

    from genre_train.cli import main

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    args = ["fit", "--table", str(collection.table), "--posters", str(collection.posters)]
    args += ["-o", str(folder), "--frozen", "--weights", "none", "--size", "64x96"]
    args += ["--min-posters", "5", "--model-version", "0.9", "--precision", "float32"]
    args += ["--architecture", "resnet18"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.stderr
    return folder
