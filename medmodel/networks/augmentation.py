"""Data augmentation: random changes of training images, outside the saved graph."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from medmodel.core.settings.augmentation import Augmentation


class RandomChange(keras.layers.Layer):
    """Shifts, rotates, zooms and flips, then changes brightness and contrast.

    All movements are one affine transformation, so an image is interpolated once and
    not blurred five times. What is moved in from outside repeats the border pixels.
    The seed belongs to the call, not to the layer: the same seed gives the same
    images, on any device, in any order, after any restart.

    Args:
        augmentation: How large the changes may be.
        kept_sharp: Share of the images that are neither shifted nor rotated nor zoomed,
            0 to 1: those pass through no interpolation.
    """

    def __init__(self, augmentation: Augmentation, kept_sharp: float = 0.0) -> None:
        super().__init__(trainable=False, dtype="float32", name="augmentation")
        self.augmentation, self.kept_sharp = augmentation, kept_sharp

    def call(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changed copies.

        Args:
            images: uint8 (n, height, width, channels).
            seed: int32 or int64 (2,).

        Returns:
            uint8 of the same shape.
        """
        change = self.augmentation
        x = tf.cast(images, tf.float32)
        count = tf.shape(images)[0]
        draws = _draws(count, seed, self.kept_sharp)
        if _moves(change):
            x = _moved(x, _transforms(images, draws, change), "BILINEAR")
        # Contrast about the mean, then brightness, as one factor and one summand; the
        # half makes the cast below round.
        gain = 1.0 + change.contrast * _per_image(draws[7])
        bias = 255.0 * change.brightness * _per_image(draws[6]) + 0.5
        if change.contrast:
            bias += (1.0 - gain) * tf.reduce_mean(x, axis=(1, 2), keepdims=True)
            x *= gain
        return tf.saturate_cast(x + bias, tf.uint8)

    def move_masks(self, masks: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Masks moved as `call` moves their images; no value is interpolated.

        Args:
            masks: uint8 (n, height, width) of class numbers.
            seed: That of the images.

        Returns:
            uint8 of the same shape.
        """
        change = self.augmentation
        if not _moves(change):
            return masks
        draws = _draws(tf.shape(masks)[0], seed, self.kept_sharp)
        values = tf.cast(masks[..., None], tf.float32)
        moved = _moved(values, _transforms(values, draws, change), "NEAREST")
        return tf.cast(moved[..., 0], tf.uint8)


def _draws(count: tf.Tensor, seed: tf.Tensor, kept_sharp: float) -> tf.Tensor:
    """(8, count) from -1 to 1: an independent stream for each kind of change.

    The first four move by what is between pixels: rotation, zoom and both shifts.
    """
    draws = tf.random.stateless_uniform((8, count), seed, -1.0, 1.0)
    if not kept_sharp:
        return draws
    choice = tf.random.experimental.stateless_fold_in(seed, 1)
    interpolated = tf.random.stateless_uniform((count,), choice) >= kept_sharp
    moved = tf.where(interpolated, draws[:4], 0.0)
    return tf.concat([moved, draws[4:]], axis=0)


def _moves(change: Augmentation) -> bool:
    return bool(
        change.shift
        or change.rotation
        or change.zoom
        or change.flip_horizontal
        or change.flip_vertical
    )


def _per_image(values: tf.Tensor) -> tf.Tensor:
    return values[:, None, None, None]


def _transforms(images: tf.Tensor, draws: tf.Tensor, change: Augmentation) -> tf.Tensor:
    """Output to input coordinates, as rows of 8 for ImageProjectiveTransformV3.

    About the centre c: input = R (output - c) / zoom + c + shift, flips first.
    """
    height, width = (
        tf.cast(size, tf.float32) for size in tf.unstack(images.shape[1:3])
    )
    centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    angle = draws[0] * math.radians(change.rotation)
    # As far in as out: a factor and its inverse are equally likely.
    scale = tf.pow(1.0 + change.zoom, draws[1])
    flip_x = tf.where(draws[4] < 0.0, -1.0, 1.0) if change.flip_horizontal else 1.0
    flip_y = tf.where(draws[5] < 0.0, -1.0, 1.0) if change.flip_vertical else 1.0
    cos, sin = scale * tf.cos(angle), scale * tf.sin(angle)
    a, b, d, e = cos * flip_x, -sin * flip_y, sin * flip_x, cos * flip_y
    c = centre_x - a * centre_x - b * centre_y + draws[2] * change.shift * width
    f = centre_y - d * centre_x - e * centre_y + draws[3] * change.shift * height
    zero = tf.zeros_like(angle)
    return tf.stack([a, b, c, d, e, f, zero, zero], axis=1)


def _moved(x: tf.Tensor, transforms: tf.Tensor, interpolation: str) -> tf.Tensor:
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=transforms,
        output_shape=tf.shape(x)[1:3],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="NEAREST",
    )
    return tf.ensure_shape(moved, x.shape)
