from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.augmentation import KEPT_SHARP, Augmentation
from medmodel.imaging import corruptions
from medmodel.networks import models
from medmodel.networks.pipeline import (
    MaskedSamples,
    Samples,
    balanced_order,
    balanced_weights,
    evaluation_batches,
    mix_up,
    steps_per_epoch,
    training_batches,
)

LABELS = np.array([0, 1, 2, 0, 1, 2, 0])
ROWS = np.array([1, 3, 5, 7, 9, 11, 13])


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Seven images whose every pixel is the image's row in a memory map of 15."""
    pixels = np.broadcast_to(
        np.arange(15, dtype=np.uint8)[:, None, None, None], (15, 8, 8, 3)
    )
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    return Samples(mapped, ROWS, LABELS, 3, (1.0, 2.0, 3.0))


def rows_of(batch: tuple) -> list[int]:
    return [int(row) for row in batch[0][:, 0, 0, 0]]


def epochs(samples: Samples, count: int, **options: Any) -> list[list[list[int]]]:
    """Rows of each batch of each epoch, batches of at most 3."""
    steps = steps_per_epoch(samples, 3)
    batches = iter(training_batches(samples, 3, **options))
    return [[rows_of(b) for b in islice(batches, steps)] for _ in range(count)]


def test_every_image_comes_once_per_epoch_in_even_batches(samples: Samples) -> None:
    first, second = epochs(samples, 2)
    for epoch in (first, second):
        assert sorted(sum(epoch, [])) == ROWS.tolist()
        assert [len(batch) for batch in epoch] == [3, 2, 2]
    assert first != second


def test_balanced_sampling_takes_every_class_as_often(samples: Samples) -> None:
    labels = np.array([0] * 10 + [1] * 3 + [2] * 2)
    order = balanced_order(labels, np.random.default_rng(0))
    assert np.bincount(labels[order]).tolist() == [5, 5, 5]
    # Of a rare class all come before one comes again; of a common one none does.
    assert len(set(order[labels[order] == 0])) == 5
    assert set(order[labels[order] == 2]) == {13, 14}
    first, second = epochs(samples, 2, balanced=True)
    assert first != second and sum(map(len, first)) == len(ROWS)
    assert epochs(samples, 1, balanced=True, first_epoch=1) == [second]
    for _images, _labels, weights in islice(
        training_batches(samples, 3, balanced=True), 3
    ):
        assert set(np.asarray(weights).tolist()) == {1.0}


def test_smoothed_labels_add_up_to_one(samples: Samples) -> None:
    _images, labels, _weights = next(iter(training_batches(samples, 3, smoothing=0.3)))
    labels = np.asarray(labels)
    assert labels.max(axis=1) == pytest.approx(0.8) and labels.min() == pytest.approx(
        0.1
    )
    assert labels.sum(axis=1) == pytest.approx(1)


def mixed(first: int = 0, count: int = 6) -> list[tuple[np.ndarray, ...]]:
    """Blends of a black image of weight 1 with one of 200 of weight 3."""
    images = np.zeros((2, 4, 4, 1), np.uint8)
    images[1] = 200
    batch = (images, np.eye(2, dtype=np.float32), np.array([1, 3], np.float32))
    batches = tf.data.Dataset.from_tensors(batch).repeat()
    blends = islice(mix_up(batches, 0.8, seed=5, first_step=first), count)
    return [tuple(np.asarray(part) for part in blend) for blend in blends]


def test_mixup_blends_images_as_their_labels() -> None:
    for images, labels, weights in mixed():
        assert images.dtype == np.uint8 and (images == images[:, :1, :1]).all()
        # How much of the white image is in each: both of its partners tell.
        white = images[:, 0, 0, 0] / 200
        black = 1 - white
        np.testing.assert_allclose(weights, black + 3 * white, atol=0.01)
        parts = np.stack([black, 3 * white], axis=1) / weights[:, None]
        np.testing.assert_allclose(labels, parts, atol=0.01)


def test_mixup_draws_a_share_for_each_image() -> None:
    shares = {float(image[0, 0, 0]) for blend in mixed() for image in blend[0]}
    assert len(shares - {0.0, 200.0}) > 2


def test_mixup_depends_on_seed_and_step_alone() -> None:
    whole, resumed = mixed(), mixed(first=4, count=2)
    for one, other in zip(whole[4:], resumed, strict=True):
        for before, after in zip(one, other, strict=True):
            np.testing.assert_array_equal(before, after)


def test_labels_and_weights_belong_to_their_images(samples: Samples) -> None:
    for batch in islice(training_batches(samples, 3), 6):
        images, one_hot, weights = (np.asarray(part) for part in batch)
        assert images.dtype == np.uint8
        expected = [LABELS[ROWS.tolist().index(row)] for row in rows_of(batch)]
        assert one_hot.argmax(axis=1).tolist() == expected
        assert one_hot.sum() == len(images)
        assert weights.tolist() == [label + 1.0 for label in expected]


def test_order_depends_on_seed_and_epoch_alone(samples: Samples) -> None:
    whole = epochs(samples, 4, seed=5)
    assert epochs(samples, 4, seed=5) == whole
    assert epochs(samples, 2, seed=5, first_epoch=2) == whole[2:]
    assert epochs(samples, 4, seed=6) != whole


