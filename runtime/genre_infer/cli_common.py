"""What the project's four commands share: a default subcommand, and exit statuses."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from .errors import GenreInferError

if TYPE_CHECKING:  # click_default_group has no types
    DefaultGroup = click.Group
else:
    from click_default_group import DefaultGroup


class CommandGroup(DefaultGroup):
    """A click group with an optional default subcommand, which reports errors in one sentence.

    Exit statuses: 1 a failed read or write, 2 wrong usage, 3 a GenreInferError, 130 Ctrl-C, 143
    SIGTERM, which ends a command as Ctrl-C does.
    """

    default_cmd_name: str | None  # DefaultGroup's name for its parameter `default`

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ignore_unknown_options = False  # a group without a default refuses them

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's options, and choose the default subcommand."""
        # Options of the default subcommand may come first. The group's own parser would take a
        # "--help" or "--" among them for itself.
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if self.default_cmd_name and args and args[0].startswith("-") and args[0] not in own:
            args = [self.default_cmd_name, *args]
        with _in_one_sentence(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand, and turn its errors into a sentence and an exit status."""
        with _in_one_sentence(ctx), _sigterm_as_ctrl_c():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without DefaultGroup's mark of the default one."""
        click.Group.format_commands(self, ctx, formatter)


def with_option(sentence: str, option: str | None) -> str:
    """Add an option's name to a sentence, in brackets before its full stop."""
    stem = sentence.removesuffix(".")
    return f"{stem} ({option}){sentence[len(stem) :]}" if option else sentence


class Terminated(KeyboardInterrupt):
    """The process got SIGTERM."""


def stopped_status(error: KeyboardInterrupt) -> int:
    """Return the exit status of a command that was stopped: 128 and the signal's number."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does. As process 1 of a container it would be ignored."""
    main_thread = threading.current_thread() is threading.main_thread()
    replace = main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    def terminate(*_: object) -> None:
        raise Terminated

    if replace:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        if replace:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _in_one_sentence(ctx: click.Context) -> Iterator[None]:
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # otherwise a full disk would show only when Python ends
    except GenreInferError as error:
        click.echo(f"Error: {with_option(str(error), _option(ctx, error.setting))}", err=True)
        ctx.exit(3)
    except KeyboardInterrupt as error:
        click.echo("Stopped.", err=True)
        ctx.exit(stopped_status(error))
    except OSError as error:  # for example a full disk under our output
        # What is left in stdout's buffer must not be written when Python ends.
        with suppress(AttributeError, OSError, ValueError):  # no stdout, or one without a file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader has gone (head): nobody to tell
            name = f" {error.filename}" if error.filename else ""
            click.echo(f"Error: Reading or writing{name} failed: {error.strerror}.", err=True)
        ctx.exit(1)


def _option(ctx: click.Context, setting: str | None) -> str | None:
    """The option of the running subcommand that sets this keyword of Classifier, if it has one."""
    command = getattr(ctx.command, "commands", {}).get(ctx.invoked_subcommand)
    found = [p.opts[0] for p in command.params if p.name == setting] if command else []
    return found[0] if found else None


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once, without Python's own handling.

    Python would wait until a library returns to it, and TensorRT takes minutes to compile. Use it
    only where no output is being written.
    """
    default = signal.default_int_handler
    # A handler that somebody else has set stays. Only the main thread may set one.
    main_thread = threading.current_thread() is threading.main_thread()
    replace = main_thread and signal.getsignal(signal.SIGINT) is default
    if replace:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if replace:
            signal.signal(signal.SIGINT, default)
