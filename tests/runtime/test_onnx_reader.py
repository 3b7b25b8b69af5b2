"""Files that the runtime refuses before anything runs, each made for its own message."""

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from write_onnx import EXTERNAL, Field, message, model_bytes, node, value_info

from genre_infer import Classifier, DeviceError, ModelError
from genre_infer.onnx_reader import check, read_file


def test_a_plain_model_is_read() -> None:
    metadata = check(read_file(model_bytes()))
    assert metadata.genres == ("Drama", "Horror")
    assert (read_file(model_bytes()).ir_version, read_file(model_bytes()).opset) == (10, 18)


def graph(*nodes: bytes) -> bytes:
    return message((1, inner) for inner in nodes)


def function(domain: str, *nodes: bytes) -> bytes:
    return message([(1, "Own"), *((7, inner) for inner in nodes), (10, domain)])


EVIL = node("Own", "com.evil")
SPARSE = message([(1, EXTERNAL)])
SPARSE_INPUT = message(  # TypeProto.sparse_tensor_type = 8, else as a plain one
    [(1, "image"), (2, message([(8, message([(1, 2)]))]))]
)
PROPERTY = message([(1, "genre_infer"), (2, "{}")])
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "weights elsewhere": ({"graph_fields": [(5, EXTERNAL)]}, "other files"),
    "named location": (
        {"graph_fields": [(5, message([(13, message([(1, "location"), (2, "/etc/passwd")]))]))]},
        "other files",
    ),
    "in an attribute": ({"nodes": [node("Constant", "", (5, EXTERNAL))]}, "other files"),
    "in a list of tensors": ({"nodes": [node("Constant", "", (10, EXTERNAL))]}, "other files"),
    "in a sparse attribute": ({"nodes": [node("Constant", "", (22, SPARSE))]}, "other files"),
    "in a subgraph": ({"nodes": [node("If", "", (6, message([(5, EXTERNAL)])))]}, "other files"),
    # An engine reads the lower 32 bits of a kind of place, and of a field's key.
    "by a larger number": ({"graph_fields": [(5, message([(14, 2**32 + 1)]))]}, "other files"),
    "behind a larger key": ({"nodes": [message([(4, "Own"), (7 + 2**29, "com.evil")])]}, "damaged"),
    "sparse weights": ({"graph_fields": [(15, SPARSE)]}, "other files"),
    "in a function": (
        {"model_fields": [(25, function("", node("Constant", "", (5, EXTERNAL))))]},
        "other files",
    ),
    "in training": (
        {"model_fields": [(20, message([(1, message([(5, EXTERNAL)]))]))]},
        "other files",
    ),
    "domain": ({"domain": "com.microsoft"}, "com.microsoft"),
    "domain in a subgraph": ({"nodes": [node("If", "", (6, graph(EVIL)))]}, "com.evil"),
    "in a subgraph's subgraph": (
        {"nodes": [node("If", "", (6, graph(node("Loop", "", (6, graph(EVIL))))))]},
        "com.evil",
    ),
    "in a list of graphs": ({"nodes": [node("If", "", (11, graph(EVIL)))]}, "com.evil"),
    "domain in a function": ({"model_fields": [(25, function("", EVIL))]}, "com.evil"),
    "domain of a function": ({"model_fields": [(25, function("com.evil"))]}, "com.evil"),
    "standard replaced": ({"model_fields": [(25, function("ai.onnx"))]}, "own: ai.onnx:Own"),
    "no metadata": ({"metadata": None}, "not made by genre-export"),
    "metadata twice": ({"model_fields": [(14, PROPERTY)]}, "'genre_infer' twice"),
    "no JSON": ({"metadata": "{"}, "not JSON"),
    "newer": ({"metadata": {"format": 99}}, "newer"),
    "inconsistent": ({"metadata": {"genres": ["A", "B"]}}, "not for the model's genres"),
    "input name": ({"input_name": "pixels"}, "input is not 'image'"),
    "input type": ({"input_type": 1}, "input is not 'image'"),
    "input shape": ({"input_shape": [None, 268, 182, 3]}, "input is not 'image'"),
    "extra input": ({"extra_input": True}, "input is not 'image'"),
    "extra input behind weights of two names": (
        {"extra_input": True, "graph_fields": [(5, message([(8, "more"), (8, "weight")]))]},
        "input is not 'image'",
    ),
    "sparse input": ({"input_name": "x", "graph_fields": [(11, SPARSE_INPUT)]}, "input is not"),
    "output name": ({"output_name": "logits"}, "output is not 'probabilities'"),
    "output type": ({"output_type": 11}, "output is not 'probabilities'"),
    "output shape": ({"output_shape": [None, 2, 1]}, r"float32 \[N, 2\]"),
    "output columns": ({"output_shape": [None, 3]}, r"names 2 genres.*float32 \[N, 3\]"),
    "two outputs": (
        {"graph_fields": [(12, value_info("more", 1, [None]))]},
        "output is not 'probabilities'",
    ),
    "output twice": ({"graph_fields": [(12, value_info("probabilities", 1, [1]))]}, "damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence_before_an_engine_is_imported(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)  # to import it is an error
    changes, sentence = FAULTS[fault]
    path = tmp_path / "made.onnx"
    path.write_bytes(model_bytes(**changes))
    with pytest.raises(ModelError, match=sentence) as caught:
        Classifier(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_without_a_fault_the_engine_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes the test above mean something: the same file without a fault gets further."""
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)
    path = tmp_path / "made.onnx"
    path.write_bytes(model_bytes())
    with pytest.raises(DeviceError, match="onnxruntime is not installed"):
        Classifier(path, device="cpu")


def test_an_initializer_is_not_an_input() -> None:
    assert check(read_file(model_bytes(initializer_listed_as_input=True))).genres


def test_cut_files_are_refused() -> None:
    good = model_bytes()
    ends = 0
    for size in range(1, len(good)):
        with pytest.raises(ModelError) as caught:
            check(read_file(good[:size]))
        ends += "ends before the model does" in str(caught.value)
    assert ends > len(good) - 10  # a cut between two fields leaves a file without one of them


def test_any_bytes_end_in_a_sentence() -> None:
    good = model_bytes()
    for position in range(0, len(good), 3):
        for value in (0x00, 0x7F, 0xFF):
            changed = good[:position] + bytes([value]) + good[position + 1 :]
            with suppress(ModelError):  # any other exception fails the test
                check(read_file(changed))


def test_the_packaged_model_passes() -> None:
    from genre_infer import model_file

    assert check(read_file(model_file.PACKAGED_PATH.read_bytes())).name == model_file.PACKAGED_NAME


def test_helpers_write_what_onnx_reads() -> None:
    onnx = pytest.importorskip("onnx", reason="only the pipeline's environment has onnx")
    model = onnx.load_from_string(model_bytes())
    assert model.graph.input[0].name == "image"
    assert json.loads(model.metadata_props[0].value)["format"] == 1
    fields: Iterable[Field] = [(1, 3)]
    assert message(fields) == b"\x08\x03"
