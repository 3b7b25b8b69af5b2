"""Files that the runtime refuses before anything runs, each made for its own sentence."""

import json
from collections.abc import Iterable
from contextlib import suppress

import pytest
from write_onnx import Field, message, model_bytes

from genre_infer import ModelError
from genre_infer.onnx_file import read_metadata


def test_a_plain_model_is_read() -> None:
    metadata = read_metadata(model_bytes())
    assert metadata.genres == ("Drama", "Horror")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"external": True}, "other files"),
        ({"domain": "com.microsoft"}, "com.microsoft"),
        ({"inner_domain": "com.evil"}, "com.evil"),
        ({"metadata": None}, "not made by genre-export"),
        ({"metadata": {"format": 99}}, "newer"),
        ({"input_name": "pixels"}, "input is not 'image'"),
        ({"input_type": 1}, "input is not 'image'"),
        ({"input_shape": [None, 268, 182, 3]}, "input is not 'image'"),
        ({"extra_input": True}, "input is not 'image'"),
        ({"output_name": "logits"}, "output is not 'probabilities'"),
        ({"output_shape": [None, 3]}, r"float32 \[N, 2\]"),
    ],
)
def test_each_fault_has_its_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        read_metadata(model_bytes(**changes))


def test_an_initializer_is_no_input() -> None:
    assert read_metadata(model_bytes(initializer_listed_as_input=True)).genres


@pytest.mark.parametrize("cut", [1, 10, 50, 200])
def test_cut_files_are_refused(cut: int) -> None:
    with pytest.raises(ModelError):
        read_metadata(model_bytes()[:-cut])


def test_any_bytes_end_in_a_sentence() -> None:
    good = model_bytes()
    for position in range(0, len(good), 3):
        for value in (0x00, 0x7F, 0xFF):
            changed = good[:position] + bytes([value]) + good[position + 1 :]
            with suppress(ModelError):  # any other exception fails the test
                read_metadata(changed)


def test_the_packaged_model_passes() -> None:
    from genre_infer import packaged

    assert read_metadata(packaged.PATH.read_bytes()).name == packaged.NAME


def test_helpers_write_what_onnx_reads() -> None:
    onnx = pytest.importorskip("onnx", reason="only the pipeline's environment has onnx")
    model = onnx.load_from_string(model_bytes())
    assert model.graph.input[0].name == "image"
    assert json.loads(model.metadata_props[0].value)["format"] == 1
    fields: Iterable[Field] = [(1, 3)]
    assert message(fields) == b"\x08\x03"
