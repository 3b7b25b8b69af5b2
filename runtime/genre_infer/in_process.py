"""Decoding in processes, for where threads are held back by the interpreter that they share.

Each decoding thread has a process and waits for its answers, which leaves the interpreter to the
others. Processes are started as a command and not forked, so threads, engines and GPUs of this
process do not matter to them, nor does a script have to guard its main part.
"""

import mmap
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import numpy as np

from .decoder_process import Job, receive, send
from .errors import GenreInferError
from .posters import Pixels, PosterError, Source
from .result import Status

# These lead to a process's own files, as in `genre-infer <(curl …)`.
_OURS = ("/dev/", "/proc/")

_LONGEST_START = 60.0  # seconds


class InProcess:
    """Decodes paths in a process of its own, started for the first and anew where it has ended.

    job: what is done with each. in_thread: decodes all other sources, in the calling thread.
    without: is told where no process starts; it raises, or returns and all is decoded in the
    thread. Only stop may be called by several threads.
    """

    def __init__(
        self,
        job: Job,
        in_thread: Callable[[Source], Pixels],
        without: Callable[[GenreInferError], None],
    ) -> None:
        self._job, self._in_thread, self._without = job, in_thread, without
        self._goes_without = False
        self._process: _Process | None = None
        self._stopped = False
        self._lock = threading.Lock()  # so that none is started once it is stopped

    def prepare(self, source: Source) -> None:
        """Start the process, if this source needs one. Raises GenreInferError where none starts."""
        if self._process is None and not self._goes_without and _file(source) is not None:
            self._try_to_start()

    def decode(self, source: Source) -> Pixels:
        """uint8 [height, width, 3], RGB, which hold until the next call.

        Raises PosterError, also where the process ends amid the poster (a decoder's crash, memory
        that has run out), and GenreInferError where no process starts or one fails otherwise.
        """
        path = _file(source)
        process = None if path is None else self._ready_for(path)
        if process is None or path is None:
            return self._in_thread(source)
        try:
            reply = receive(process.replies)
        except EOFError:
            message = f"The process that decoded it ended ({self._end()})."
            raise PosterError("unreadable", message) from None
        if not reply:
            return process.pixels
        status, _, message = reply.partition("\n")
        if not status:
            raise GenreInferError(f"Decoding {path!r} failed: {message}")
        raise PosterError(cast(Status, status), message)

    def _ready_for(self, path: str) -> "_Process | None":
        """The process, with this path sent to it; None where there is none to be had."""
        self.prepare(path)
        if self._process is not None:
            try:
                send(self._process.requests, path)
            except OSError:  # it ended before this poster, which is not to blame
                self._try_to_start()
                if self._process is not None:
                    send(self._process.requests, path)
        return self._process

    def _try_to_start(self) -> None:
        try:
            self._start()
        except GenreInferError as error:
            if self._stopped:
                raise
            self._without(error)
            self._goes_without = True

    def stop(self) -> None:
        """Kill the process, whatever it does. Nothing is decoded afterwards."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """stop, by the thread that decodes."""
        self.stop()
        self._end()

    def _start(self) -> None:
        self._end()
        with self._lock:
            if self._stopped:
                raise GenreInferError("Decoding was stopped.")
            try:
                process = self._process = _Process(self._job)
            except OSError as error:
                raise GenreInferError(_no_start(error.strerror or str(error))) from None
        if not process.is_ready():
            raise GenreInferError(_no_start(self._end()))

    def _end(self) -> str:
        """Let go of the process. Returns how it ended."""
        process, self._process = self._process, None
        return process.end() if process is not None else ""


class _Process:
    """A process of decoder_process, with pipes and memory. Raises OSError."""

    def __init__(self, job: Job) -> None:
        memory, handle, inherited = _shared_memory(job.height * job.width * 3)
        module = ["-m", f"{__package__}.decoder_process", *job.arguments()]
        try:
            self._popen = subprocess.Popen(
                # -P: no module is taken from the folder that we happen to be in.
                [sys.executable, "-P", "-X", f"utf8={sys.flags.utf8_mode}", *module, handle],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=_environment(),
                **_apart(inherited),
            )
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self.requests = self._popen.stdin.fileno()
        self.replies = self._popen.stdout.fileno()
        pixels = np.frombuffer(memory, np.uint8)  # which keeps the memory
        self.pixels: Pixels = pixels.reshape(job.height, job.width, 3)

    def is_ready(self) -> bool:
        """Wait for its first message, which is empty: 4 bytes of 0. What comes before it was
        printed by something that Python imports at its start."""
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
        """From any thread; the pipes stay, for who waits at them."""
        self._popen.kill()

    def end(self) -> str:
        """Kill it and close the pipes. Returns how it ended, by itself or so."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):  # amid a disk's or a network's read that hangs
            self._popen.wait(1)
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()
        code = self._popen.returncode
        if code is not None and code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit status {code}"


def _file(source: Source) -> str | None:
    """The path of a source that any process can read."""
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return path if isinstance(path, str) and not path.startswith(_OURS) else None


def _shared_memory(size: int) -> tuple[mmap.mmap, str, tuple[int, ...]]:
    """Memory that a process to be started can open, which lives as long as one of the two has it:
    itself, its handle, and file descriptors that are to be inherited."""
    # Not multiprocessing's: its tracker, one process more, would unlink what it was told of twice.
    if sys.platform == "win32":
        name = f"genre-infer-{secrets.token_hex(16)}"
        return mmap.mmap(-1, size, tagname=name), name, ()
    if sys.platform == "linux":
        descriptor = os.memfd_create("genre-infer")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return mmap.mmap(descriptor, size), str(descriptor), (descriptor,)


def _environment() -> dict[str, str]:
    """Ours, with all places that this process imports from, and without threads for numpy."""
    path = os.pathsep.join(place for place in sys.path if isinstance(place, str))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _apart(inherited: tuple[int, ...]) -> dict[str, Any]:
    """Popen's arguments for a process that a terminal's Ctrl-C does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"process_group": 0, "pass_fds": inherited}


def _no_start(cause: str) -> str:
    return f'A decoding process does not start ({cause}). Decode with threads: decoders="threads".'
