from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from medmodel.benchmark.copies import TRANSFORMATIONS
from medmodel.data import datasets
from medmodel.data.synthetic import write_phantoms
from medmodel.quality import near_duplicates
from medmodel.quality.turns import Turn, comparable_hashes, turned_hashes


def drawn_hashes(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.rint(127 * vectors).astype(np.int8)


def moved(hashes: np.ndarray, distance: float) -> np.ndarray:
    """Hashes of length 1 at a distance from others."""
    rng = np.random.default_rng(9)
    ones = hashes / np.linalg.norm(hashes, axis=1, keepdims=True)
    aside = rng.normal(size=hashes.shape)
    aside -= (aside * ones).sum(axis=1, keepdims=True) * ones
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    angle = 2 * np.arcsin(distance / 2)
    return np.rint(127 * (np.cos(angle) * ones + np.sin(angle) * aside)).astype(np.int8)


def test_planted_pairs_are_found_among_many() -> None:
    """More images than are compared with all others."""
    hashes = drawn_hashes(8_000)
    hashes[5_000:5_200] = moved(hashes[:200], 0.3)
    assert len(hashes) / near_duplicates.CELL > near_duplicates.PROBES
    pairs = near_duplicates.near_pairs(hashes)
    wanted = {(number, 5_000 + number) for number in range(200)}
    assert len(wanted & set(map(tuple, pairs.tolist()))) >= 198


@pytest.mark.parametrize(("distance", "near"), [(0.44, True), (0.46, False)])
def test_pairs_within_the_radius_the_nearest_first(distance: float, near: bool) -> None:
    hashes = drawn_hashes(300)
    hashes[100] = moved(hashes[:1], distance)[0]
    hashes[200] = moved(hashes[1:2], 0.1)[0]
    pairs = near_duplicates.near_pairs(hashes).tolist()
    assert pairs == ([[1, 200], [0, 100]] if near else [[1, 200]])


def test_each_image_has_its_nearest_neighbours_only() -> None:
    hashes = np.repeat(drawn_hashes(1), 100, axis=0)
    pairs = near_duplicates.near_pairs(hashes)
    assert len(pairs) <= 100 * near_duplicates.NEIGHBOURS
    assert set(pairs.ravel().tolist()) == set(range(100))


def test_pairs_of_one_file_take_no_place_of_others() -> None:
    hashes = np.repeat(drawn_hashes(1), 41, axis=0)
    hashes[40] = moved(hashes[:1], 0.2)[0]
    files = np.repeat([7, 3], [40, 1])
    pairs = near_duplicates.near_pairs(hashes, files)
    assert sorted(pairs.tolist()) == [[row, 40] for row in range(40)]


def test_images_that_show_nothing_are_no_pair() -> None:
    hashes = drawn_hashes(6)
    hashes[[1, 3]] = 0
    hashes[5] = hashes[2]
    assert near_duplicates.near_pairs(hashes).tolist() == [[2, 5]]


def test_many_alike_stay_bounded() -> None:
    """Of too many pairs the nearest are suggested."""
    hashes = drawn_hashes(400)
    hashes[200:] = moved(hashes[:200], 0.4)
    hashes[200:230] = moved(hashes[:30], 0.05)
    pairs = near_duplicates.near_pairs(hashes, most=50)
    assert len(pairs) == 50
    assert {(n, 200 + n) for n in range(30)} <= set(map(tuple, pairs.tolist()))


def test_a_pair_counts_once_however_its_two_distances_are_rounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each image of a pair asks for the other: a product may round them apart."""
    neighbours = near_duplicates._neighbours

    def rounded_apart(*args: Any) -> Any:
        left, right, distance = neighbours(*args)
        return left, right, distance + np.where(left > right, 1e-3, 0.0)

    monkeypatch.setattr(near_duplicates, "_neighbours", rounded_apart)
    hashes = drawn_hashes(100)
    hashes[50:] = moved(hashes[:50], 0.3)
    hashes[50:70] = moved(hashes[:20], 0.05)
    pairs = near_duplicates.near_pairs(hashes, most=30).tolist()
    assert len(pairs) == 30 == len(set(map(tuple, pairs)))
    assert {(n, 50 + n) for n in range(20)} == set(map(tuple, pairs[:20]))
    every = near_duplicates.near_pairs(hashes).tolist()
    assert sorted(every) == [[n, 50 + n] for n in range(50)]


def test_none_and_one() -> None:
    assert near_duplicates.near_pairs(np.zeros((0, 32), np.int8)).shape == (0, 2)
    assert near_duplicates.near_pairs(drawn_hashes(1)).shape == (0, 2)
    assert near_duplicates.near_pairs(np.zeros((3, 32), np.int8)).shape == (0, 2)


def drawn_image(seed: int, size: int, dark: bool) -> Image.Image:
    """Grey blobs, on request within an ellipse on a ground that is nearly black."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 255, (9, 9), np.uint8))
    pixels = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), float)
    if dark:
        y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        pixels = np.where((x / 0.6) ** 2 + (y / 0.8) ** 2 < 1, pixels, 3)
        pixels += rng.integers(0, 3, pixels.shape)  # the noise of a scanner
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", TRANSFORMATIONS)
@pytest.mark.parametrize(("size", "dark"), [(256, True), (256, False), (64, True)])
def test_copies_are_found_at_another_size_and_label(
    tmp_path: Path, kind: str, size: int, dark: bool
) -> None:
    for number in range(6):
        image = drawn_image(number, size, dark)
        for label, version in (("a", image), ("b", TRANSFORMATIONS[kind](image))):
            (tmp_path / label).mkdir(exist_ok=True)
            version.save(tmp_path / label / f"{number}.png")
    groups = near_duplicates.near_groups(datasets.index_dataset(tmp_path))
    assert groups == [[f"a/{n}.png", f"b/{n}.png"] for n in range(6)]


