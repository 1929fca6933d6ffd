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
    assert small.unfamiliar
    assert small.facts == [
        "It is only 28 pixels wide or high; all training images have 100 or more."
    ]
    half = reference.compare(numbers, [ImageTraits(50, 0)])[0]
    assert half.facts == []
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


@pytest.mark.parametrize(
    "changes",
    [
        {"judged": []},
        {"centre": [0.0]},
        {"names": np.zeros(3, np.uint8)},
        {"names": np.array([255], np.uint8)},
        {"unit": np.nan},
        {"points": np.zeros((2, 1))},
        {"axes": np.zeros((1, 1))},
        {"size": "large"},
    ],
)
def test_arrays_that_do_not_belong_together_are_damage(
    reference: OodDetector, tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / ood.FILE_NAME
    reference.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, **changes})
    with pytest.raises(PredictionError, match=r"reference\.npz .* is damaged"):
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


def test_one_outlier_in_the_validation_images_lets_nothing_pass() -> None:
    """The threshold used to be the largest distance of up to 38 validation images."""
    training, validation = drawn(150, 1), drawn(30, 2)
    validation[0] += 40 * np.random.default_rng(9).normal(size=WIDTH)
    names = [(f"{i}", "x") for i in range(150)]
    origin = Origin(32, own=True, smallest=1, grey=False)
    found = ood.fit(training, validation, training[:, :FEATURES], names, origin)
    strange = drawn(50, 4) + np.random.default_rng(5).normal(size=(50, WIDTH))
    assert (found.distances(strange.astype(np.float32)) > found.threshold).all()
    refused = found.distances(drawn(400, 3)) > found.threshold
    assert 0.02 <= refused.mean() <= 0.08
    basis = found.basis
    assert (basis.validation, basis.training, basis.units) == (30, 150, 180)
    assert basis.low < 0.05 < basis.high and basis.enough


@pytest.mark.parametrize("count", [20, 40, 200])
def test_training_images_left_out_are_as_far_as_new_ones(count: int) -> None:
    training = drawn(count, 1)
    left_out = ood.cross_fitted_log_residuals(training, np.arange(count))
    names = [(f"{i}", "x") for i in range(count)]
    origin = Origin(32, own=True, smallest=1, grey=False)
    found = ood.fit(training, drawn(30, 2), training[:, :FEATURES], names, origin)
    new = ood._log_residuals(
        ood._standard(drawn(300, 3), found.mean, found.scale), found.axes
    )
    seen = ood._log_residuals(
        ood._standard(training, found.mean, found.scale), found.axes
    )
    assert left_out.shape == (count, 7)
    gap = np.abs(np.median(left_out, axis=0) - np.median(new, axis=0)).max()
    assert gap < 0.35
    if count < 100:
        assert gap < np.abs(np.median(seen, axis=0) - np.median(new, axis=0)).max() / 2


def test_images_of_a_patient_are_left_out_together() -> None:
    """One's other images would make it look familiar."""
    people = drawn(40, 1)
    rng = np.random.default_rng(8)
    training = np.repeat(people, 4, axis=0)
    training = training + 0.05 * rng.normal(size=training.shape).astype(np.float32)
    patients = np.repeat(np.arange(40), 4)
    together = ood.cross_fitted_log_residuals(training, patients)
    apart = ood.cross_fitted_log_residuals(training, np.arange(160))
    assert (np.median(together, axis=0) > np.median(apart, axis=0) + 0.5).all()


def test_how_well_a_threshold_is_known(reference: OodDetector) -> None:
    """Of 39 the 38th: the share beyond is Beta(2, 38); by hand at its ends."""
    few = replace(
        reference, cross_fitted=0, units=39, judged=np.arange(39, dtype=np.float32)
    )
    for share, tail in ((few.basis.low, 0.975), (few.basis.high, 0.025)):
        at_most_one = (1 - share) ** 39 + 39 * share * (1 - share) ** 38
        assert at_most_one == pytest.approx(tail)
    assert (few.basis.validation, few.basis.training) == (39, 0)
    assert reference.basis.high < few.basis.high
    one = replace(reference, units=1).basis
    assert (one.low, one.high) == pytest.approx((0.025, 0.975))


def test_files_of_earlier_versions(reference: OodDetector, tmp_path: Path) -> None:
    """Their smallest side was that of some two dozen images, no more."""
    path = tmp_path / ood.FILE_NAME
    reference.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    for name in ("cross_fitted", "units"):
        del arrays[name]
    arrays["judged"] = arrays["judged"][:20]
    np.savez(path, **arrays)
    older = OodDetector.load(path)
    assert older.threshold == arrays["judged"][19]
    assert (older.basis.validation, older.basis.training) == (20, 0)
    assert not older.basis.enough
    (said,) = older.compare(drawn(200, 1)[:1], [ImageTraits(3, 40)])
    assert said.facts == [
        "It is in colour; the training images that were looked at are grey."
    ]


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
