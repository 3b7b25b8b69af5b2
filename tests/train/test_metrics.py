"""Measures against their definitions and against what is known of constant answers."""

import numpy as np
import pytest
from sklearn import metrics as sk

from genre_train import metrics
from genre_train.calibrate import fit_calibration

GENRES = ["Comedy", "Drama", "Horror", "News"]


def sample(seed: int = 0, posters: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.random((posters, 4)) < [0.3, 0.5, 0.2, 0.02]
    logits = generator.normal(0, 1, labels.shape) + 1.5 * labels - 1
    domains = np.where(np.arange(posters) < posters // 2, "a", "b")
    return 1 / (1 + np.exp(-logits)), labels, domains


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """The definition: the mean over positives of the precision at their rank (no ties)."""
    order = np.argsort(-scores)
    hits = truth[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def test_macro_measures_are_over_supported_genres() -> None:
    probabilities, labels, domains = sample()
    rows = metrics.by_domain(probabilities, labels, domains, np.full(4, 0.5))
    for domain in ("a", "b"):
        chosen = domains == domain
        assert rows[domain]["genres"] == 3  # News has too few
        expected = [
            average_precision(labels[chosen, i], probabilities[chosen, i]) for i in (0, 1, 2)
        ]
        assert rows[domain]["macro_ap"] == pytest.approx(np.mean(expected))
    mean = (rows["a"]["macro_ap"] + rows["b"]["macro_ap"]) / 2
    assert rows[metrics.MEAN]["macro_ap"] == pytest.approx(mean)
    assert metrics.headline(probabilities, labels, domains)["macro_ap"] == pytest.approx(mean)
    assert rows[metrics.POOLED]["posters"] == 400


def test_constant_answers_score_what_arithmetic_says() -> None:
    _, labels, _ = sample()
    half = np.full(4, 0.5)
    scores = {
        name: metrics.measure(answer, labels, half)
        for name, answer in metrics.constant_baselines(GENRES, len(labels)).items()
    }
    prevalence = labels[:, :3].mean(axis=0).mean()
    for row in scores.values():
        assert row["macro_auc"] == pytest.approx(0.5)
        assert row["macro_ap"] == pytest.approx(prevalence)
    assert scores["nothing"]["micro_f1"] == 0
    assert scores["nothing"]["accuracy_multi"] == pytest.approx(1 - labels.mean())
    assert scores["everything"]["micro_f1"] == pytest.approx(
        2 * labels.mean() / (1 + labels.mean())
    )
    assert scores["always Drama"]["named_precision"] == pytest.approx(labels[:, 1].mean())


def test_a_perfect_answer_scores_perfectly() -> None:
    _, labels, _ = sample()
    row = metrics.measure(labels.astype(float), labels, np.full(4, 0.5))
    for name in ("macro_ap", "macro_auc", "macro_f1", "micro_ap", "micro_f1", "accuracy_multi"):
        assert row[name] == pytest.approx(1)
    assert row["brier"] == row["calibration_error"] == 0


def test_f1_and_coverage_equal_scikit_learn_s() -> None:
    probabilities, labels, _ = sample()
    probabilities = probabilities.round(1)  # with ties
    row = metrics.measure(probabilities, labels, np.full(4, 0.6))
    named = probabilities >= 0.6
    f1 = {
        average: sk.f1_score(labels, named, average=average, zero_division=0)
        for average in ("micro", "samples")
    }
    f1["macro"] = sk.f1_score(labels[:, :3], named[:, :3], average="macro")
    for average, expected in f1.items():
        assert row[f"{average}_f1"] == pytest.approx(expected)
    assert row["coverage_error"] == pytest.approx(sk.coverage_error(labels, probabilities))


@pytest.mark.parametrize("columns", [[0], [0, 3]])  # one genre; one supported genre
def test_a_single_genre_is_measured_as_one_of_many(columns: list[int]) -> None:
    probabilities, labels, domains = sample()
    probabilities, labels = probabilities[:, columns], labels[:, columns]
    row = metrics.measure(probabilities, labels, np.full(len(columns), 0.5))
    truth, scores = labels[:, 0], probabilities[:, 0]
    assert row["genres"] == 1
    assert row["macro_f1"] == pytest.approx(sk.f1_score(truth, scores >= 0.5))
    assert row["macro_ap"] == pytest.approx(average_precision(truth, scores))
    assert row["macro_auc"] == pytest.approx(sk.roc_auc_score(truth, scores))
    if len(columns) == 1:
        assert row["micro_f1"] == row["macro_f1"]
        assert row["samples_f1"] == pytest.approx((truth & (scores >= 0.5)).mean())
        assert row["ranking_ap"] == 1
        assert row["coverage_error"] == pytest.approx(truth.mean())
        rows = metrics.by_domain(probabilities, labels, domains, np.array([0.5]))
        assert np.isfinite(list(rows[metrics.MEAN].values())).all()
        assert metrics.headline(probabilities, labels, domains)["macro_ap"] > 0.5


def test_calibration_error_of_a_known_gap() -> None:
    truth = np.arange(3000) % 10 < 3  # 30 % true
    assert metrics.calibration_error(np.full(3000, 0.5), truth) == pytest.approx(0.2, abs=0.01)
    assert metrics.calibration_error(np.full(3000, 0.3), truth) == pytest.approx(0.0, abs=0.01)


def test_never_named_genres_are_never_named() -> None:
    row = metrics.threshold_row({"Comedy": 0.2, "Drama": None}, ["Drama", "Comedy"])
    assert (np.ones((2, 2)) >= row).tolist() == [[False, True], [False, True]]


def test_calibration_corrects_and_keeps_the_order() -> None:
    generator = np.random.default_rng(0)
    true_logits = generator.normal(-1, 1.5, (4000, 2))
    labels = generator.random((4000, 2)) < 1 / (1 + np.exp(-true_logits))
    stated = true_logits * 3 + 2  # overconfident and shifted
    fitted = fit_calibration(stated, labels, ["A", "B"])
    for column, genre in enumerate(("A", "B")):
        slope, intercept = fitted[genre]
        assert slope == pytest.approx(1 / 3, rel=0.15)
        corrected = 1 / (1 + np.exp(-(stated[:, column] * slope + intercept)))
        assert metrics.calibration_error(corrected, labels[:, column]) < 0.02
        plain = 1 / (1 + np.exp(-stated[:, column]))
        assert metrics.calibration_error(plain, labels[:, column]) > 0.1
        assert (np.argsort(corrected) == np.argsort(stated[:, column])).all()
    nothing = fit_calibration(stated, np.zeros_like(labels), ["A", "B"])
    assert nothing == {"A": (1.0, 0.0), "B": (1.0, 0.0)}


def test_the_mean_of_the_first_two_domains_stands_beside_that_of_three() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random((300, 2)) < 0.4
    probabilities = generator.random((300, 2)) * 0.5 + labels * 0.3
    domains = np.repeat(["kaggle", "kgp", "tmdb"], 100)
    rows = metrics.by_domain(probabilities, labels, domains, np.full(2, 0.5))
    assert list(rows) == ["kaggle", "kgp", "tmdb", metrics.MEAN, metrics.EARLIER_MEAN, "pooled"]
    two = (rows["kaggle"]["macro_ap"] + rows["kgp"]["macro_ap"]) / 2
    assert rows[metrics.EARLIER_MEAN]["macro_ap"] == pytest.approx(two)
    three = (2 * two + rows["tmdb"]["macro_ap"]) / 3
    assert rows[metrics.MEAN]["macro_ap"] == pytest.approx(three)
    assert rows[metrics.EARLIER_MEAN]["posters"] == 200
    first = domains != "tmdb"
    rows = metrics.by_domain(probabilities[first], labels[first], domains[first], np.full(2, 0.5))
    assert metrics.EARLIER_MEAN not in rows  # it is the mean itself
