"""Input pipeline: tf.data batches from the memory map of prepared pixels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from medmodel.core.settings.augmentation import KEPT_SHARP, Augmentation
from medmodel.imaging.corruptions import corrupt_some
from medmodel.networks.augmentation import RandomChange


@dataclass(frozen=True)
class Samples:
    """Some images of a prepared data set, with their classes.

    Args:
        pixels: uint8 (all, height, width, channels), usually a memory map.
        rows: (n,) which of them.
        labels: (n,) class of each of the n, 0 to num_classes - 1.
        num_classes: Number of classes.
        class_weights: What one image of each class counts; None: all count 1.
    """

    pixels: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    num_classes: int
    class_weights: Sequence[float] | None = None

    @property
    def targets(self) -> tf.TensorSpec:
        """One-hot labels of a batch."""
        return tf.TensorSpec((None, self.num_classes), tf.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images, one-hot labels and weights of samples `chosen`, 0 to n - 1."""
        # In the order of the disk; inside a batch order means nothing.
        chosen = chosen[np.argsort(self.rows[chosen])]
        labels = self.labels[chosen]
        weights = np.ones(self.num_classes, np.float32)
        if self.class_weights is not None:
            weights[:] = self.class_weights
        one_hot = np.eye(self.num_classes, dtype=np.float32)[labels]
        return self.pixels[self.rows[chosen]], one_hot, weights[labels]


