"""Decoding in processes, for where threads hold each other up by Python's interpreter lock.

Each decoding thread has a process and waits for its answers, which leaves the interpreter to the
other threads. A process is started as a command (python -m genre_infer.decoder_process) and not
forked, so this process's threads, engines and GPUs do not matter to it, nor does a script have to
guard its main part.

A process reads paths from its standard input, and answers each on its standard output; pixels go
through memory that both processes share. It imports what decoding needs and no engine, and ends
when its input does.
"""

import logging
import mmap
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from functools import partial
from typing import Any, cast

import numpy as np

from .errors import GenreInferError
from .pipeline import Decoder
from .posters import Limits, Pixels, PosterError, Source, poster_pixels
from .result import Limit, Status

# These lead to a process's own files, as in `genre-infer <(curl …)`.
_OWN_FILES = ("/dev/", "/proc/")

_LONGEST_START = 60.0  # seconds

# Any text, file names that are not UTF-8 included.
_CODEC, _ERRORS = "utf-8", "surrogatepass"


class ProcessDecoder(Decoder[Source]):
    """Decodes paths in a process, which is started for the first path, and again if it has ended.

    Other sources are decoded in the calling thread.

    Args:
        width: See poster_pixels.
        height: See poster_pixels.
        limits: See poster_pixels.
        draft: See poster_pixels.
        problems: Gets a sentence if no process starts, and everything is then decoded in the
            thread. None: that is an error.
    """

    def __init__(
        self, width: int, height: int, limits: Limits, *, draft: bool, problems: list[str] | None
    ) -> None:
        self._settings = [width, height, limits.pixels, limits.bytes, int(draft)]
        self._problems = problems
        self._without_process = False
        self._process: _Process | None = None
        self._stopped = False
        self._lock = threading.Lock()  # so that no process starts after stop
        super().__init__(_new_decode(*self._settings))

    def prepare(self, item: Source) -> None:
        """Start the process, if this source needs one. Raises GenreInferError if none starts."""
        if self._process is None and not self._without_process and _path(item) is not None:
            self._start()

    def decode(self, item: Source) -> Pixels:
        """Return uint8 [height, width, 3], RGB; they hold until the next call.

        Raises:
            PosterError: The poster cannot be used, or the process ended while decoding it (a
                decoder crashed, or memory ran out).
            GenreInferError: No process starts, or it failed otherwise.
        """
        self.prepare(item)
        path = _path(item)
        if path is None or self._process is None:
            return super().decode(item)
        try:
            send(self._process.requests, path)
        except OSError:  # it ended before this poster, which is not to blame
            self._start()
            if self._process is None:
                return super().decode(item)
            send(self._process.requests, path)
        process = self._process
        try:
            reply = receive(process.replies)
        except EOFError:
            del process  # else the error's traceback would keep its memory
            message = f"The process that decoded it ended ({self._end()})."
            raise PosterError("unreadable", message) from None
        if not reply:
            return process.pixels
        status, limit, message = reply.split("\n", 2)
        if not status:
            raise GenreInferError(f"Decoding {path!r} failed: {message}")
        raise PosterError(cast(Status, status), message, cast(Limit, limit) if limit else None)

    def stop(self) -> None:
        """Kill the process, whatever it is doing. Nothing is decoded afterwards."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Kill the process, and release its pipes and memory."""
        self.stop()
        self._end()

    def _start(self) -> None:
        self._end()
        cause = ""
        with self._lock:
            if self._stopped:
                raise GenreInferError("Decoding was stopped.")
            try:
                self._process = _Process(self._settings)
            except OSError as error:
                cause = error.strerror or str(error)
        if self._process is not None and not self._process.is_ready():
            cause = self._end()
        if cause:
            message = (
                f"A decoding process does not start ({cause}). Decode in threads: "
                'decoders="threads".'
            )
            if self._problems is None or self._stopped:
                raise GenreInferError(message)
            self._problems.append(message)
            self._without_process = True

    def _end(self) -> str:
        """Release the process. Returns how it ended."""
        process, self._process = self._process, None
        return process.end() if process is not None else ""