def small(seed: int, spread: float = 40, side: int = 32) -> np.ndarray:
    coarse = np.asarray(drawn_image(seed, side, dark=False), float)
    values = 128 + spread * (coarse - coarse.mean()) / coarse.std()
    return np.asarray(values.clip(0, 255).round(), np.uint8)


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    (answer,) = near_duplicates.agree(one[None], other[None])
    return bool(answer)


def test_agreement_ignores_brightness_and_contrast() -> None:
    one = small(0)
    assert alike(one, (one * 0.8 + 20).astype(np.uint8))
    assert not alike(one, small(1))
    assert not alike(one, 255 - one)
    assert not alike(one, np.flipud(one)) and not alike(one, np.fliplr(one))


@pytest.mark.parametrize("axis", [0, 1])
def test_agreement_allows_a_small_shift_and_no_large_one(axis: int) -> None:
    wide = np.asarray(drawn_image(3, 320, dark=False))
    shifted = [np.roll(wide, by, axis)[40:280, 40:280] for by in (0, 5, 40)]
    one, near, far = (
        np.asarray(Image.fromarray(part).resize((32, 32), Image.Resampling.BICUBIC))
        for part in shifted
    )
    assert alike(one, near) and not alike(one, far)


def test_flat_images_agree_with_nothing() -> None:
    flat = np.full((32, 32), 90, np.uint8)
    assert not alike(flat, flat) and not alike(flat, small(0))


def test_stripes_are_compared_though_nothing_changes_along_them() -> None:
    stripes = np.tile(small(0)[:1], (32, 1))
    assert alike(stripes, stripes) and not alike(stripes, stripes[:, ::-1])


@pytest.mark.parametrize(
    ("spread", "noise", "same"),
    [(40, 0.07, True), (40, 0.11, False), (6, 0.18, True), (6, 0.3, False)],
)
def test_what_may_remain(spread: float, noise: float, same: bool) -> None:
    """A share of the contrast, or the grey levels that JPEG changes."""
    one = small(0, spread).astype(float)
    rng = np.random.default_rng(1)
    coarse = Image.fromarray(rng.normal(size=(16, 16)).astype(np.float32))
    rough = np.asarray(coarse.resize((32, 32), Image.Resampling.BICUBIC), float)
    smooth = ndimage.gaussian_filter(rough, near_duplicates.BLUR)
    rough *= noise * ndimage.gaussian_filter(one, near_duplicates.BLUR).std()
    other = one + rough / smooth.std()
    assert alike(one.astype(np.uint8), other.round().clip(0, 255).astype(np.uint8)) is (
        same
    )


