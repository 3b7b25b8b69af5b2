"""The baseline: fastai's Learner and the compiled network compute what the checkpoint does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.mark.slow
def test_the_baseline_is_the_checkpoint(
    checkpoint: Path, poster: Callable[..., Image.Image], tmp_path: Path
) -> None:
    from genre_bench.baseline import FastaiBaseline, TorchNetwork
    from genre_train.checkpoint import predict_logits, read_checkpoint

    files = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, file in enumerate(files):
        poster(seed, (64, 96)).save(file)
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    logits = predict_logits(read_checkpoint(checkpoint).network, pixels)
    expected = 1 / (1 + np.exp(-logits))
    learner = FastaiBaseline(checkpoint, files)
    for workers in (0, 1):
        assert learner.get_preds(files, workers) == pytest.approx(expected, abs=1e-5)
    assert learner.predict(files[1]) == pytest.approx(expected[1], abs=1e-5)
    network = TorchNetwork(checkpoint, "cpu", compiled=False)  # in bfloat16
    assert network.run(pixels) == pytest.approx(logits, abs=0.05 * float(np.abs(logits).max()))
