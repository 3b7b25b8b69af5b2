"""genre-infer info, and the options that name a model."""

import re
from pathlib import Path
from typing import Any

import click

FILE = click.Path(dir_okay=False, path_type=Path)


def _hash(_context: Any, _parameter: Any, value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise click.BadParameter("a sha256 has 64 hexadecimal digits.")
    return value


SHA256 = click.option(
    "--sha256",
    metavar="HEX",
    callback=_hash,
    help="Refuse a model with another hash. MODEL.sha256 beside it is always checked.",
)
REQUIRE_HASH = click.option(
    "--require-hash",
    is_flag=True,
    help="Refuse a model without MODEL.sha256 beside it, unless --sha256 is given.",
)


def tell_of_unvouched(model: str, vouched: bool) -> None:
    """Say so if the model's hash is not known from elsewhere."""
    if not vouched:
        cause = f"there is no {model}.sha256, and no --sha256 was given"
        click.echo(f"Nothing vouches for the model {model}: {cause}.", err=True)


@click.command()
@click.argument("model", required=False, type=FILE)
@SHA256
@REQUIRE_HASH
@click.option("--json", "as_json", is_flag=True, help="Show the whole metadata as JSON.")
def info(model: Path | None, sha256: str | None, require_hash: bool, as_json: bool) -> None:
    """Show what MODEL says about itself, without running it.

    MODEL is a file or the name of an installed model; default: the packaged model.
    """
    import json

    from .model_file import info_document, info_lines, load_model

    loaded = load_model(model, sha256, require_hash=require_hash)
    tell_of_unvouched(loaded.name, loaded.vouched)
    document = json.dumps(info_document(loaded), indent=1)
    click.echo(document if as_json else "\n".join(info_lines(loaded)))
