"""Corruptions: what each does to pixels, by hand where that can be computed."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS


def disc(channels: int = 1, side: int = 96) -> np.ndarray:
    """A bright disc on a grey gradient."""
    y, x = np.mgrid[:side, :side]
    values = 60 + 60 * x / side + 100 * ((x - 32) ** 2 + (y - 28) ** 2 < 150)
    return np.repeat(values[..., None], channels, axis=2).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("key", CORRUPTIONS)
def test_each_changes_more_the_stronger_it_is_and_is_drawn_from_its_seed(
    key: str, channels: int
) -> None:
    image = disc(channels)
    before = image.copy()
    changes = []
    for strength in range(1, STRENGTHS + 1):
        corrupted = CORRUPTIONS[key].apply(image, strength, seed=3)
        assert corrupted.shape == image.shape and corrupted.dtype == np.uint8
        again = CORRUPTIONS[key].apply(image, strength, seed=3)
        np.testing.assert_array_equal(corrupted, again)
        changes.append(np.abs(corrupted.astype(int) - image).mean())
    assert changes[0] > 0
    assert changes == sorted(changes) and changes[-1] > 1.5 * changes[0]
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("key", sorted(set(CORRUPTIONS) - {"jpeg"}))
def test_a_grey_image_in_three_channels_stays_grey(key: str) -> None:
    corrupted = CORRUPTIONS[key].apply(disc(3), 3, seed=1)
    np.testing.assert_array_equal(corrupted[..., 0], corrupted[..., 2])


def test_noise_has_the_deviation_that_it_names() -> None:
    flat = np.full((200, 200, 1), 128, np.uint8)
    noisy = CORRUPTIONS["noise"].apply(flat, 3)
    assert np.std(noisy.astype(float)) == pytest.approx(0.08 * 255, rel=0.03)


def test_a_low_dose_has_the_noise_of_counted_photons() -> None:
    flat = np.full((200, 200, 1), 102, np.uint8)  # 40 % of 50 photons are 20
    counted = CORRUPTIONS["low_dose"].apply(flat, 3).astype(float)
    assert counted.std() == pytest.approx(np.sqrt(20) / 50 * 255, rel=0.03)
    assert counted.mean() == pytest.approx(102, rel=0.01)


def test_low_contrast_by_hand() -> None:
    image = np.array([[[50], [150]]], np.uint8)
    by_half = CORRUPTIONS["contrast"].apply(image, 3)
    np.testing.assert_array_equal(by_half[..., 0], [[75, 125]])


def test_gamma_by_hand() -> None:
    image = np.full((2, 2, 1), 64, np.uint8)
    seen = {int(CORRUPTIONS["gamma"].apply(image, 1, s)[0, 0, 0]) for s in range(12)}
    assert seen == {round(255 * (64 / 255) ** e) for e in (1.2, 1 / 1.2)}


def test_motion_smears_a_point_along_a_line_of_its_length() -> None:
    image = np.zeros((100, 100, 1), np.uint8)
    image[50, 50] = 255
    smeared = CORRUPTIONS["motion"].apply(image, 5, seed=2)[..., 0]
    rows, columns = np.nonzero(smeared)
    length = np.hypot(np.ptp(rows), np.ptp(columns))
    assert length == pytest.approx(13, abs=2)
    assert smeared.sum() == pytest.approx(255, abs=30)


def test_a_marker_is_white_in_a_corner_and_both_letters_in_all_corners_occur() -> None:
    image = np.zeros((100, 100, 1), np.uint8)
    corners, areas = set(), set()
    for seed in range(60):
        marked = CORRUPTIONS["marker"].apply(image, 5, seed)[..., 0]
        rows, columns = np.nonzero(marked > 200)
        assert 8 <= np.ptp(rows) <= 18
        assert not ((rows > 35) & (rows < 65)).any()
        corners.add((rows.mean() > 50, columns.mean() > 50))
        areas.add(int((marked > 200).sum()))
    assert len(corners) == 4 and len(areas) == 2


def test_a_rotation_turns_to_both_sides_and_leaves_no_black_corner() -> None:
    turned = [CORRUPTIONS["rotation"].apply(disc(), 5, seed) for seed in range(8)]
    assert min(image.min() for image in turned) >= 55
    assert len({image.tobytes() for image in turned}) == 2


def test_a_crop_is_enlarged_again() -> None:
    image = disc()
    cropped = CORRUPTIONS["crop"].apply(image, 5)
    assert (cropped > 150).sum() > 1.4 * (image > 150).sum()
