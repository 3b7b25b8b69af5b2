"""Pages from templates/: the report and the README of a model's wheel."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from tabulate import tabulate


def render(template: str, **values: Any) -> str:
    """Fill a template.

    Args:
        template: Its file name in templates/.
        **values: What it refers to.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=False,  # Markdown, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.globals["table"] = _table
    environment.filters["shown"] = shown
    return environment


def _table(rows: Iterable[Iterable[Any]], head: Iterable[str] = ("", "")) -> str:
    """Return a Markdown table of rows; their cells become text as shown() says."""
    cells = [[shown(cell) for cell in row] for row in rows]
    return tabulate(cells, list(head), tablefmt="github", disable_numparse=True, stralign=None)


def shown(value: Any) -> str:
    """Return a value as text: numbers with four digits, lists with commas."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10 else f"{value:.1f}"
