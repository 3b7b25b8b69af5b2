"""A model is used only if its bytes are the expected ones, in every way to expect them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import invoke
from write_onnx import model_bytes

from genre_infer import Classifier, ModelError, model_file
from genre_infer.model_file import load_model, sidecar
from genre_infer.onnx_reader import content_sha256, read_file

DATA = model_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()
OTHER = "0" * 64


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "made.onnx"
    path.write_bytes(DATA)
    return path


def refusal(model: Path | None, sha256: str | None = None) -> str:
    try:  # pytest.raises would keep the frame, and with it the model's bytes
        load_model(model, sha256)
    except ModelError as error:
        return str(error)
    pytest.fail("the model was accepted")


def test_the_hash_that_was_given_counts(model: Path) -> None:
    assert load_model(model, SHA256).data == DATA
    assert load_model(model, SHA256.upper()).sha256 == SHA256
    said = refusal(model, OTHER)
    assert all(part in said for part in (str(model), SHA256, OTHER, "Fetch it again"))
    assert OTHER in refusal(None, OTHER)
    with pytest.raises(ValueError, match="64 hexadecimal"):
        Classifier(model, sha256="abc")


@pytest.mark.parametrize("name", ["made.onnx", "two words.onnx", "back\\slash\n.onnx"])
def test_the_sidecar_that_sha256sum_writes_counts(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(DATA)
    line = f"{SHA256}  {name}\n".encode()
    if sys.platform == "linux":  # coreutils, which escapes such a name
        line = subprocess.check_output(["sha256sum", name], cwd=tmp_path)
    sidecar(path).write_bytes(line)
    assert load_model(path).sha256 == SHA256
    path.write_bytes(DATA + b"\x08\x0b")  # still a model: a second ir_version
    said = refusal(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(part in said for part in (str(path), SHA256, found, str(sidecar(path)), "sha256sum"))


@pytest.mark.parametrize("line", [f"{SHA256} *made.onnx\r\n", SHA256, f"{SHA256.upper()}  x\n"])
def test_other_forms_of_the_line_are_read(model: Path, line: str) -> None:
    sidecar(model).write_text(line, newline="")
    assert load_model(model).sha256 == SHA256


@pytest.mark.parametrize("line", ["", "abc", SHA256[1:], f"{SHA256}  a\n{OTHER}  b\n", "\xff" * 9])
def test_a_malformed_sidecar_is_refused(model: Path, line: str) -> None:
    sidecar(model).write_text(line, "latin-1", newline="")
    assert "not one line as sha256sum writes it" in refusal(model)
    assert "not one line" in refusal(model, SHA256)  # a right one does not make up for it


def test_a_sidecar_that_cannot_be_read_is_refused(model: Path) -> None:
    sidecar(model).mkdir()
    assert "cannot be read" in refusal(model)


def test_the_commands_check_too(model: Path, folder: Path) -> None:
    assert invoke("info", model, "--sha256", SHA256).returncode == 0
    for args in (["info", model], [folder, "--model", model]):
        done = invoke(*args, "--sha256", OTHER)
        assert (done.returncode, done.stdout) == (3, b"")
        assert OTHER.encode() in done.stderr
        assert done.stderr.endswith(b"give the hash of this file (--sha256).\n")
        assert invoke(*args, "--sha256", "abc").returncode == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, model: Path) -> None:
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    assert "it is not a file" in refusal(pipe)  # opening it would wait for a writer
    assert "it is not a file" in refusal(Path("/dev/zero"))
    assert "it is not a file" in refusal(tmp_path)
    os.mkfifo(sidecar(model))
    assert "cannot be read" in refusal(model)


def test_damage_is_noticed_without_any_hash_beside_it() -> None:
    own = content_sha256(DATA, read_file(DATA))
    data = model_bytes(metadata={"content_sha256": own})
    assert load_model(data).metadata.content_sha256 == own
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytes([data[position] ^ 1 << bit])
            try:
                changed = load_model(data[:position] + flipped + data[position + 1 :])
            except ModelError:
                continue
            # All that a flip can do unseen is to rename the hash itself.
            assert changed.metadata.content_sha256 is None, (position, bit)


def test_a_model_that_nothing_vouches_for(model: Path, folder: Path) -> None:
    assert not load_model(model).vouched
    assert load_model(model, SHA256).vouched
    said = invoke("info", model).stderr.decode()
    assert f"Nothing vouches for the model {model}" in said
    done = invoke(folder, "--model", model, "--require-hash")
    assert done.returncode == 3
    assert b"Nothing vouches" in done.stderr
    sidecar(model).write_text(f"{SHA256}  made.onnx\n")
    assert load_model(model, require_hash=True).vouched
    assert invoke("info", model, "--require-hash").stderr == b""


@pytest.fixture
def stand_in(model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small file in the packaged model's place."""
    monkeypatch.setattr(model_file, "PACKAGED_PATH", model)
    monkeypatch.setattr(model_file, "PACKAGED_SHA256", SHA256)
    assert load_model().data == DATA
    return model


@pytest.mark.slow
def test_every_one_byte_change_is_noticed(stand_in: Path) -> None:
    """All positions and all values, and every cut, over a file small enough for that."""
    with stand_in.open("r+b") as file:
        for position, byte in enumerate(DATA):
            for value in range(256):
                if value != byte:
                    file.seek(position)
                    file.write(bytes([value]))
                    file.flush()
                    with pytest.raises(ModelError, match="Reinstall"):
                        load_model()
            file.seek(position)
            file.write(bytes([byte]))
            file.flush()
    load_model()
    for size in range(len(DATA)):
        stand_in.write_bytes(DATA[:size])
        assert "Reinstall" in refusal(None)
    stand_in.write_bytes(DATA + b"\0")
    assert "Reinstall" in refusal(None)


def test_all_of_the_hash_is_compared(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for position in range(64):
        digit = "0" if SHA256[position] != "0" else "1"
        changed = SHA256[:position] + digit + SHA256[position + 1 :]
        assert changed in refusal(stand_in, changed)
        sidecar(stand_in).write_text(f"{changed}  {stand_in.name}\n")
        assert changed in refusal(stand_in)
        sidecar(stand_in).unlink()
        with monkeypatch.context() as patch:
            patch.setattr(model_file, "PACKAGED_SHA256", changed)
            assert changed in refusal(None)


@pytest.mark.slow
def test_one_byte_changes_all_over_the_packaged_model_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = model_file.PACKAGED_PATH.read_bytes()
    assert load_model().sha256 == model_file.PACKAGED_SHA256 == hashlib.sha256(data).hexdigest()
    copy = tmp_path / "genre-infer.onnx"
    copy.write_bytes(data)
    monkeypatch.setattr(model_file, "PACKAGED_PATH", copy)
    metadata = data.index(b'{"format"')
    positions = {0, 1, metadata, metadata + 500, len(data) - 2, len(data) - 1}
    positions |= {2**power for power in range(1, 24) if 2**power < len(data)}
    positions |= {int(p) for p in np.random.default_rng(0).integers(0, len(data), 20)}
    with copy.open("r+b") as file:
        for number, position in enumerate(sorted(positions)):
            for byte in (data[position] ^ 1 << number % 8, data[position]):
                file.seek(position)
                file.write(bytes([byte]))
                file.flush()
                if byte != data[position]:
                    assert "Reinstall" in refusal(None), position
    load_model()
