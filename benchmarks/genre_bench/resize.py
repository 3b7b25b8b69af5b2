"""genre-bench resize: the graph's resize against Pillow's, and what it costs."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import compose, parser
from onnx.utils import Extractor
from PIL import Image

from genre_export.graph import IR_VERSION, OPSET
from genre_infer.cores import available_cores
from genre_infer.engines import Engine, Request, open_engine
from genre_infer.metadata import INPUT, OUTPUT
from genre_infer.model_file import load_model
from genre_infer.posters import Pixels, squish

from .systems import Devices, versions
from .tables import print_and_write
from .timing import alternate, timed

FACTORS = (0.5, 0.7, 1.0, 1.01, 1.5, 2.0, 3.3, 8.0, 11.0)
SHAPES = ((1, 1), (77, 1000), (1000, 77), (580, 333))  # height, width
BATCH, BATCHES = 8, 40


def run_resize(
    *,
    model: Path | None,
    devices: tuple[str, ...],
    repeats: int,
    csv_file: Path | None,
    cost_file: Path | None,
) -> None:
    """Measure and print; write the differences to csv_file and the cost to cost_file.

    Raises:
        GenreInferError: The model or a device cannot be used.
    """
    loaded = load_model(model)
    size = (loaded.metadata.height, loaded.metadata.width)
    whole = onnx.load_from_string(loaded.data)
    sizes, costs = [], []
    for engine in Devices(devices).open_each(partial(_open, _levels(whole), size)):
        sizes += _differences(engine, size)
        costs.append(_cost(whole, engine.device, size, repeats))
    print_and_write("resize", "The graph's resize against Pillow's", sizes, csv_file)
    title = "What the resize costs where there is nothing to resize"
    print_and_write("resize-cost", title, costs, cost_file)


def _open(model: onnx.ModelProto, size: tuple[int, int], device: str) -> Engine:
    request = Request(model.SerializeToString(), size, available_cores(), BATCH)
    return open_engine(request, device)[0]


def _levels(whole: onnx.ModelProto) -> onnx.ModelProto:
    """Cut out the file's preprocessing; its output gets the name that engines ask for."""
    model = Extractor(whole).extract_model([INPUT], ["levels"])
    model.graph.node.append(onnx.helper.make_node("Identity", ["levels"], [OUTPUT]))
    model.graph.output[0].name = OUTPUT
    return model


def _differences(engine: Engine, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Compare noise of each size with Pillow, in levels of 0 to 255: a row for each size."""
    scaled = [(round(size[0] * factor), round(size[1] * factor)) for factor in FACTORS]
    rows = []
    for height, width in (*scaled, *SHAPES):
        pictures = _noise(2, (height, width))
        given = np.moveaxis(engine.run(pictures), 1, -1)
        expected = np.stack([squish(Image.fromarray(p), size[1], size[0]) for p in pictures])
        difference = np.abs(given - expected)
        rows.append(
            {
                "provider": engine.provider,
                "size": f"{width}x{height}",
                "largest_levels": float(difference.max()),
                "share_differing": float((difference > 0).mean()),
                "pillow": versions("pillow"),
                "engine": versions(engine.device),
            }
        )
    return rows


def _noise(count: int, size: tuple[int, int]) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def _cost(
    whole: onnx.ModelProto, device: str, size: tuple[int, int], repeats: int
) -> dict[str, Any]:
    """Compare the whole file with its network after a transposition alone: one row."""
    batch = _noise(BATCH, size)
    engines = {"whole": _open(whole, size, device), "without": _open(_bare(whole), size, device)}
    for engine in engines.values():
        _run(engine, batch)
    runs = {name: timed(partial(_run, engine, batch)) for name, engine in engines.items()}
    seconds = alternate(runs, repeats)
    posters = BATCH * BATCHES
    return {
        "provider": engines["whole"].provider,
        "posters_per_s": posters / seconds["whole"].median,
        "posters_per_s_without": posters / seconds["without"].median,
        "cost": seconds["whole"].median / seconds["without"].median - 1,
        "engine": versions(device),
    }


def _run(engine: Engine, batch: Pixels) -> None:
    for _ in range(BATCHES):
        engine.run(batch)


def _bare(whole: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the file's preprocessing by a transposition."""
    network = Extractor(whole).extract_model(["levels"], [OUTPUT])
    height, width = (d.dim_value for d in network.graph.input[0].type.tensor_type.shape.dim[2:])
    transposed = parser.parse_model(f"""
    <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
    transposed (uint8[N, {height}, {width}, 3] {INPUT}) => (float[N, 3, {height}, {width}] levels)
    {{
      planes = Transpose <perm = [0, 3, 1, 2]> ({INPUT})
      levels = Cast <to = 1> (planes)
    }}
    """)
    return compose.merge_models(transposed, network, io_map=[("levels", "levels")])
