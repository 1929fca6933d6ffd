"""Occlusion, integrated gradients, and their sanity check by shuffled weights.

Occlusion: Zeiler and Fergus 2014, ECCV. Integrated gradients: Sundararajan, Taly and
Yan 2017, ICML. Randomised weights: Adebayo et al. 2018, "Sanity Checks for Saliency
Maps", NeurIPS: a map that hardly changes when all that was learned is shuffled shows
the image, not the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

PATCHES = 9
"""Places of the grey square along each side."""
FEW_PATCHES = 5
"""The same where a model takes about a second for each image: a coarser map."""
STEPS = 32
"""Images between the black one and the real one."""
Scorer = Callable[[np.ndarray], np.ndarray]


def occlusion(
    score: Scorer, image: np.ndarray, position: int, patches: int = PATCHES
) -> np.ndarray:
    """How much the log-probability falls when a square of the image is hidden.

    Args:
        score: Images (n, height, width, channels) to probabilities (n, num_classes).
        image: uint8 (height, width, channels).
        position: The class.
        patches: Places of the square along each side.

    Returns:
        float32 (height, width) in [0, 1]; places whose hiding helps the class are 0.
    """
    height, width = image.shape[:2]
    tall, wide = (max(2, round(2 * side / (patches + 1))) for side in (height, width))
    corners = [
        (round(row * (height - tall) / (patches - 1)), column)
        for row in range(patches)
        for column in np.linspace(0, width - wide, patches).round().astype(int)
    ]
    hidden = np.repeat(image[None], len(corners) + 1, axis=0)
    mean = image.mean(axis=(0, 1)).astype(np.uint8)
    for copy, (top, left) in zip(hidden[1:], corners, strict=True):
        copy[top : top + tall, left : left + wide] = mean
    logs = np.log(np.maximum(score(hidden)[:, position], 1e-9))
    total = np.zeros((height, width), np.float32)
    times = np.zeros((height, width), np.float32)
    for fall, (top, left) in zip(logs[0] - logs[1:], corners, strict=True):
        total[top : top + tall, left : left + wide] += fall
        times[top : top + tall, left : left + wide] += 1
    return _scaled(total / np.maximum(times, 1))


def integrated_gradients(
    model: keras.Model, image: np.ndarray, position: int
) -> np.ndarray:
    """What each pixel adds to the class's logit on the way from a black image.

    Args:
        model: Flat graph with a layer whose name ends in `normalise`, ending in a
            softmax `Dense`.
        image: uint8 (height, width, channels).
        position: The class.

    Returns:
        float32 (height, width): signed; their sum is the logit of the image minus
        that of the black one, as far as `STEPS` steps can tell.
    """
    layer = next(x for x in model.layers if x.name.endswith("normalise"))
    begin = keras.Model(model.input, layer.output)
    dense = model.layers[-1]
    rest = keras.Model(layer.output, dense.input)
    ends = begin(tf.constant(np.stack([np.zeros_like(image), image])), training=False)
    ends = tf.cast(ends, tf.float32)
    way = ends[1] - ends[0]
    column = dense.kernel[:, position]
    total = tf.zeros_like(way)
    for start in range(0, STEPS, 16):
        shares = (tf.range(start, start + 16, dtype=tf.float32) + 0.5) / STEPS
        between = ends[0] + shares[:, None, None, None] * way
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(between)
            features = tf.cast(rest(between, training=False), tf.float32)
            logits = tf.linalg.matvec(features, column)
        total += tf.reduce_sum(tape.gradient(logits, between), axis=0)
    return tf.reduce_sum(total / STEPS * way, axis=-1).numpy()


def positive(map_: np.ndarray) -> np.ndarray:
    """What speaks for the class, a little blurred, in [0, 1]: for the eye."""
    from scipy.ndimage import gaussian_filter

    return _scaled(gaussian_filter(np.maximum(map_, 0), max(map_.shape) / 64))


def mean_maps(maps: Sequence[np.ndarray], side: int) -> np.ndarray:
    """Several models' maps of the same images as one.

    Args:
        maps: float32 (n, height, width) in [0, 1], of each model at its own size.
        side: Height and width of the mean.

    Returns:
        float32 (n, side, side) in [0, 1]; the largest value of a map is 1, or all are
        0.
    """
    total = np.zeros((len(maps[0]), side, side), np.float32)
    for of_model in maps:
        for at, map_ in enumerate(of_model):
            enlarged = Image.fromarray(np.ascontiguousarray(map_, np.float32))
            size = (side, side)
            total[at] += np.asarray(enlarged.resize(size, Image.Resampling.BILINEAR))
    return np.stack([_scaled(map_) for map_ in total]) if len(total) else total


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """The same network with every tensor of weights shuffled within itself."""
    random = np.random.default_rng(seed)
    copy = keras.models.clone_model(model)
    copy.set_weights(
        [random.permuted(w.ravel()).reshape(w.shape) for w in model.get_weights()]
    )
    return copy


def _scaled(map_: np.ndarray) -> np.ndarray:
    above = np.maximum(map_, 0)
    return (above / max(float(above.max()), 1e-9)).astype(np.float32)
