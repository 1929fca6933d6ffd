"""Familiar and strange vectors, told apart without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import FileError
from medmodel.evaluation.ood.detector import FILE_NAME, OodDetector
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.evaluation.ood.vectors import COPY_SIDE, DEPTHS, WIDTH
from tests.evaluation.ood.drawn_vectors import FEATURES, drawn


def test_new_pictures_of_the_kind_are_familiar(reference: OodDetector) -> None:
    kept = reference.distances(drawn(400, 3)) <= reference.threshold
    assert 0.88 < kept.mean() <= 1


def test_strange_ones_are_not_at_whichever_depth(reference: OodDetector) -> None:
    edges = np.cumsum([0, *DEPTHS, COPY_SIDE**2])
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
    one_pixel = reference.compare(numbers, [ImageTraits(1, 0)])[0]
    assert one_pixel.facts == [
        "It is only 1 pixel wide or high; all training images have 100 or more."
    ]
    half = reference.compare(numbers, [ImageTraits(50, 0)])[0]
    assert half.facts == []
    assert colour.facts == ["It is in colour; the training images are grey."]


def test_kept_on_disk(reference: OodDetector, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
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
    with pytest.raises(FileError, match="damaged"):
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
        {"class_means": np.zeros((2, 1))},
        {"class_means": np.zeros((0, WIDTH))},
        {"class_scale": np.full(WIDTH, np.nan)},
        {"size": "large"},
        {"units": 0},
        {"cross_fitted": -1},
        {"cross_fitted": 10**6},
    ],
)
def test_arrays_that_do_not_belong_together_are_damage(
    reference: OodDetector, tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / FILE_NAME
    reference.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, **changes})
    with pytest.raises(FileError, match=r"reference\.npz .* is damaged"):
        OodDetector.load(path)


@pytest.mark.parametrize("name", ["class_means", "class_scale", "units"])
def test_half_of_what_belongs_together_is_damage(
    reference: OodDetector, tmp_path: Path, name: str
) -> None:
    path = tmp_path / FILE_NAME
    reference.save(path)
    with np.load(path) as file:
        arrays = {other: file[other] for other in file if other != name}
    np.savez(path, **arrays)
    with pytest.raises(FileError, match=r"reference\.npz .* is damaged"):
        OodDetector.load(path)


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
    half = replace(
        reference, cross_fitted=20, units=40, judged=np.arange(40, dtype=np.float32)
    )
    # Twenty validation images, and twenty training images that count half.
    assert half.share_beyond == (1, 30)
    one = replace(reference, units=1).basis
    assert (one.low, one.high) == pytest.approx((0.025, 0.975))


def test_files_of_earlier_versions(reference: OodDetector, tmp_path: Path) -> None:
    """Their smallest side was that of some two dozen images, no more."""
    path = tmp_path / FILE_NAME
    reference.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    for name in ("class_means", "class_scale"):
        del arrays[name]
    np.savez(path, **arrays)
    between = OodDetector.load(path)
    assert between.distances(drawn(5, 6)) == pytest.approx(
        reference.distances(drawn(5, 6)), abs=1e-4
    )
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


def test_without_neighbours_all_else_is_the_same(reference: OodDetector) -> None:
    vectors = drawn(5, 7)
    whole, bare = (reference.compare(vectors, [], n) for n in (True, False))
    assert [replace(result, neighbours=[]) for result in whole] == bare
    distances = reference.distances(vectors).tolist()
    assert [result.distance for result in bare] == pytest.approx(distances)
    assert len(whole[0].neighbours) == 6
