"""The Python interface."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genre_infer import Classifier, GenreInferError, Limits, ModelError, Result
from genre_infer.posters import poster_pixels


@pytest.fixture(scope="module")
def packaged() -> Iterator[Classifier]:
    with Classifier(device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def classifier(toy: Path) -> Iterator[Classifier]:
    with Classifier(toy, device="cpu") as opened:
        yield opened


def test_it_says_what_it_is(packaged: Classifier) -> None:
    assert packaged.device == "cpu"
    assert packaged.provider == "CPUExecutionProvider"
    assert "Drama" in packaged.genres
    assert packaged.metadata.precision == "int8"
    assert set(packaged.thresholds) == set(packaged.genres)


def test_a_model_is_a_file_or_its_bytes(toy: Path, samples: list[Path]) -> None:
    data = toy.read_bytes()
    found = []
    for model in (toy, str(toy), data):
        with Classifier(model, device="cpu") as opened:
            assert opened.sha256 == hashlib.sha256(data).hexdigest()
            found.append(opened.classify(samples[0]))
    assert found[0] == found[1] == found[2]


def test_bytes_are_checked_as_a_file_is(toy: Path) -> None:
    data = toy.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    with Classifier(data, device="cpu", sha256=sha256) as opened:
        assert opened.sha256 == sha256
    with pytest.raises(ModelError, match=f"<bytes> is not the requested one.*{sha256}.*000"):
        Classifier(data, sha256="0" * 64)
    with pytest.raises(ModelError, match="<bytes>: The file is not an ONNX model"):
        Classifier(b"toy.onnx")
    with pytest.raises(ModelError, match="<bytes>: The file ends before the model does"):
        Classifier(data[:-1])


def test_one_expected_poster_opens_for_one(toy: Path) -> None:
    for posters, batch_size, expected in ((1, None, 1), (1, 3, 3), (2, None, 8), (None, None, 8)):
        options = {"batch_size": batch_size, "expected_posters": posters}
        with Classifier(toy, device="cpu", **options) as opened:
            assert (opened.batch_size, opened.decoders) == (expected, "threads")


def test_all_kinds_of_source_give_the_same(
    classifier: Classifier, poster: Callable[..., Image.Image], tmp_path: Path
) -> None:
    picture = poster(1, (300, 450))
    path = tmp_path / "poster.png"
    picture.save(path)
    sources = [path, str(path), path.read_bytes(), picture, np.asarray(picture)]
    results = [classifier.classify(source) for source in sources]
    assert [r.path for r in results] == [str(path), str(path), None, None, None]
    assert len({tuple((r.scores or {}).items()) for r in results}) == 1


def test_a_result_is_consistent(packaged: Classifier, samples: list[Path]) -> None:
    named = 0
    for result in packaged.classify_many(samples):
        assert result.ok
        assert result.error is None
        assert result.scores is not None
        assert list(result.scores) == list(packaged.genres)
        assert all(0 <= score <= 1 for score in result.scores.values())
        expected = {
            genre
            for genre, score in result.scores.items()
            if (t := packaged.thresholds[genre]) is not None and score >= t
        }
        assert {one.genre for one in result.genres} == expected
        probabilities = [one.probability for one in result.genres]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(one.probability == result.scores[one.genre] for one in result.genres)
        named += len(expected)
    assert named > len(samples)  # the model says something


def test_posters_differ(packaged: Classifier, samples: list[Path]) -> None:
    scores = {tuple((r.scores or {}).values()) for r in packaged.classify_many(samples)}
    assert len(scores) == len(samples)


def test_many_is_lazy_ordered_and_the_same_as_one(
    classifier: Classifier, poster: Callable[..., Image.Image]
) -> None:
    taken: list[int] = []
    posters = [poster(seed) for seed in range(40)]

    def source() -> Iterator[Image.Image]:
        for seed, picture in enumerate(posters):
            taken.append(seed)
            yield picture

    results = classifier.classify_many(source())
    assert taken == []
    first = next(results)
    assert len(taken) < 40
    rest = list(results)
    assert [first, *rest] == [classifier.classify(picture) for picture in posters]


def test_leaving_the_loop_stops_the_threads(
    classifier: Classifier, poster: Callable[..., Image.Image]
) -> None:
    results = classifier.classify_many(poster(0) for _ in range(1000))
    next(results)
    results.close()
    for thread in threading.enumerate():
        if thread.name.startswith("genre-infer-"):
            thread.join(5)
            assert not thread.is_alive()


def test_a_bad_poster_among_good_ones_is_a_row(
    classifier: Classifier, poster: Callable[..., Image.Image]
) -> None:
    good = [poster(1), poster(2)]
    results = list(classifier.classify_many([good[0], b"no picture", good[1]]))
    assert [r.status for r in results] == ["ok", "not-an-image", "ok"]
    bad = results[1]
    assert (bad.genres, bad.scores, bad.ok) == ((), None, False)
    assert bad.error
    assert [results[0], results[2]] == [classifier.classify(picture) for picture in good]


def test_a_source_of_another_type_is_a_mistake_not_a_row(classifier: Classifier) -> None:
    with pytest.raises(TypeError):
        classifier.classify(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        list(classifier.classify_many([7]))  # type: ignore[list-item]


def test_predict_takes_any_size_and_agrees_with_the_host_s_resize(
    packaged: Classifier, poster: Callable[..., Image.Image]
) -> None:
    pictures = [np.asarray(poster(seed, (400, 600))) for seed in range(4)]
    in_graph = packaged.predict(np.stack(pictures))
    assert in_graph.shape == (4, len(packaged.genres))
    assert in_graph.dtype == np.float32
    width, height = packaged.metadata.width, packaged.metadata.height
    shrunk = np.stack([poster_pixels(p, width, height, Limits()) for p in pictures])
    on_host = packaged.predict(shrunk)
    # One level of rounding here and there, quantized: close, not equal, on any processor.
    assert np.abs(in_graph - on_host).max() < 0.1
    assert packaged.predict(shrunk[:0]).shape == (0, len(packaged.genres))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (91, 134), (2000, 60)])
def test_predict_survives_odd_sizes(packaged: Classifier, size: tuple[int, int]) -> None:
    probabilities = packaged.predict(np.full((2, *size, 3), 120, np.uint8))
    assert np.isfinite(probabilities).all()
    assert np.array_equal(probabilities[0], probabilities[1])


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((2, 268, 182, 3), np.float32),
        np.zeros((268, 182, 3), np.uint8),
        np.zeros((2, 3, 268, 182), np.uint8),
        np.zeros((2, 0, 182, 3), np.uint8),
    ],
)
def test_predict_refuses_other_arrays(classifier: Classifier, batch: np.ndarray) -> None:
    with pytest.raises(TypeError, match="uint8"):
        classifier.predict(batch)


def test_threshold_top_and_mode(toy: Path, samples: list[Path]) -> None:
    with Classifier(toy, device="cpu", threshold=0.0, top=3) as everything:
        result = everything.classify(samples[0])
        assert len(result.genres) == 3
        assert result.genres[0].probability == max((result.scores or {}).values())
    with Classifier(toy, device="cpu", threshold=1.0) as nothing:
        assert nothing.classify(samples[0]).genres == ()
    with Classifier(toy, device="cpu", mode="high-recall") as recall:
        with Classifier(toy, device="cpu", mode="high-precision") as precision:
            many = sum(len(r.genres) for r in recall.classify_many(samples))
            few = sum(len(r.genres) for r in precision.classify_many(samples))
        assert few < many
    with pytest.raises(GenreInferError, match="balanced, high-precision, high-recall"):
        Classifier(toy, device="cpu", mode="none")


@pytest.mark.parametrize(
    "options", [{"threshold": 1.5}, {"top": 0}, {"threads": 0}, {"batch_size": 0}]
)
def test_settings_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Classifier(**options)  # type: ignore[arg-type]


def test_safe_from_many_threads(classifier: Classifier, poster: Callable[..., Image.Image]) -> None:
    posters = [poster(seed) for seed in range(24)]
    expected = [classifier.classify(picture) for picture in posters]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(classifier.classify, posters)) == expected


def test_a_closed_classifier_raises(toy: Path, samples: list[Path]) -> None:
    with Classifier(toy, device="cpu") as classifier:
        pass
    with pytest.raises(GenreInferError, match="closed"):
        classifier.classify(samples[0])


def test_usable_from_asyncio(classifier: Classifier, samples: list[Path]) -> None:
    async def work() -> list[Result]:
        tasks = [asyncio.to_thread(classifier.classify, path) for path in samples[:3]]
        return await asyncio.gather(*tasks)

    assert [r.path for r in asyncio.run(work())] == [str(path) for path in samples[:3]]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 2}, {"batch_size": 3}])
def test_scores_do_not_depend_on_threads_or_batches(
    packaged: Classifier, options: dict[str, int], samples: list[Path]
) -> None:
    expected = list(packaged.classify_many(samples))
    with Classifier(device="cpu", **options) as other:  # type: ignore[arg-type]
        assert list(other.classify_many(reversed(samples)))[::-1] == expected


def test_exact_decodes_large_jpegs_in_full(
    packaged: Classifier, poster: Callable[..., Image.Image], tmp_path: Path
) -> None:
    small, large = tmp_path / "small.jpg", tmp_path / "large.jpg"
    poster(5).save(small)
    poster(5, (2000, 3000)).save(large)
    with Classifier(device="cpu", exact=True) as exact:
        assert exact.classify(small) == packaged.classify(small)
        full, draft = exact.classify(large).scores, packaged.classify(large).scores
    assert full is not None
    assert draft is not None
    assert full != draft
    # One drawn poster, int8; `genre-bench draft` measures a test set of large posters.
    assert max(abs(full[genre] - draft[genre]) for genre in full) < 0.1


def test_a_changed_packaged_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genre_infer import model_file

    data = bytearray(model_file.PACKAGED_PATH.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "genre-infer.onnx"
    changed.write_bytes(data)
    monkeypatch.setattr(model_file, "PACKAGED_PATH", changed)
    with pytest.raises(ModelError, match="Reinstall"):
        Classifier(device="cpu")


def test_packaged_constants_are_the_model_s_own(packaged: Classifier) -> None:
    from genre_infer import model_file

    assert packaged.sha256 == model_file.PACKAGED_SHA256
    assert packaged.metadata.name == model_file.PACKAGED_NAME
    assert packaged.metadata.version == model_file.PACKAGED_VERSION
    assert model_file.PACKAGED_PATH.stat().st_size <= 24_000_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "not an ONNX model"), (b"\xff" * 100, "not an ONNX model"), (b"text", "not an ONNX")],
)
def test_what_is_not_a_model_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        Classifier(path)
    with pytest.raises(ModelError, match="cannot be read"):
        Classifier(tmp_path / "missing.onnx")
