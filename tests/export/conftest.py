"""Fixtures of genre-export's tests: each export is made once in a session."""

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from genre_export.cli import main
from genre_export.model import export_model
from genre_export.quantization.qdq import Settings
from genre_train.checkpoint import Checkpoint, new_network, read_checkpoint

# The body of the tests' checkpoint was never trained: equalising its channels only adds noise.
SETTINGS = Settings(equalisation=0.0)


@pytest.fixture(scope="session")
def stored(checkpoint: Path) -> Checkpoint:
    """The tests' checkpoint, read once."""
    return read_checkpoint(checkpoint)


@pytest.fixture(scope="session")
def exported(
    checkpoint: Path, collection: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return PRECISION.onnx, with its hash and a report without speeds beside it."""
    folder = tmp_path_factory.mktemp("exported")

    @cache
    def export(precision: str) -> Path:
        path = folder / f"{precision}.onnx"
        report = (folder / f"{precision}.report.json", folder / f"{precision}.report.md")
        export_model(checkpoint, path, report, precision, collection.posters, SETTINGS, seconds=0)
        return path

    return export


@pytest.fixture(scope="session")
def drawn(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A float16 model that the command exported without posters, and what it printed on stderr."""
    path = tmp_path_factory.mktemp("drawn") / "any name.onnx"
    args = [str(checkpoint), "-o", str(path), "--precision", "float16"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.stderr
    return path, done.stderr


@pytest.fixture
def untrained(stored: Checkpoint) -> Callable[[str], Checkpoint]:
    """The tests' checkpoint with another architecture, its batch norms away from 0 and 1."""

    def make(architecture: str) -> Checkpoint:
        document = stored.document | {"architecture": f"{architecture}, fastai head"}
        generator = torch.manual_seed(0)
        network = new_network(architecture, len(stored.genres)).eval()
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.running_mean.normal_(0, 0.1, generator=generator)
            norm.running_var.uniform_(0.5, 2, generator=generator)
            norm.weight.data.uniform_(0.4, 1.3, generator=generator)
            norm.bias.data.normal_(0, 0.1, generator=generator)
        return dataclasses.replace(stored, document=document, network=network)

    return make
