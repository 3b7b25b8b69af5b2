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
    assert Metadata.from_json(json.dumps(GOOD.to_document())) == GOOD
    assert json.dumps(GOOD.to_document()).isascii()


def test_details_may_be_left_out_and_mappings_come_in_any_order() -> None:
    row = {"Horror": None, "Drama": 0.5}
    text = changed(details="missing", thresholds={"balanced": row})
    read = Metadata.from_json(text)
    assert (read.details, read.thresholds["balanced"]) == ({}, GOOD.thresholds["balanced"])


def test_fields_of_a_later_minor_addition_are_ignored() -> None:
    assert Metadata.from_json(changed(something_new=1)) == GOOD


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "not JSON"),
        ("[]", "names no format"),
        ("[" * 100_000, "not JSON"),
        (changed(format=True), "names no format"),
        (changed(format=0), "names no format"),
        (changed(format=1.0), "names no format"),
        (changed(details={"x": float("nan")}), "not JSON.*NaN"),
        (changed(details={"x": float("-inf")}), "not JSON.*-Infinity"),
        ('{"format": 1, ' + changed()[1:], "not JSON.*twice"),
        (changed().replace('{"Drama": 0.5,', '{"Drama": 0.5, "Drama": 0.6,'), "not JSON.*twice"),
        (changed(format=FORMAT + 1), "pip install --upgrade genre-infer"),
        (changed(genres="missing"), "lacks genres"),
        (changed(genres=[]), "different genres"),
        (changed(genres=["Drama", "Drama"]), "different genres"),
        (changed(genres=["Drama", ""]), "different genres"),
        (changed(genres=["Drama", "Horror|Western"]), "different genres"),
        (changed(genres=["Drama", "\x1b[2J"]), "different genres"),
        (changed(genres="Drama"), "different genres"),
        (changed(thresholds={}), "'balanced'"),
        (changed(thresholds=[]), "'balanced'"),
        (changed(thresholds=GOOD.thresholds | {"": {"Drama": 0, "Horror": 0}}), "mode"),
        (changed(thresholds={"balanced": {"Drama": 0.5, "Horror": 0, "War": 0}}), "not for the"),
        (changed(thresholds={"balanced": {"Drama": -1e-9, "Horror": 0}}), "Drama"),
        (changed(thresholds={"balanced": {"Drama": 10**400, "Horror": 0}}), "Drama"),
        (changed(thresholds={"balanced": {"Drama": "0.5", "Horror": 0}}), "Drama"),
        (changed(thresholds={"balanced": {"Drama": 0.5}}), "not for the model's genres"),
        (changed(thresholds={"balanced": {"Drama": 1.5, "Horror": 0}}), "Drama"),
        (changed(thresholds={"balanced": {"Drama": True, "Horror": 0}}), "Drama"),
        (changed(width=0), "width"),
        (changed(width=True), "width"),
        (changed(height="268"), "height"),
        (changed(height=268.0), "height"),
        (changed(precision="int4"), "precision"),
        (changed(name=3), "name"),
        (changed(version=""), "version"),
        (changed(version="1\n2"), "version"),
        (changed(precision=["int8"]), "precision"),
        (changed(checkpoint_sha256="0" * 63), "checkpoint_sha256"),
        (changed(checkpoint_sha256=None), "checkpoint_sha256"),
        (changed(licences=[]), "licences"),
        (changed(licences={"code": None}), "licences"),
        (changed(created_with={"numpy": 2}), "created_with"),
        (changed(details=[]), "details"),
        (changed(details=json.loads('{"a": [' * 11 + "]}" * 11)), "nested over 20 levels"),
    ],
)
def test_faults_have_their_own_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence.replace("'", ".")):
        Metadata.from_json(text)
