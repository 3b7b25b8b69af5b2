"""Markdown: tables, and pages from templates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from tabulate import tabulate


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Return a Markdown table, without a line break at its end.

    Args:
        rows: At least one. Floats get four decimals, and NaN an empty cell; anything else is
            written as str() gives it.
        columns: Key in the rows -> heading. A column is aligned to the left if its first cell is a
            string, else to the right.
    """
    left = [isinstance(rows[0][key], str) for key in columns]
    return tabulate(
        [[_cell(row[key]) for key in columns] for row in rows],
        list(columns.values()),
        tablefmt="pipe",
        colalign=["left" if one else "right" for one in left],
        disable_numparse=True,
    )


def render(package: str, template: str, **values: Any) -> str:
    """Fill in a jinja2 template of a package's folder templates/, which also sees table().

    Args:
        package: The package, e.g. 'genre_train'.
        template: The template's file name.
        **values: What the template uses; a name that is missing is an error.
    """
    environment = Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.globals["table"] = table
    return environment.get_template(template).render(values)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4f}"
    return str(value).replace("|", "\\|")
