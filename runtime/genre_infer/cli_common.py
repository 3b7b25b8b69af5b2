"""What the project's four commands have in common: a default subcommand, exit statuses, extras."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from .errors import GenreInferError


class CommandGroup(click.Group):
    """A click group with an optional default subcommand, whose errors end in one sentence.

    Exit statuses: 2 usage, 3 a GenreInferError, 130 Ctrl-C.
    """

    def __init__(self, *args: Any, default: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand in front, unless a subcommand or a group option is there."""
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if self.default and args and args[0] not in self.commands and args[0] not in own:
            args = [self.default, *args]
        with _in_one_sentence(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run, turning the errors that are meant for people into a sentence and a status."""
        with _in_one_sentence(ctx):
            return super().invoke(ctx)


@contextmanager
def _in_one_sentence(ctx: click.Context) -> Iterator[None]:
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # else a full disk shows when Python ends
    except GenreInferError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(3)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        ctx.exit(130)
    except (
        BrokenPipeError
    ):  # the reader of our output has gone (head, less): nobody is left to tell
        _drop_output()
        ctx.exit(1)
    except OSError as error:  # a full disk, say, under our output
        _drop_output()
        name = f" {error.filename}" if error.filename else ""
        click.echo(f"Error: Reading or writing{name} failed: {error.strerror}.", err=True)
        ctx.exit(1)


def _drop_output() -> None:
    """What is still in stdout's buffer must not be tried again when Python ends."""
    with suppress(AttributeError, OSError, ValueError):  # no stdout, or one without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Inside, Ctrl-C ends the process as it ends any program, at once: Python would wait until a
    library returns to it, and TensorRT takes minutes to compile. Only where nothing is written."""
    usual = signal.default_int_handler  # what ignores Ctrl-C, or does other things, stays
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not usual
    ):
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Imports inside may fail only because of a missing extra; say which one to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise GenreInferError(
            f"This command needs the package {(error.name or '').partition('.')[0]}; install it "
            f'with: pip install "genre-infer[{extra}]"'
        ) from None
