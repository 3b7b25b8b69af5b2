"""The metadata schema: what is written is read back, what is faulty is refused by name."""

import json
from typing import Any

import pytest

from genre_infer import Metadata, ModelError
from genre_infer.metadata import FORMAT

GOOD = Metadata(
    name="test",
    version="1",
    genres=("Drama", "Horror"),
    thresholds={"balanced": {"Drama": 0.5, "Horror": None}},
    width=182,
    height=268,
    precision="int8",
    checkpoint_sha256="0" * 64,
    licences={"code": "Apache-2.0"},
    created_with={"numpy": "2"},
    details={"anything": [1, 2]},
)


def changed(**changes: Any) -> str:
    document = GOOD.to_document() | changes
    return json.dumps({k: v for k, v in document.items() if v != "missing"})


def test_round_trip() -> None:
    assert Metadata.from_json(GOOD.to_json()) == GOOD
    assert GOOD.to_json().isascii()


def test_fields_of_a_later_minor_addition_are_ignored() -> None:
    assert Metadata.from_json(changed(something_new=1)) == GOOD


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "not JSON"),
        ("[]", "names no format"),
        (changed(format=FORMAT + 1), "pip install --upgrade genre-infer"),
        (changed(genres="missing"), "lacks genres"),
        (changed(genres=[]), "different genres"),
        (changed(genres=["Drama", "Drama"]), "different genres"),
        (changed(thresholds={}), "'balanced'"),
        (changed(thresholds={"balanced": {"Drama": 0.5}}), "not for the model's genres"),
        (changed(thresholds={"balanced": {"Drama": 1.5, "Horror": 0}}), "Drama"),
        (changed(thresholds={"balanced": {"Drama": True, "Horror": 0}}), "Drama"),
        (changed(width=0), "width"),
        (changed(height="268"), "height"),
        (changed(precision="int4"), "precision"),
        (changed(name=3), "name"),
        (changed(licences=[]), "licences"),
    ],
)
def test_faults_have_their_own_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence.replace("'", ".")):
        Metadata.from_json(text)
