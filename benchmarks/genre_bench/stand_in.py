"""A model of next to nothing: what is left of a run is the pipeline around the network."""

import dataclasses
from pathlib import Path

from onnx import helper, parser

from genre_export.graph import IR_VERSION, OPSET, with_metadata
from genre_infer.metadata import INPUT, OUTPUT
from genre_infer.model_file import load_model

NAME = "stand-in"


def write_stand_in(path: Path) -> None:
    """Write a model that takes what the packaged one takes and gives as many probabilities, from
    nothing but the mean colour of a poster. Its answers mean nothing."""
    metadata = load_model().metadata
    genres = len(metadata.genres)
    model = parser.parse_model(
        f"""
        <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
        stand_in (uint8[N, height, width, 3] {INPUT}) => (float[N, {genres}] {OUTPUT})
        <int64[2] axes = {{1, 2}}>
        {{
          pixels = Cast <to = 1> ({INPUT})
          colour = ReduceMean <keepdims = 0> (pixels, axes)
          logits = MatMul (colour, weights)
          {OUTPUT} = Sigmoid (logits)
        }}
        """
    )
    weights = helper.make_tensor("weights", 1, [3, genres], [0.0] * (3 * genres))
    model.graph.initializer.append(weights)
    own = dataclasses.replace(metadata, name=NAME, precision="float32", details={})
    path.write_bytes(with_metadata(model, own))
