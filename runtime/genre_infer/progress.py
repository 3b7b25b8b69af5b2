"""A progress bar on stderr; nothing is drawn where stderr is not a terminal."""

import sys
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


def progress(items: Iterable[T], total: int | None, label: str) -> Generator[T, None, None]:
    """Pass items through and draw a bar with rate and time left as they are consumed."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield from items
        return
    from rich import progress as bars
    from rich.console import Console

    share, left = bars.TaskProgressColumn(show_speed=True), bars.TimeRemainingColumn()
    columns = ("{task.description}", bars.BarColumn(), bars.MofNCompleteColumn(), share, left)
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)
