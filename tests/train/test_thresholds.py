"""Thresholds against their definitions, searched by brute force."""

import numpy as np
import pytest

from genre_train.thresholds import FEWEST_NAMED, MODES, RULES, best_f1, fit_thresholds


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
    fitted = fit_thresholds(scores[:, None], truth[:, None], ["Drama"], best_f1)
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
    fitted = fit_thresholds(scores[:, None], truth[:, None], ["Drama"], best_f1)
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


def several(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random((400, 4)) < [0.5, 0.3, 0.1, 0.05]
    return np.clip(generator.normal(0.2 + 0.3 * truth, 0.2), 0.001, 0.999), truth


def samples_f1(named: np.ndarray, truth: np.ndarray) -> float:
    both = named.sum(axis=1) + truth.sum(axis=1)
    return float((2 * (named & truth).sum(axis=1) / np.maximum(both, 1)).mean())


@pytest.mark.parametrize("seed", range(3))
def test_rules_do_what_they_say(seed: int) -> None:
    scores, truth = several(seed)
    named = {}
    for name, rule in RULES.items():
        fitted = fit_thresholds(scores, truth, list("ABCD"), rule)
        row = [np.inf if t is None else t for t in fitted["balanced"].values()]
        named[name] = scores >= np.array(row)
        for genre in "ABCD":
            precise, balanced, complete = (
                fitted[mode][genre] for mode in ("high-precision", "balanced", "high-recall")
            )
            assert complete is not None
            assert balanced is None or complete <= balanced
            assert precise is None or (balanced is not None and precise >= balanced)
    best = samples_f1(named["best F1 of a poster"], truth)
    assert all(best >= samples_f1(other, truth) - 1e-9 for other in named.values())
    shared = samples_f1(named["one threshold, best F1 of a poster"], truth)
    every = [samples_f1(scores >= t, truth) for t in np.arange(0.05, 0.95, 0.005)]
    assert shared == pytest.approx(max(every))
    half = named["at least half right"]
    right = (half & truth).sum(axis=0) / np.maximum(half.sum(axis=0), 1)
    assert (right[half.any(axis=0)] >= 0.5).all()
    counts = named["as often as it is there"].sum(axis=0)
    np.testing.assert_allclose(counts, truth.sum(axis=0), atol=1)
