"""Dice: the loss of a segmentation, and the number that is followed beside it.

Dice = 2 |A ∩ B| / (|A| + |B|), 1 for equal areas. Milletari et al. 2016, 3DV.
"""

from __future__ import annotations

import keras
import tensorflow as tf

SMOOTHING = 1.0
"""Pixels added above and below: a class that is absent everywhere costs nothing."""


class DiceCrossEntropy(keras.losses.Loss):
    """Cross-entropy of every pixel plus 1 - Dice of the classes.

    Cross-entropy leads the way while nothing is found yet, Dice does not let the
    background outweigh a small lesion. Dice is that of all images of a batch together.

    Args:
        num_classes: With the background, which has no part in Dice.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(name="dice_cross_entropy")
        self.num_classes = num_classes

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """(n,) losses of images.

        Args:
            y_true: (n, height, width) class numbers.
            y_pred: float32 (n, height, width, num_classes) probabilities.
        """
        truth = tf.one_hot(tf.cast(y_true, tf.int32), self.num_classes)
        likely = tf.reduce_sum(truth * y_pred, axis=-1)
        entropy = -tf.math.log(tf.maximum(likely, keras.config.epsilon()))
        overlap = tf.reduce_sum(truth * y_pred, axis=(0, 1, 2))[1:]
        areas = tf.reduce_sum(truth + y_pred, axis=(0, 1, 2))[1:]
        dice = (2.0 * overlap + SMOOTHING) / (areas + SMOOTHING)
        return tf.reduce_mean(entropy, axis=(1, 2)) + 1.0 - tf.reduce_mean(dice)


def mean_dice(num_classes: int) -> keras.metrics.Metric:
    """Metric `dice`: the mean over images, see `image_dice`."""

    def dice(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return image_dice(y_true, y_pred, num_classes)

    return keras.metrics.MeanMetricWrapper(dice, name="dice")


def image_dice(y_true: tf.Tensor, y_pred: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Dice of each image, of the likeliest class of every pixel.

    It is the mean over the classes that the truth or the answer holds; 1 where both
    are background alone.

    Args:
        y_true: (n, height, width) class numbers.
        y_pred: (n, height, width, num_classes) probabilities.
        num_classes: With the background, which does not count.

    Returns:
        float32 (n,).
    """
    truth = tf.one_hot(tf.cast(y_true, tf.int32), num_classes)[..., 1:]
    answer = tf.one_hot(tf.argmax(y_pred, axis=-1), num_classes)[..., 1:]
    overlap = tf.reduce_sum(truth * answer, axis=(1, 2))
    areas = tf.reduce_sum(truth + answer, axis=(1, 2))
    present = tf.cast(areas > 0, tf.float32)
    count = tf.reduce_sum(present, axis=-1)
    dice = tf.reduce_sum(tf.math.divide_no_nan(2.0 * overlap, areas), axis=-1)
    return tf.where(count > 0, tf.math.divide_no_nan(dice, count), 1.0)
