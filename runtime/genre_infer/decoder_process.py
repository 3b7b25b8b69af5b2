"""A process that decodes posters, python -m genre_infer.decoder_process; in_process.py starts it.

It reads paths from its standard input and answers each on its standard output; pixels go through
memory that both processes see. It imports what decoding takes and no engine, and ends with its
input.
"""

import logging
import mmap
import os
import sys
import threading
import time
import warnings
from dataclasses import dataclass

import numpy as np

from .posters import Limits, Pixels, PosterError, poster_pixels

# Any text, file names that are not UTF-8 included.
_CODEC, _ERRORS = "utf-8", "surrogatepass"

_MOST = 1 << 16  # bytes of one read; a poster's messages have some tens


@dataclass(frozen=True, slots=True)
class Job:
    """What is done with every path: the arguments of poster_pixels."""

    width: int
    height: int
    limits: Limits
    draft: bool

    def arguments(self) -> list[str]:
        """The words of a command line that from_arguments understands."""
        numbers = (self.width, self.height, self.limits.pixels, self.limits.bytes, self.draft)
        return [str(int(number)) for number in numbers]

    @classmethod
    def from_arguments(cls, words: list[str]) -> "Job":
        """The job that arguments() has written down."""
        width, height, pixels, most, draft = (int(word) for word in words)
        return cls(width, height, Limits(pixels, most), bool(draft))


def send(pipe: int, text: str) -> None:
    """Write one message: its length, 4 bytes, and itself. Raises OSError where nobody reads."""
    message = text.encode(_CODEC, _ERRORS)
    data = len(message).to_bytes(4, "little") + message
    while data:
        data = data[os.write(pipe, data) :]


def receive(pipe: int) -> str:
    """Read one message. The two sides take turns, so nothing can follow it yet. Raises EOFError
    where the other side has ended."""
    data = os.read(pipe, _MOST)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
        part = os.read(pipe, _MOST)
        if not part:
            raise EOFError
        data += part
    return data[4:].decode(_CODEC, _ERRORS)


def open_memory(handle: str, size: int) -> mmap.mmap:
    """The memory that the other process made, `size` bytes: by its name on Windows, elsewhere by a
    file descriptor that was inherited."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=handle)
    memory = mmap.mmap(int(handle), size)
    os.close(int(handle))
    return memory


def main(words: list[str]) -> None:
    """Answer paths until there are no more: with nothing where the pixels are in the memory, else
    with a line that is the poster's status, or empty for a fault of ours, and a message."""
    *numbers, handle = words
    job = Job.from_arguments(numbers)
    memory = open_memory(handle, job.height * job.width * 3)
    pixels = np.frombuffer(memory, np.uint8).reshape(job.height, job.width, 3)
    requests, replies = _pipes_apart()
    # Pillow warns of large pictures and odd EXIF; here these are rows.
    warnings.simplefilter("ignore")
    logging.disable()
    if sys.platform != "win32":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        send(replies, "")  # ready
        while True:
            send(replies, _decode(receive(requests), job, pixels))
    except (EOFError, OSError):
        os._exit(0)  # nobody is there any more


def _decode(path: str, job: Job, pixels: Pixels) -> str:
    try:
        pixels[:] = poster_pixels(path, job.width, job.height, job.limits, draft=job.draft)
    except PosterError as error:
        return f"{error.status}\n{error}"
    except Exception as error:
        return f"\n{type(error).__name__}: {error}"
    return ""


def _pipes_apart() -> tuple[int, int]:
    """The two pipes under numbers that nobody knows, and nothing in their places: what a library
    prints must not get among the answers."""
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def _end_with(parent: int) -> None:
    """Where the other process is killed amid a read that never returns, no end of input is seen."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
