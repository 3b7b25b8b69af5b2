"""Bootstrap intervals: as scikit-learn would compute them, and resampled by film."""

import numpy as np
import pytest
from by_hand import make_predictions
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from genre_train import intervals, metrics
from genre_train.metrics import MEAN
from genre_train.predictions import Predictions


@pytest.mark.parametrize("decimals", [1, 2, 7])
def test_ranking_equals_scikit_learn_with_ties_as_well(decimals: int) -> None:
    generator = np.random.default_rng(decimals)
    truth = generator.random(150) < 0.2
    scores = np.round(generator.random(150) * 0.7 + truth * 0.3, decimals).astype(np.float32)
    counts = intervals.resample(np.arange(150), 20, 100 + decimals)
    ap, auc = intervals.ranking(scores, truth, counts)
    for row, count in enumerate(counts.astype(int)):
        drawn = np.repeat(np.arange(150), count)
        assert ap[row] == pytest.approx(average_precision_score(truth[drawn], scores[drawn]))
        assert auc[row] == pytest.approx(roc_auc_score(truth[drawn], scores[drawn]))


def test_all_measures_equal_those_of_explicit_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    p = make_predictions()
    films = np.minimum(np.arange(300) // 2, 100)  # most have two posters, one has a hundred
    counts = intervals.resample(films, 10, 1)
    found = intervals.measures(p.probabilities, p.labels, p.thresholds["balanced"], counts)
    columns = metrics.supported(p.labels)
    assert columns.tolist() == [0, 1, 2]
    monkeypatch.setattr(metrics, "supported", lambda _: columns)  # those of the posters themselves
    for row, count in enumerate(counts.astype(int)):
        drawn = np.repeat(np.arange(300), count)
        expected = metrics.measure(
            p.probabilities[drawn], p.labels[drawn], p.thresholds["balanced"]
        )
        for measure in intervals.MEASURES:
            assert found[measure][row] == pytest.approx(expected[measure], abs=1e-6), measure


def test_intervals_hold_their_values_and_depend_on_the_seed() -> None:
    p = make_predictions()
    resampled = intervals.bootstrap(p, "balanced", 300)
    rows = intervals.interval_rows(p, resampled, "balanced")
    assert len(rows) == 1 + 2 * len(intervals.MEASURES)
    assert (rows[0]["domain"], rows[0]["measure"]) == (MEAN, "macro_ap")
    for row in rows:
        assert row["low"] < row["high"]
        if row["measure"] != "calibration_error":
            assert row["low"] < row["value"] < row["high"]
    again = intervals.bootstrap(p, "balanced", 300)
    other = intervals.bootstrap(p, "balanced", 300, seed=1)
    np.testing.assert_array_equal(resampled[MEAN]["macro_ap"], again[MEAN]["macro_ap"])
    assert (resampled[MEAN]["macro_ap"] != other[MEAN]["macro_ap"]).any()


def test_without_a_supported_genre_macro_intervals_are_nan() -> None:
    p = make_predictions()
    small = Predictions(**{**vars(p), **_first(p, 40)})
    row = intervals.interval_rows(small, intervals.bootstrap(small, "balanced", 20), "balanced")[0]
    assert np.isnan([row["value"], row["low"], row["high"]]).all()


def _first(p: Predictions, posters: int) -> dict[str, NDArray[np.generic]]:
    names = ("imdb_ids", "domains", "labels", "probabilities")
    return {name: getattr(p, name)[:posters] for name in names}
