import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.core.settings.augmentation import (
    KEPT_SHARP,
    MEDICAL_AUGMENTATION,
    Augmentation,
)
from medmodel.networks.augmentation import RandomChange
from medmodel.networks.pipeline import augment
from pages._shared.training.augmentation_preview import SEEDS


def arrow(side: int = 33) -> np.ndarray:
    """An image that is different after every flip: a dot left of and above centre."""
    pixels = np.zeros((1, side, side, 1), np.uint8)
    pixels[0, 8, 4] = 200
    return pixels


def seen(pixels: np.ndarray) -> tuple[int, int]:
    """Row and column of the brightest pixel."""
    row, column = np.unravel_index(pixels[0, :, :, 0].argmax(), pixels.shape[1:3])
    return int(row), int(column)


def places(augmentation: Augmentation) -> set[tuple[int, int]]:
    return {seen(augment(arrow(), augmentation, seed)) for seed in range(12)}


def test_nothing_asked_nothing_changed() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 17, 21, 3), dtype=np.uint8)
    np.testing.assert_array_equal(augment(pixels, Augmentation(), 1), pixels)


def test_of_the_previewed_images_as_many_stay_sharp_as_in_training() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 1), dtype=np.uint8)
    change = Augmentation(shift=0.3, rotation=20, zoom=0.3)
    changed = [augment(pixels, change, seed, KEPT_SHARP) for seed in SEEDS]
    sharp = [(row == pixels).all(axis=(1, 2, 3)).sum() for row in changed]
    assert sum(sharp) == KEPT_SHARP * 4 * len(SEEDS)


def test_flips_mirror_exactly_and_only_when_asked() -> None:
    assert places(Augmentation(flip_horizontal=True)) == {(8, 4), (8, 28)}
    assert places(Augmentation(flip_vertical=True)) == {(8, 4), (24, 4)}
    assert places(MEDICAL_AUGMENTATION).isdisjoint({(8, 28), (24, 4)})


def test_shifts_stay_within_their_limit() -> None:
    found = places(Augmentation(shift=0.1))
    assert len(found) > 3
    assert all(abs(row - 8) <= 4 and abs(column - 4) <= 4 for row, column in found)


def test_rotation_turns_about_the_centre() -> None:
    found = places(Augmentation(rotation=180))
    assert len(found) > 3
    for row, column in found:
        assert np.hypot(row - 16, column - 16) == pytest.approx(np.hypot(8, 12), abs=1)


def test_zoom_keeps_the_centre_and_the_corner_colour() -> None:
    pixels = np.full((1, 33, 33, 3), 90, np.uint8)
    pixels[0, 16, 16] = 250
    for seed in range(5):
        changed = augment(pixels, Augmentation(zoom=0.3), seed)
        assert changed[0, 16, 16, 0] == 250
        assert changed[0, 0, 0, 0] == 90


def test_brightness_and_contrast_stay_within_their_limits() -> None:
    pixels = np.full((64, 4, 4, 1), 100, np.uint8)
    change = augment(pixels, Augmentation(brightness=0.1), 0).astype(int) - 100
    assert -26 <= change.min() < -5 and 5 < change.max() <= 26
    pixels[:, :2] = 140
    spread = np.ptp(augment(pixels, Augmentation(contrast=0.5), 0), axis=(1, 2, 3))
    assert 20 <= spread.min() < 35 and 45 < spread.max() <= 60


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    shift=st.floats(0, 0.5),
    rotation=st.floats(0, 180),
    contrast=st.floats(0, 0.9),
)
def test_the_same_seed_gives_the_same_pictures(
    seed: int, shift: float, rotation: float, contrast: float
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    change = Augmentation(shift=shift, rotation=rotation, contrast=contrast)
    first = augment(pixels, change, seed)
    assert first.dtype == np.uint8 and first.shape == pixels.shape
    np.testing.assert_array_equal(augment(pixels, change, seed), first)


def test_a_share_of_the_images_is_not_interpolated() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (400, 9, 9, 1), dtype=np.uint8)
    moving = Augmentation(shift=0.3, rotation=30, zoom=0.3)
    seed = tf.constant([3, 5], tf.int64)
    sharp = (RandomChange(moving, 0.5)(pixels, seed).numpy() == pixels).all((1, 2, 3))
    assert 160 < sharp.sum() < 240
    all_moved = RandomChange(moving)(pixels, seed).numpy()
    assert not (all_moved == pixels).all((1, 2, 3)).any()
    # What keeps every value is done to all: each is as it was, or mirrored.
    flipping = Augmentation(shift=0.3, flip_horizontal=True)
    flipped = RandomChange(flipping, 1.0)(pixels, seed).numpy()
    mirrored = (flipped == pixels[:, :, ::-1]).all((1, 2, 3))
    assert (mirrored | (flipped == pixels).all((1, 2, 3))).all()
    assert 160 < mirrored.sum() < 240


def test_masks_of_sharp_images_stay_with_them() -> None:
    change = RandomChange(Augmentation(shift=0.3, flip_vertical=True), 0.5)
    mask = np.zeros((40, 20, 20), np.uint8)
    mask[:, 2:9, 3:17] = 1
    seed = tf.constant([1, 2], tf.int64)
    image = change(mask[..., None] * 200, seed).numpy()[..., 0]
    assert ((image > 100) == (change.move_masks(mask, seed).numpy() == 1)).mean() > 0.99


def test_masks_move_along_with_their_images() -> None:
    change = RandomChange(Augmentation(shift=0.1, rotation=30, zoom=0.2))
    mask = np.zeros((4, 40, 40), np.uint8)
    mask[:, 10:22, 14:30] = 2
    seed = tf.constant([3, 5])
    moved = change.move_masks(mask, seed).numpy()
    image = change(mask[..., None] * 100, seed).numpy()[..., 0]
    assert set(np.unique(moved)) == {0, 2}
    assert len({area.tobytes() for area in moved}) == 4
    assert ((image > 100) == (moved == 2)).mean() > 0.99
    flat = RandomChange(Augmentation(brightness=0.5, contrast=0.5))
    assert np.array_equal(flat.move_masks(tf.constant(mask), seed), mask)
