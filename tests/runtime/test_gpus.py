"""GPUs, as far as they can be tested without one: missing, not starting, refusing the network."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from pretend import PretendedSession, installed

from genre_infer import Classifier, DeviceError
from genre_infer.engines import Request, gpu
from genre_infer.engines.onnxruntime import OnnxRuntime
from genre_infer.model_file import PACKAGED_PATH as PATH


@pytest.mark.parametrize(
    ("device", "fix"),
    [
        ("cuda", 'pip install "genre-infer[gpu]"'),
        ("tensorrt", 'pip install "genre-infer[gpu]" tensorrt'),
    ],
)
def test_a_gpu_s_device_without_its_provider_is_an_error_with_its_fix(
    device: str, fix: str, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=f"The device {device} is not available") as caught:
        Classifier(toy, device=device)
    assert str(caught.value).endswith(fix)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> type[PretendedSession]:
    """onnxruntime as if built for GPUs, which starts every session on the processor."""
    gpus = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: gpus)
    monkeypatch.setattr(onnxruntime, "InferenceSession", PretendedSession)
    return PretendedSession


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_that_does_not_start_is_an_error(
    device: str, toy: Path, pretended: type[PretendedSession]
) -> None:
    assert pretended.claims == "CPUExecutionProvider"
    with pytest.raises(
        DeviceError, match=f"{device} is not available.*could not start.*nvidia-smi"
    ):
        Classifier(toy, device=device)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "provider"),
    [("cuda", "CUDAExecutionProvider"), ("tensorrt", "TensorrtExecutionProvider")],
)
def test_a_gpu_whose_nodes_run_on_the_processor_is_an_error(
    device: str,
    provider: str,
    pretended: type[PretendedSession],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pretended, "claims", provider)
    with pytest.raises(DeviceError, match="runs 36 of its convolutions on the processor"):
        Classifier(device=device, batch_size=2)
    assert capfd.readouterr() == ("", "")


def test_auto_passes_a_gpu_over_whose_nodes_run_on_the_processor(
    pretended: type[PretendedSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretended, "claims", "CUDAExecutionProvider")
    installed(monkeypatch, "onnxruntime-gpu")
    monkeypatch.setattr(pretended, "get_providers", lambda _: [pretended.claims])
    with Classifier(batch_size=2) as classifier:
        assert classifier.device == "cpu"
        assert len(classifier.skipped) == 1
        assert "processor" in classifier.skipped[0]


def test_a_gpu_whose_libraries_are_missing_is_an_error_with_its_fix(
    toy: Path, pretended: type[PretendedSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Please install TensorRT libraries\nand more")

    assert issubclass(pretended, onnxruntime.InferenceSession)
    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    with pytest.raises(DeviceError, match=r'pip install "genre-infer\[gpu\]" tensorrt') as caught:
        Classifier(toy, device="tensorrt")
    assert "Please install TensorRT libraries" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_where_no_profile_can_be_written_it_does_not_count(
    device: str, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(DeviceError, match=f"{device} cannot be tried.*nowhere.*TMPDIR"):
        Classifier(toy, device=device)


def test_gpus_get_batches_of_one_shape_but_single_posters_and_other_sizes(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = onnxruntime.InferenceSession(toy, providers=["CPUExecutionProvider"])
    shapes = []
    run = session.run

    def watched(outputs: object, feeds: dict[str, np.ndarray]) -> object:
        shapes.append(feeds["image"].shape[:3])
        return run(outputs, feeds)

    monkeypatch.setattr(session, "run", watched)
    options = {"batch_size": 3, "lanes": 1, "padded": (268, 182)}
    engine = OnnxRuntime("cuda", session, **options)
    for shape in ((4, 268, 182), (1, 268, 182), (1, 90, 60)):
        assert len(engine.run(np.zeros((*shape, 3), np.uint8))) == shape[0]
    assert shapes == [(3, 268, 182)] * 2 + [(1, 268, 182), (1, 90, 60)]
    shapes.clear()
    engine = OnnxRuntime("tensorrt", session, **options, padded_from=1)
    assert len(engine.run(np.zeros((1, 268, 182, 3), np.uint8))) == 1
    assert shapes == [(3, 268, 182)]


def test_a_profile_tells_where_each_node_ran(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "probe")
    session = onnxruntime.InferenceSession(PATH, options, providers=["CPUExecutionProvider"])
    session.run(None, {"image": np.zeros((1, 268, 182, 3), np.uint8)})
    placed = gpu.placements(Path(session.end_profiling()))
    assert {provider for _, provider in placed} == {"CPUExecutionProvider"}
    assert sum("Conv" in name for name, _ in placed) == 36


@pytest.mark.slow
def test_int8_files_answer_the_same_with_a_gpu_s_options(tmp_path: Path) -> None:
    """The options are the session's own, whatever its provider: here the processor's."""
    options = gpu.gpu_options(onnxruntime, Request(b"", (268, 182), threads=1))
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "probe")
    session = onnxruntime.InferenceSession(PATH, options, providers=["CPUExecutionProvider"])
    batch = np.random.default_rng(0).integers(0, 256, (4, 268, 182, 3), dtype=np.uint8)
    (given,) = session.run(None, {"image": batch})
    with Classifier(device="cpu") as classifier:
        assert np.abs(given - classifier.predict(batch)).max() < 0.1
    names = [name for name, _ in gpu.placements(Path(session.end_profiling()))]
    assert names.count("Conv") == 36  # in float32, for which a GPU has kernels
    assert "QLinearConv" not in names
