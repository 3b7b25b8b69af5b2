"""Ways to quantize, side by side: what each step of the int8 export is worth."""

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

from .compare import parity_row
from .systems import Answers, drawn, original, there
from .tables import finish, say

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
COLUMNS = {
    "variant": "variant",
    "provider": "provider",
    "largest": "largest",
    "percentile_99": "99th pct",
    "labels_agree": "labels agree",
    "named_labels_kept": "named kept",
    "first_genre_kept": "first kept",
}


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
    """Print and write how far each of these VARIANTS is from the original, on the devices named,
    or on every one that is there. count: so many posters at random; None is all. Raises
    GenreInferError."""
    reference, dataset = original(checkpoint, table, posters, split)
    if count:
        reference, dataset = _sample(reference, dataset, count, seed)
    read = read_checkpoint(checkpoint)
    looked_at = calibration_posters(read, posters)
    floats: dict[Settings, Any] = {}  # several variants begin with the same
    rows = []
    missing: list[str] = []
    for name in names:
        settings = VARIANTS[name]
        click.echo(f"{name} …", err=True)
        # float_networks() does not look at the rest.
        key = replace(settings, method="", bias_correction=False, operators=())
        pixels = looked_at[: settings.posters]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on its own exporter
            if key not in floats:
                floats[key] = float_networks(read, pixels, settings)
            network = quantized_network(floats[key], pixels, settings)
        model = join(preprocessing_graph(read.size), network).SerializeToString()
        request = Request(model, (read.size[1], read.size[0]), available_cores())
        for engine in there(devices, partial(_open, request), missing):
            answers = _answers(engine, dataset, reference)
            row = parity_row(answers, reference, dataset)
            rows.append({"variant": name, "provider": engine.provider, **row, **_shown(settings)})
    changes = {k: k.replace("macro_ap_change_", "AP ± ") for k in rows[0] if "change" in k}
    title = f"int8 against the original over {len(dataset.posters)} posters of {split}"
    finish(title, rows, {**COLUMNS, **changes}, csv_file)
    say(missing)


def _sample(reference: Answers, dataset: Dataset, count: int, seed: int) -> tuple[Answers, Dataset]:
    chosen = drawn(dataset, count, seed)
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


def _shown(settings: Settings) -> dict[str, Any]:
    values = asdict(settings) | {"operators": " ".join(settings.operators)}
    return {"calibration_posters" if k == "posters" else k: v for k, v in values.items()}
