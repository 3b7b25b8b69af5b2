"""genre-bench int8: what each step of the int8 export is worth."""

import warnings
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from genre_export.compared import calibration_posters
from genre_export.difference import engine_probabilities
from genre_export.graph import join, preprocessing_graph
from genre_export.quantization import float_networks, quantized_network
from genre_export.quantization.qdq import Settings
from genre_infer.cores import available_cores
from genre_infer.engines import Engine, Request, open_engine
from genre_train.checkpoint import read_checkpoint
from genre_train.dataset import Dataset

from .parity import parity_row
from .systems import Answers, Devices, original_answers, sample
from .tables import print_and_write

CHOSEN = Settings()
PLAIN = replace(CHOSEN, equalisation=0, rounding=False, bias_correction=False, operators=("Conv",))
VARIANTS: dict[str, Settings] = {
    "chosen": CHOSEN,
    "no equalisation": replace(CHOSEN, equalisation=0),
    "full equalisation": replace(CHOSEN, equalisation=1),
    "nearest rounding": replace(CHOSEN, rounding=False),
    "no bias correction": replace(CHOSEN, bias_correction=False),
    "99.999th percentile": replace(CHOSEN, method="percentile"),
    "entropy": replace(CHOSEN, method="entropy"),
    "first convolution in float": replace(CHOSEN, float_convolutions=1),
    "outputs rounded before ReLU too": replace(CHOSEN, operators=("Conv",)),
    "none of the steps": PLAIN,
    "none of the steps, percentile": replace(PLAIN, method="percentile"),
}
"""Name -> settings of the int8 export."""


def run_int8(
    *,
    checkpoint: Path,
    table: Path,
    posters: Path,
    split: str,
    devices: tuple[str, ...],
    count: int | None,
    seed: int,
    names: tuple[str, ...],
    csv_file: Path | None,
) -> None:
    """Print and write how far int8 variants of a checkpoint are from the original.

    Args:
        checkpoint: The folder to quantize.
        table: CSV of films.
        posters: Folder of posters.
        split: The posters to measure on.
        devices: See systems.Devices.
        count: How many posters are chosen at random; None is all.
        seed: Of the choice.
        names: Of the variants, keys of VARIANTS.
        csv_file: Where the rows go.

    Raises:
        GenreInferError: The checkpoint, the table or a device cannot be used.
    """
    reference, dataset = original_answers(checkpoint, table, posters, split)
    if count:
        reference, dataset = _sampled(reference, dataset, count, seed)
    source = read_checkpoint(checkpoint)
    calibration = calibration_posters(source, posters)
    floats: dict[Settings, Any] = {}  # shared by variants that differ in later steps only
    rows = []
    opener = Devices(devices)
    for name in names:
        settings = VARIANTS[name]
        click.echo(f"{name} …", err=True)
        # float_networks() does not depend on these.
        key = replace(settings, method="", bias_correction=False, operators=())
        pixels = calibration[: settings.posters]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on its own exporter
            if key not in floats:
                floats[key] = float_networks(source, pixels, settings)
            network = quantized_network(floats[key], pixels, settings)
        model = join(preprocessing_graph(source.size), network).SerializeToString()
        request = Request(model, (source.size[1], source.size[0]), available_cores())
        for engine in opener.open_each(partial(_open, request)):
            row = parity_row(_answers(engine, dataset, reference), reference, dataset)
            rows.append({"variant": name, "provider": engine.provider, **row, **_columns(settings)})
    title = f"int8 against the original over {len(dataset.posters)} posters of {split}"
    print_and_write("int8", title, rows, csv_file)


def _sampled(
    reference: Answers, dataset: Dataset, count: int, seed: int
) -> tuple[Answers, Dataset]:
    chosen = sample(len(dataset.posters), count, seed)
    posters = [dataset.posters[i] for i in chosen]
    return (
        replace(reference, probabilities=reference.probabilities[chosen]),
        replace(dataset, posters=posters, pixels=dataset.pixels[chosen]),
    )


def _open(request: Request, device: str) -> Engine:
    return open_engine(request, device)[0]


def _answers(engine: Engine, dataset: Dataset, reference: Answers) -> Answers:
    probabilities = engine_probabilities(engine, dataset.pixels)
    return Answers(engine.provider, "int8", probabilities.astype("float64"), reference.thresholds)


def _columns(settings: Settings) -> dict[str, Any]:
    values = asdict(settings) | {"operators": " ".join(settings.operators)}
    return {"calibration_posters" if k == "posters" else k: v for k, v in values.items()}
