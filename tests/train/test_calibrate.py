"""Thresholds against their definitions, searched by brute force."""

import numpy as np
import pytest

from genre_train.calibrate import FEWEST_NAMED, MODES, fit_thresholds


def sample(seed: int, posters: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random(posters) < 0.3
    scores = np.clip(generator.normal(0.3 + 0.25 * truth, 0.15), 0, 1).round(2)  # with ties
    return scores, truth


def at(scores: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[float, float, float, int]:
    named = scores >= threshold
    hits = (named & truth).sum()
    f1 = 2 * hits / (named.sum() + truth.sum())
    return f1, (hits + 1) / (named.sum() + 2), hits / truth.sum(), int(named.sum())


@pytest.mark.parametrize("seed", range(5))
def test_each_mode_is_what_it_says(seed: int) -> None:
    scores, truth = sample(seed)
    fitted = fit_thresholds(scores[:, None], truth[:, None], ["Drama"])
    assert list(fitted) == list(MODES)
    every = [at(scores, truth, t) for t in np.linspace(0, 1, 1001)]

    balanced = fitted["balanced"]["Drama"]
    assert balanced is not None
    assert at(scores, truth, balanced)[0] == pytest.approx(max(f1 for f1, *_ in every))

    precise = fitted["high-precision"]["Drama"]
    good = [named for _, precision, _, named in every if precision >= 0.8 and named >= FEWEST_NAMED]
    if precise is None:
        assert not good
    else:
        _, precision, _, named = at(scores, truth, precise)
        if precise > balanced:  # else balanced is precise enough, and modes are nested
            assert precision >= 0.8
            assert named == max(good)
        else:
            assert precise == balanced
            assert max(good) >= named

    complete = fitted["high-recall"]["Drama"]
    assert complete is not None
    _, _, recall, named = at(scores, truth, complete)
    assert recall >= 0.9
    if complete < balanced:
        assert named == min(n for _, _, r, n in every if r >= 0.9)
    else:
        assert complete == balanced


@pytest.mark.parametrize(("spread", "share"), [(0.02, 0.5), (0.15, 0.3), (0.4, 0.9)])
def test_modes_are_nested(spread: float, share: float) -> None:
    generator = np.random.default_rng(1)
    truth = generator.random(400) < share
    scores = np.clip(generator.normal(0.3 + 0.3 * truth, spread), 0, 1)
    fitted = fit_thresholds(scores[:, None], truth[:, None], ["Drama"])
    precise, balanced, complete = (
        fitted[mode]["Drama"] for mode in ("high-precision", "balanced", "high-recall")
    )
    assert balanced is not None
    assert complete is not None
    assert complete <= balanced
    assert precise is None or precise >= balanced
    separable = spread == 0.02
    if separable or share == 0.9:
        assert precise == balanced  # precise enough already


def test_a_genre_that_is_never_right_is_never_named_with_high_precision() -> None:
    generator = np.random.default_rng(0)
    scores, truth = generator.random(500), generator.random(500) < 0.1
    assert fit_thresholds(scores[:, None], truth[:, None], ["A"])["high-precision"]["A"] is None


def test_too_few_posters_give_no_threshold() -> None:
    scores = np.linspace(0, 1, 200)
    truth = scores > scores[-10]
    assert truth.sum() == 9
    assert set(fit_thresholds(scores[:, None], truth[:, None], ["A"])["balanced"].values()) == {
        None
    }
