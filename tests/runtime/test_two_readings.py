"""Files that are ONNX, but look like something else by their first bytes: engines read ONNX."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from write_onnx import message

from genre_infer import Classifier, model_file

NET = """<net name="other" version="11"><layers>
<layer id="0" name="image" type="Parameter" version="opset1"><data shape="1" element_type="f32"/>
<output><port id="0" precision="FP32"><dim>1</dim></port></output></layer>
<layer id="1" name="probabilities" type="Result" version="opset1">
<input><port id="0" precision="FP32"><dim>1</dim></port></input></layer></layers>
<edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges></net>"""

# Each is a whole field or two, which the model's own later ones replace.
PREFIXES = {
    "OpenVINO's XML": message([(2, NET)]),
    "onnxruntime's own format": b"\x08\x00\x92\x00" + b"ORTM".ljust(80, b"."),
}


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "openvino"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_it_is_read_as_onnx(device: str, prefix: str, tmp_path: Path) -> None:
    pytest.importorskip({"cpu": "onnxruntime", "openvino": "openvino"}[device])
    path = tmp_path / "two.onnx"
    path.write_bytes(PREFIXES[prefix] + model_file.PACKAGED_PATH.read_bytes())
    own = hashlib.sha256(path.read_bytes()).hexdigest()
    model_file.sidecar(path).write_text(own)  # else the file's hash of its content would tell
    pixels = np.zeros((1, 268, 182, 3), np.uint8)
    answers = []
    for model in (None, path):
        with Classifier(model, device=device, batch_size=1) as classifier:
            answers.append(classifier.predict(pixels))
    assert np.array_equal(*answers)