def test_pairs_of_files_that_went_or_broke_are_not_confirmed(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(4)]
    for path in paths[:2]:
        Image.fromarray(small(0)).save(path)
    paths[2].write_text("no image")
    pairs = np.array([[0, 2], [1, 3], [0, 1]])
    places = [(tmp_path, path.name) for path in paths]
    assert near_duplicates.confirmed(places, pairs) == [(0, 1)]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=20))
def test_groups_hold_every_pair(pairs: list[tuple[int, int]]) -> None:
    groups = near_duplicates.grouped(pairs)
    items = [item for group in groups for item in group]
    assert len(items) == len(set(items))
    for a, b in pairs:
        assert any(a in group and b in group for group in groups)


@pytest.mark.parametrize(
    ("size", "side"),
    [
        ((20, 300), 20),
        ((40, 41), 32),
        ((90, 66), 33),
        ((128, 200), 64),
        ((999, 999), 64),
    ],
)
def test_images_are_compared_at_half_their_size(
    size: tuple[int, int], side: int, tmp_path: Path
) -> None:
    Image.new("L", size, 90).save(tmp_path / "x.png")
    answer = near_duplicates.small_images([(7, str(tmp_path), "x.png")])
    assert answer["7"][0] == side


def test_drawn_phantoms_of_two_patients_are_no_copies(tmp_path: Path) -> None:
    write_phantoms(tmp_path, 20)
    index = datasets.index_dataset(tmp_path)
    for group in near_duplicates.near_groups(index):
        assert len({Path(path).name.split("_")[0] for path in group}) == 1


@pytest.mark.parametrize("turn", Turn)
def test_turned_pairs_say_which_image_is_turned(turn: Turn) -> None:
    hashes = comparable_hashes(drawn_hashes(300), turn)
    hashes[100] = turned_hashes(hashes[:1], turn)[0]
    pairs = near_duplicates.turned_pairs(hashes, turn).tolist()
    assert pairs == [[0, 100]]
    hashes[200] = turned_hashes(hashes[250:251], turn)[0]
    first = [200, 250] if turn.own_inverse else [250, 200]
    assert sorted(near_duplicates.turned_pairs(hashes, turn).tolist()) == sorted(
        [[0, 100], first]
    )


def test_an_image_that_equals_its_mirror_image_is_no_copy_of_itself() -> None:
    hashes = drawn_hashes(50) // 2
    hashes += turned_hashes(hashes, Turn.MIRRORED)
    assert not len(near_duplicates.turned_pairs(hashes, Turn.MIRRORED))


def test_slices_of_a_volume_are_no_turned_copies_of_each_other() -> None:
    hashes = drawn_hashes(20)
    hashes[10] = turned_hashes(hashes[:1], Turn.MIRRORED)[0]
    files = np.arange(20)
    pairs = near_duplicates.turned_pairs(hashes, Turn.MIRRORED, files)
    assert pairs.tolist() == [[0, 10]]
    files[10] = 0
    assert not len(near_duplicates.turned_pairs(hashes, Turn.MIRRORED, files))


@pytest.mark.parametrize(("distance", "near"), [(0.19, True), (0.21, False)])
def test_turned_images_have_a_radius_of_their_own(distance: float, near: bool) -> None:
    hashes = drawn_hashes(300)
    turned = turned_hashes(hashes[:1], Turn.UPSIDE_DOWN)
    hashes[100] = moved(turned, distance)[0]
    pairs = near_duplicates.turned_pairs(hashes, Turn.UPSIDE_DOWN).tolist()
    assert pairs == ([[0, 100]] if near else [])