@dataclass(frozen=True)
class MaskedSamples:
    """Some images of a prepared data set, with their segmentation masks.

    Args:
        pixels: uint8 (all, height, width, channels), usually a memory map.
        masks: uint8 (all, height, width) of class values, usually a memory map.
        rows: (n,) which of them.
        class_numbers: (256,) uint8, class value -> class number.
    """

    pixels: np.ndarray
    masks: np.ndarray
    rows: np.ndarray
    class_numbers: np.ndarray

    @property
    def targets(self) -> tf.TensorSpec:
        """Masks of a batch, of class numbers."""
        return tf.TensorSpec((None, *self.masks.shape[1:]), tf.uint8)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images, masks of class numbers, and weights of 1 of samples `chosen`."""
        rows = np.sort(self.rows[chosen])
        masks = self.class_numbers[self.masks[rows]]
        return self.pixels[rows], masks, np.ones(len(rows), np.float32)


def balanced_weights(labels: np.ndarray, num_classes: int) -> list[float]:
    """Weights with which every class counts the same and the average image 1.

    Args:
        labels: (n,) class of each training image.
        num_classes: Number of classes; one without images gets weight 0.
    """
    counts = np.bincount(labels, minlength=num_classes)
    present = np.count_nonzero(counts)
    return [
        float(len(labels) / (present * count)) if count else 0.0 for count in counts
    ]


def steps_per_epoch(samples: Samples | MaskedSamples, batch_size: int) -> int:
    """Batches that make up one epoch."""
    return -(-len(samples) // batch_size)


def training_batches(
    samples: Samples | MaskedSamples,
    batch_size: int,
    seed: int = 0,
    augmentation: Augmentation | None = None,
    first_epoch: int = 0,
    balanced: bool = False,
    smoothing: float = 0.0,
) -> tf.data.Dataset:
    """Endless shuffled batches; fit with `steps_per_epoch` and `shuffle=False`.

    Every image comes once per epoch unless classes are balanced, in an order of its own
    for each epoch. Order and
    augmentation depend on seed and epoch alone, so a resumed run sees what it would
    have seen. An epoch is cut into batches whose sizes differ by at most 1: a last
    batch of one image would upset batch normalisation.

    Args:
        samples: The training images.
        batch_size: Largest number of images in a batch.
        seed: Of order and augmentation.
        augmentation: Random changes; None for none.
        first_epoch: Epoch to begin with, counted from 0.
        balanced: Whether each class comes equally often instead, in an epoch of the
            same length; every image then counts the same.
        smoothing: Share of the labels that is spread over all classes (Szegedy et al.
            2016, "Rethinking the Inception Architecture for Computer Vision", 7).

    Returns:
        Batches (uint8 images, float32 one-hot labels, float32 sample weights); of
        `MaskedSamples` masks of class numbers in place of labels, moved as the images.
    """
    steps = steps_per_epoch(samples, batch_size)
    corrupted = augmentation.corruption if augmentation else 0.0

    @functools.lru_cache(maxsize=2)
    def epoch_batches(epoch: int) -> list[np.ndarray]:
        random = np.random.default_rng((seed, epoch))
        if balanced and isinstance(samples, Samples):
            order = balanced_order(samples.labels, random)
        else:
            order = random.permutation(len(samples))
        return np.array_split(order, steps)

    def gather(number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        epoch, step = divmod(int(number), steps)
        images, labels, weights = samples.batch(epoch_batches(epoch)[step])
        if corrupted:
            random = np.random.default_rng((seed, epoch, step))
            masked = isinstance(samples, MaskedSamples)
            images = corrupt_some(images, corrupted, random, in_place=masked)
        if smoothing and isinstance(samples, Samples):
            labels = labels * (1 - smoothing) + smoothing / samples.num_classes
            labels = labels.astype(np.float32)
        return images, labels, np.ones_like(weights) if balanced else weights

    numbers = tf.data.Dataset.range(first_epoch * steps, np.iinfo(np.int64).max)
    batches = numbers.map(_loader(samples, gather), num_parallel_calls=2)
    if augmentation is not None and replace(augmentation, corruption=0.0).active:
        batches = _augmented(numbers, batches, augmentation, seed)
    return batches.prefetch(2)


def mix_up(
    batches: tf.data.Dataset, alpha: float, seed: int, first_step: int = 0
) -> tf.data.Dataset:
    """Batches of blends of two images each, with the same blend of their labels.

    Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", ICLR. The partner is
    another image of the batch, or the image itself; how much it counts is drawn for
    each image from Beta(alpha, alpha). What is drawn depends on seed and step alone.

    Args:
        batches: From `training_batches`, of `Samples`.
        alpha: Above 0; the larger, the more equal the shares.
        seed: Of partners and shares.
        first_step: Number of the first batch since training began.

    Returns:
        Batches of the same shapes. Each label counts with its own image's weight: the
        loss is that of both images, each weighted by its share.
    """

    def mixed(number: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        images, labels, weights = batch
        stream = tf.stack([tf.constant(seed, tf.int64), number])
        stream = tf.random.experimental.stateless_fold_in(stream, 1)
        count = tf.shape(weights)[0]
        partner = tf.argsort(tf.random.stateless_uniform((count,), stream))
        gammas = tf.random.stateless_gamma(
            tf.stack([2, count]), stream, tf.constant(alpha, tf.float32)
        )
        share = tf.math.divide_no_nan(gammas[0], gammas[0] + gammas[1])
        x = tf.cast(images, tf.float32)
        lam = share[:, None, None, None]
        x = lam * x + (1.0 - lam) * tf.gather(x, partner)
        own, other = share * weights, (1.0 - share) * tf.gather(weights, partner)
        both = own[:, None] * labels + other[:, None] * tf.gather(labels, partner)
        blended = tf.math.divide_no_nan(both, (own + other)[:, None])
        return tf.cast(tf.round(x), tf.uint8), blended, own + other

    numbers = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    paired = tf.data.Dataset.zip((numbers, batches))
    return paired.map(mixed, num_parallel_calls=2).prefetch(2)


def balanced_order(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Positions of an epoch in which every class comes as often, up to one.

    Images of a class come again only when all of it have come.

    Args:
        labels: (n,) class of each image.
        random: Of the order.

    Returns:
        (n,) positions.
    """
    classes = random.permutation(np.unique(labels))
    shares = np.array_split(np.arange(len(labels)), len(classes))
    drawn = []
    for name, share in zip(classes, shares, strict=True):
        own = np.flatnonzero(labels == name)
        rounds = -(-len(share) // len(own))
        repeated = [random.permutation(own) for _round in range(rounds)]
        drawn.append(np.concatenate(repeated)[: len(share)])
    return random.permutation(np.concatenate(drawn))


def evaluation_batches(
    samples: Samples | MaskedSamples, batch_size: int
) -> tf.data.Dataset:
    """All images once, in their order up to the order inside a batch; unchanged.

    Sizes of batches differ by at most 1: of a single image some of several devices
    would get none, which not every layer bears.
    """
    steps = steps_per_epoch(samples, batch_size)
    parts = np.array_split(np.arange(len(samples)), max(steps, 1))

    def gather(number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return samples.batch(parts[int(number)])

    numbers = tf.data.Dataset.range(steps)
    return numbers.map(_loader(samples, gather), num_parallel_calls=2).prefetch(2)


def augment(
    images: np.ndarray, augmentation: Augmentation, seed: int, kept_sharp: float = 0.0
) -> np.ndarray:
    """Copies changed by chance, for a preview, or to see what small changes do.

    Args:
        images: uint8 (n, height, width, channels).
        augmentation: How large the changes may be.
        seed: Another seed, other changes.
        kept_sharp: Share of them that is not moved; in training `KEPT_SHARP`.

    Returns:
        uint8 of the same shape.
    """
    random = np.random.default_rng(seed)
    images = corrupt_some(images, augmentation.corruption, random)
    change = RandomChange(augmentation, kept_sharp)
    return change(images, tf.constant([seed, 0])).numpy()


def _loader(samples: Samples | MaskedSamples, gather: object) -> object:
    """Wraps a function of a batch's number for use in a data set's graph."""
    shape = (None, *samples.pixels.shape[1:])

    def load(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images, targets, weights = tf.numpy_function(
            gather, [number], [tf.uint8, samples.targets.dtype, tf.float32]
        )
        images.set_shape(shape)
        targets.set_shape(samples.targets.shape)
        weights.set_shape((None,))
        return images, targets, weights

    return load


def _augmented(
    numbers: tf.data.Dataset,
    batches: tf.data.Dataset,
    augmentation: Augmentation,
    seed: int,
) -> tf.data.Dataset:
    change = RandomChange(augmentation, KEPT_SHARP)

    def changed(number: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple:
        images, targets, weights = batch
        stream = tf.stack([tf.constant(seed, tf.int64), number])
        if targets.dtype == tf.uint8:  # masks
            targets = change.move_masks(targets, stream)
        return change(images, stream), targets, weights

    paired = tf.data.Dataset.zip((numbers, batches))
    return paired.map(changed, num_parallel_calls=tf.data.AUTOTUNE)