def test_augmentation_is_repeatable_and_differs_by_step(samples: Samples) -> None:
    change = Augmentation(brightness=0.5)

    def levels() -> list[list[int]]:
        batches = training_batches(samples, 3, seed=1, augmentation=change)
        return [rows_of(batch) for batch in islice(batches, 6)]

    assert levels() == levels()
    assert levels() != sum(epochs(samples, 2, seed=1), [])


def test_a_share_of_an_epoch_is_seen_without_interpolation() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
    same = Samples(pixels, np.arange(200), np.zeros(200, int), 2)
    change = Augmentation(shift=0.3, rotation=20, zoom=0.3)
    images = next(iter(training_batches(same, 200, augmentation=change)))[0].numpy()
    known = {image.tobytes() for image in pixels}
    sharp = sum(image.tobytes() in known for image in images)
    assert abs(sharp - 200 * KEPT_SHARP) < 25


def test_the_same_image_is_changed_anew_in_every_batch() -> None:
    same = Samples(np.full((6, 8, 8, 1), 100, np.uint8), np.arange(6), LABELS[:6], 3)
    change = Augmentation(brightness=0.5)
    batches = islice(training_batches(same, 3, seed=1, augmentation=change), 4)
    levels = [tuple(rows_of(batch)) for batch in batches]
    assert len(set(levels)) == 4


def test_corrupted_images_depend_on_seed_and_batch_alone() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (12, 16, 16, 1), dtype=np.uint8)
    same = Samples(pixels, np.arange(12), np.arange(12) % 3, 3)
    change = Augmentation(corruption=0.5)

    def batches(first: int, count: int) -> list[np.ndarray]:
        found = training_batches(same, 4, 1, change, first_epoch=first)
        return [np.asarray(batch[0]) for batch in islice(found, count)]

    whole = batches(0, 6)
    # Resumed after the first epoch, which has three batches, to the bit.
    for one, other in zip(whole[3:], batches(1, 3), strict=True):
        np.testing.assert_array_equal(one, other)
    originals = {image.tobytes() for image in pixels}
    kept = [image.tobytes() in originals for batch in whole for image in batch]
    assert 0.2 < np.mean(kept) < 0.8


def test_nothing_moves_where_masks_belong_to_the_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def filled(number: int) -> corruptions.Corrupt:
        return lambda pixels, _strength, _random: np.full_like(pixels, number)

    numbered = {
        key: replace(kind, corrupt=filled(n))
        for n, (key, kind) in enumerate(corruptions.CORRUPTIONS.items(), 1)
    }
    monkeypatch.setattr(corruptions, "CORRUPTIONS", numbered)
    images = np.zeros((300, 2, 2, 1), np.uint8)

    def kinds(in_place: bool) -> set[str]:
        random = np.random.default_rng(0)
        changed = corruptions.corrupt_some(images, 1.0, random, in_place)
        return {list(numbered)[int(n) - 1] for n in np.unique(changed)}

    assert not images.any()
    assert kinds(in_place=False) == set(numbered)
    assert kinds(in_place=True) == set(numbered) - {"rotation", "crop"}


def test_evaluation_sees_everything_once_in_order(samples: Samples) -> None:
    batches = [rows_of(batch) for batch in evaluation_batches(samples, 3)]
    assert batches == [[1, 3, 5], [7, 9], [11, 13]]


def test_balanced_weights_by_hand() -> None:
    # 6 of 8 and 2 of 8: 8 / (2 * 6) and 8 / (2 * 2); the third class has no image.
    weights = balanced_weights(np.array([0] * 6 + [1] * 2), 3)
    assert weights == pytest.approx([2 / 3, 2.0, 0.0])


def test_keras_trains_on_the_batches(samples: Samples) -> None:
    model = models.build_model("document_cnn", Preprocessing(28), 3)
    pixels = np.zeros((15, 28, 28, 3), np.uint8)
    pixels[ROWS] = (LABELS * 80)[:, None, None, None]
    easy = Samples(pixels, ROWS, LABELS, 3)
    model.compile("adam", "categorical_crossentropy")
    history = model.fit(
        training_batches(easy, 3),
        steps_per_epoch=steps_per_epoch(easy, 3),
        epochs=6,
        shuffle=False,
        validation_data=evaluation_batches(easy, 3),
        verbose=0,
    )
    losses = history.history["val_loss"]
    assert losses[-1] < losses[0]


def test_masks_come_with_their_images_as_class_numbers() -> None:
    pixels = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2)
    masks = (pixels[..., 0] % 3) * 100
    numbers = np.zeros(256, np.uint8)
    numbers[[100, 200]] = 1, 2
    samples = MaskedSamples(pixels, masks, np.array([5, 1, 3]), numbers)
    (batch,) = evaluation_batches(samples, 4)
    images, targets, weights = (part.numpy() for part in batch)
    assert images[:, 0, 0, 0].tolist() == [1, 3, 5]
    assert targets[:, 1, 1].tolist() == [1, 0, 2]
    assert weights.tolist() == [1, 1, 1]
