"""Decoding in processes, for where threads hold each other up by Python's interpreter lock.

Each decoding thread has a process and waits for its answers, which leaves the interpreter to the
other threads. A process is started as a command (python -m genre_infer.decoder_process) and not
forked, so this process's threads, engines and GPUs do not matter to it, nor does a script have to
guard its main part.

A process reads paths from its standard input, and answers each on its standard output, with the
pixels. It imports what decoding needs and no engine, and ends when its input does.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from .decoder import Decoder
from .errors import GenreInferError
from .limits import Limits, PosterError
from .posters import Pixels, Source, poster_pixels

# These lead to a process's own files, as in `genre-infer <(curl …)`.
_OWN_FILES = ("/dev/", "/proc/")

_WINDOWS_FLAGS = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
_LONGEST_START = 60.0  # seconds
_READY = b"ready\n"


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
        self._settings = [width, height, limits.pixels, limits.bytes, limits.memory, int(draft)]
        self._problems = problems
        self._process: Any = None  # Popen
        self._stopped = False
        self._lock = threading.Lock()  # so that no process starts after stop
        super().__init__(_new_decode(*self._settings))

    def prepare(self, item: Source) -> None:
        """Start the process, if this source needs one. Raises GenreInferError if none starts."""
        if self._process is None and not self._problems and _path(item) is not None:
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
        if path is not None and self._process is not None:
            try:
                self._send(path)
            except OSError:  # it ended before this poster, which is not to blame
                self._start()
                if self._process is not None:
                    self._send(path)
        if path is None or self._process is None:
            return super().decode(item)
        line = self._process.stdout.readline()
        if line.endswith(b"\n"):  # else the process has ended, and no pixels follow either
            status, limit, message = json.loads(line)
            if status is None:
                raise GenreInferError(f"Decoding {path!r} failed: {message}")
            if status != "ok":
                raise PosterError(status, message, limit)
        width, height = self._settings[:2]
        data = self._process.stdout.read(height * width * 3)
        if len(data) < height * width * 3:
            cause = self._end()
            raise PosterError("unreadable", f"The process that decoded it ended ({cause}).")
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def stop(self) -> None:
        """Kill the process, whatever it is doing. Nothing is decoded afterwards."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.kill()  # its pipes stay open for the thread that reads them

    def close(self) -> None:
        """Kill the process, and release its pipes."""
        self.stop()
        self._end()

    def _send(self, path: str) -> None:
        self._process.stdin.write(json.dumps(path).encode() + b"\n")
        self._process.stdin.flush()

    def _start(self) -> None:
        self._end()
        cause = ""
        with self._lock:
            if self._stopped:
                raise GenreInferError("Decoding was stopped.")
            try:
                self._process = _new_process(self._settings)
            except OSError as error:
                cause = error.strerror or str(error)
        if self._process is not None and not _is_ready(self._process):
            cause = self._end()
        if cause:
            cause = f"A decoding process does not start ({cause})."
            message = f'{cause} Decode in threads: decoders="threads".'
            if self._problems is None or self._stopped:
                raise GenreInferError(message)
            self._problems.append(message)

    def _end(self) -> str:
        """Kill the process, and release its pipes. Returns how it ended."""
        import subprocess

        process, self._process = self._process, None
        if process is None:
            return ""
        process.kill()
        with suppress(subprocess.TimeoutExpired):  # it hangs in a read of a disk or network
            process.wait(1)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not sent
                pipe.close()
        with suppress(ValueError):
            return signal.Signals(-(process.returncode or 0)).name
        return f"exit status {process.returncode}"


def _new_process(settings: list[int]) -> Any:
    """Start a process. Returns its Popen. Raises OSError."""
    import subprocess  # the process itself does without it

    # A session, and on Windows a group, of its own: the terminal's Ctrl-C does not reach it.
    flags = [getattr(subprocess, name, 0) for name in _WINDOWS_FLAGS]
    apart: dict[str, Any] = {"start_new_session": True, "creationflags": sum(flags)}
    # -P: no module is taken from the current folder, but from the same places as here.
    command = [sys.executable, "-P", "-X", f"utf8={sys.flags.utf8_mode}"]
    command += ["-m", f"{__package__}.decoder_process", *map(str, settings)]
    path = os.pathsep.join(place for place in sys.path if isinstance(place, str))
    environment = {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, env={**os.environ, **environment}, **pipes, **apart)


def _is_ready(process: Any) -> bool:
    """Wait until a process says that it is ready; False if it ends.

    What comes before was printed by something that Python imports at its start.
    """
    limit = threading.Timer(_LONGEST_START, process.kill)
    limit.start()
    try:
        return any(line == _READY for line in iter(process.stdout.readline, b""))
    finally:
        limit.cancel()


def _path(source: Source) -> str | None:
    """Return the path of a source that any process can read."""
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return path if isinstance(path, str) and not path.startswith(_OWN_FILES) else None


def _new_decode(
    width: int, height: int, most_pixels: int, most_bytes: int, most_memory: int, draft: int
) -> Any:
    limits = Limits(most_pixels, most_bytes, most_memory)
    return partial(poster_pixels, width=width, height=height, limits=limits, draft=bool(draft))


def main(words: list[str]) -> None:
    """Answer paths until there are no more, each with a line of JSON.

    A path is a line of JSON too. The answer is a list: the poster's status, null for a bug; the
    limit that it exceeded, or null; a message. If the status is ok, the pixels follow the line.
    """
    decode = _new_decode(*map(int, words))
    # The two pipes move to other numbers: what a library prints must not mix with the answers.
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    Image.MAX_IMAGE_PIXELS = None  # our own limit counts
    os.dup2(null, 2)  # libtiff's and others' own words
    logging.disable()
    if sys.platform != "win32":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with suppress(OSError):  # the other process has ended
        answers.write(b"\n" + _READY)
        answers.flush()
        for line in requests:
            answer: tuple[str | None, str | None, str] = ("ok", None, "")
            pixels = b""
            try:
                pixels = decode(json.loads(line)).tobytes()
            except PosterError as error:
                answer = (error.status, error.limit, str(error))
            except Exception as error:
                answer = (None, None, f"{type(error).__name__}: {error}")
            answers.write(json.dumps(answer).encode() + b"\n" + pixels)
            answers.flush()
    os._exit(0)


def _end_with(parent: int) -> None:
    """End when the parent is killed, even during a read that never returns."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
