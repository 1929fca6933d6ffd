"""Familiar and strange numbers, told apart without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import PredictionError
from medmodel.evaluation import ood
from medmodel.evaluation.ood import WIDTH, ImageTraits, OodDetector, Origin

FEATURES = sum(ood.DEPTHS)


def drawn(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Numbers that vary in five directions, and a little in all others."""
    mixing = np.random.default_rng(0).normal(size=(5, WIDTH))
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(count, 5)) @ mixing
    return (common + 0.3 * rng.normal(size=common.shape) + shift).astype(np.float32)


@pytest.fixture(scope="module")
def reference() -> OodDetector:
    training = drawn(200, 1)
    names = [(f"a/{i} ü.png", "ill" if i % 2 else "well") for i in range(200)]
    origin = Origin(32, own=True, smallest=100, grey=True)
    points = training[:, :FEATURES]
    return ood.fit(training, drawn(100, 2), points, names, origin)


def test_new_pictures_of_the_kind_are_familiar(reference: OodDetector) -> None:
    kept = reference.distances(drawn(400, 3)) <= reference.threshold
    assert 0.88 < kept.mean() <= 1


def test_strange_ones_are_not_at_whichever_depth(reference: OodDetector) -> None:
    edges = np.cumsum([0, *ood.DEPTHS, ood.COPY_SIDE**2])
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        strange = drawn(20, 4)
        rng = np.random.default_rng(5)
        strange[:, start:end] += 5 * rng.normal(size=(20, end - start))
        assert (reference.distances(strange) > reference.threshold).all()


def test_a_picture_finds_itself(reference: OodDetector) -> None:
    rows, distances = reference.nearest(drawn(200, 1)[[7, 30], :FEATURES], 3)
    assert rows[:, 0].tolist() == [7, 30]
    assert distances[:, 0] == pytest.approx([0, 0], abs=1e-3)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_neighbours_by_hand() -> None:
    points = np.array([[0, 0], [3, 4], [6, 8]], np.float32)
    rows, distances = ood.nearest_neighbours(points, np.zeros((1, 2), np.float32), 5, 9)
    assert rows.tolist() == [[0, 1, 2]]
    assert distances.tolist() == [[0, 1, 2]]


def test_what_is_said(reference: OodDetector) -> None:
    numbers = drawn(200, 1)[:1]
    usual, small, colour = (
        reference.compare(numbers, [facts])[0]
        for facts in (ImageTraits(100, 3), ImageTraits(28, 0), ImageTraits(300, 40))
    )
    assert not usual.unfamiliar and usual.facts == []
    first = usual.neighbours[0]
    assert (first.path, first.label) == ("a/0 ü.png", "well")
    assert small.unfamiliar and "28 pixels" in small.facts[0]
    assert colour.facts == ["It is in colour; the training images are grey."]


def test_kept_on_disk(reference: OodDetector, tmp_path: Path) -> None:
    path = tmp_path / ood.FILE_NAME
    reference.save(path)
    again = OodDetector.load(path)
    numbers = drawn(30, 6)
    np.testing.assert_allclose(again.distances(numbers), reference.distances(numbers))
    assert again.threshold == reference.threshold
    facts = [ImageTraits(200, 0)] * 30
    paths = [
        [near.path for near in f.neighbours] for f in again.compare(numbers, facts)
    ]
    assert all(len(found) == 6 for found in paths)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(PredictionError, match="damaged"):
        OodDetector.load(path)


def test_very_few_images() -> None:
    training = drawn(2, 1)
    origin = Origin(32, own=False, smallest=0, grey=False)
    names = [("a", "x"), ("b", "y")]
    found = ood.fit(training, drawn(1, 2), training[:, :FEATURES], names, origin)
    (said,) = found.compare(drawn(1, 3), [])
    assert len(said.neighbours) == 2
    assert np.isfinite(found.distances(drawn(5, 4))).all()


def test_the_copy_knows_left_from_right() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = 200
    numbers = ood.ood_vectors(np.zeros((1, FEATURES)), picture[None])
    copy = numbers[0, FEATURES:].reshape(16, 16)
    assert copy[:, :8] == pytest.approx(200)
    assert copy[:, 8:] == pytest.approx(0)


def test_facts_of_a_picture() -> None:
    picture = np.zeros((50, 80, 3), np.uint8)
    assert ood.image_traits(picture) == ImageTraits(50, 0)
    picture[..., 0] = 90
    assert ood.image_traits(picture) == ImageTraits(50, 90)
    assert ood.image_traits(picture[..., :1]) == ImageTraits(50, 0)


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (19, 19), (20, 20), (39, 38)])
def test_threshold_has_the_rank_of_a_conformal_one(
    reference: OodDetector, count: int, rank: int
) -> None:
    distances = np.arange(1, count + 1, dtype=np.float32)
    assert replace(reference, judged=distances).threshold == rank


def test_a_number_that_never_varied_in_training_decides_nothing() -> None:
    training, validation, asked = drawn(60, 1), drawn(30, 2), drawn(5, 3)
    for numbers in (training, validation, asked):
        numbers[:, 10] = 0.5
    names = [(f"{i}", "x") for i in range(60)]
    origin = Origin(32, own=True, smallest=1, grey=False)
    found = ood.fit(training, validation, training[:, :FEATURES], names, origin)
    nudged = asked.copy()
    nudged[:, 10] += 1e-3
    assert found.distances(nudged) == pytest.approx(found.distances(asked), abs=1e-3)


def test_neighbours_ascend_where_the_matrix_product_loses_digits() -> None:
    places = np.random.default_rng(0).permutation(20)
    points = (1000 + 0.01 * places[:, None]).astype(np.float32)
    asked = np.full((1, 1), 1000, np.float32)
    rows, distances = ood.nearest_neighbours(points, asked, 2.0, 20)
    assert places[rows[0]].tolist() == list(range(20))
    assert distances[0] == pytest.approx(0.005 * np.arange(20), abs=1e-4)