class _Process:
    """A decoding process, with its pipes and memory. Raises OSError."""

    def __init__(self, settings: list[int]) -> None:
        import subprocess  # the process itself does without it

        width, height = settings[:2]
        memory, handle, inherited = _shared_memory(height * width * 3)
        apart: dict[str, Any]  # from a terminal's Ctrl-C
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            apart = {"creationflags": flags}
        else:
            apart = {"process_group": 0, "pass_fds": inherited}
        words = ["-m", f"{__package__}.decoder_process", *map(str, settings), handle]
        # It imports from the same places as this process.
        path = os.pathsep.join(place for place in sys.path if isinstance(place, str))
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        try:
            self._popen = subprocess.Popen(
                # -P: no module is taken from the current folder.
                [sys.executable, "-P", "-X", f"utf8={sys.flags.utf8_mode}", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": path, **one_thread},
                **apart,
            )
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._pipes = (self._popen.stdin, self._popen.stdout)
        self.requests, self.replies = (pipe.fileno() for pipe in self._pipes)
        self.pixels: Pixels = np.frombuffer(memory, np.uint8).reshape(height, width, 3)

    def is_ready(self) -> bool:
        """Wait for its first message, which is empty: 4 bytes of 0.

        What comes before it was printed by something that Python imports at its start.
        """
        last = b""
        limit = threading.Timer(_LONGEST_START, self.kill)
        limit.start()
        try:
            while last != bytes(4):
                part = os.read(self.replies, 1 << 16)
                if not part:
                    return False
                last = (last + part)[-4:]
        finally:
            limit.cancel()
        return True

    def kill(self) -> None:
        """Kill it from any thread; the pipes stay open for the thread that reads them."""
        self._popen.kill()

    def end(self) -> str:
        """Kill it and close the pipes. Returns how it ended."""
        import subprocess

        self.kill()
        with suppress(subprocess.TimeoutExpired):  # it hangs in a read of a disk or network
            self._popen.wait(1)
        for pipe in self._pipes:
            pipe.close()
        code = self._popen.returncode
        if code is not None and code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit status {code}"


def _path(source: Source) -> str | None:
    """Return the path of a source that any process can read."""
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return path if isinstance(path, str) and not path.startswith(_OWN_FILES) else None


def _shared_memory(size: int) -> tuple[mmap.mmap, str, tuple[int, ...]]:
    """Make memory that a new process can open; it lives as long as one of the two has it.

    Returns:
        The memory, its handle, and the file descriptors that the process must inherit.
    """
    # Not multiprocessing's: it would start another process, which unlinks the memory twice.
    if sys.platform == "win32":
        name = f"genre-infer-{os.urandom(16).hex()}"
        return mmap.mmap(-1, size, tagname=name), name, ()
    if sys.platform == "linux":
        descriptor = os.memfd_create("genre-infer")
    else:
        from tempfile import TemporaryFile

        with TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return mmap.mmap(descriptor, size), str(descriptor), (descriptor,)


def _open_memory(handle: str, size: int) -> mmap.mmap:
    """Open memory that another process has made, by its handle."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=handle)
    memory = mmap.mmap(int(handle), size)
    os.close(int(handle))
    return memory


def _new_decode(width: int, height: int, most_pixels: int, most_bytes: int, draft: int) -> Any:
    limits = Limits(most_pixels, most_bytes)
    return partial(poster_pixels, width=width, height=height, limits=limits, draft=bool(draft))


def send(pipe: int, text: str) -> None:
    """Write one message: 4 bytes of length, and the text. Raises OSError if nobody reads."""
    message = text.encode(_CODEC, _ERRORS)
    data = len(message).to_bytes(4, "little") + message
    while data:
        data = data[os.write(pipe, data) :]


def receive(pipe: int) -> str:
    """Read one message. Raises EOFError if the other side has ended.

    The two sides take turns, so no other message can follow it yet.
    """
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
        part = os.read(pipe, 1 << 16)
        if not part:
            raise EOFError
        data += part
    return data[4:].decode(_CODEC, _ERRORS)


def main(words: list[str]) -> None:
    """Answer paths until there are no more.

    The answer is empty when the pixels are in the memory, otherwise three lines: the poster's
    status (empty for a bug), the limit that it exceeded (empty for none), and a message.
    """
    *numbers, handle = words
    width, height, *limits = map(int, numbers)
    decode = _new_decode(width, height, *limits)
    memory = _open_memory(handle, height * width * 3)
    pixels = np.frombuffer(memory, np.uint8).reshape(height, width, 3)
    # The two pipes move to other numbers: what a library prints must not mix with the answers.
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    # Pillow warns of large pictures and odd EXIF; here these are rows.
    warnings.simplefilter("ignore")
    logging.disable()
    if sys.platform != "win32":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        send(replies, "")  # ready
        while True:
            path = receive(requests)
            answer = ""
            try:
                pixels[:] = decode(path)
            except PosterError as error:
                answer = f"{error.status}\n{error.limit or ''}\n{error}"
            except Exception as error:
                answer = f"\n\n{type(error).__name__}: {error}"
            send(replies, answer)
    except (EOFError, OSError):
        os._exit(0)  # the other process has ended


def _end_with(parent: int) -> None:
    """End when the parent is killed, even during a read that never returns."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
