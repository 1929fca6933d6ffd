"""Class activation maps: Grad-CAM and HiResCAM.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization", ICCV. Draelos and Carin 2020, "Use HiResCAM instead of
Grad-CAM for faithful explanations of convolutional neural networks", arXiv 2011.08891.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from medmodel.inference.receptive_fields import ReceptiveFields, receptive_fields
from medmodel.networks.models import heatmap_layers
from medmodel.networks.signed_sqrt import secants

_SPAN = 4
"""How much coarser than the finest a layer of HiResCAM may be."""
_FEWEST = 4
"""Cells in a row that still say something about a place."""
_FROM_SCRATCH = ("document_cnn", "compact_resnet")
"""Networks that never learn from millions of mirrored images: see
`receptive_fields`."""
FIRST_CHOICE = -1
"""Instead of a class: the one that the model finds most probable."""


@dataclass(frozen=True)
class Explained:
    """What one pass through the network tells.

    Args:
        heatmaps: float32 (n, height, width) in [0, 1].
        scores: float32 (n, num_classes), probabilities.
        features: float32 (n, d), what enters the last layer.
    """

    heatmaps: np.ndarray
    scores: np.ndarray
    features: np.ndarray


Explainer = Callable[[np.ndarray, Sequence[int]], Explained]


def explainable_layers(model: keras.Model) -> list[str]:
    """Layers for heat maps of a network that was not made here.

    Returns:
        Their names, as `models.heatmap_layers` gives them; none where no gradient
        reaches a map through which all passes: such maps are made by occlusion.
    """
    blank = np.zeros((1, *model.input_shape[1:]), np.uint8)
    try:
        layers = heatmap_layers(model)
        explainer(model, layers, faithful=True)(blank, [0])
    except (LookupError, AttributeError, ValueError, TypeError):
        return []
    return layers


def explainer(
    model: keras.Model,
    layers: Sequence[str],
    faithful: bool = False,
    usual: np.ndarray | None = None,
) -> Explainer:
    """Compiles Grad-CAM for one model, to be kept and called many times.

    One call costs one forward pass and the backward pass from the class's logit to the
    named layers; usually that is pooling and a dense layer. The gradient is that of
    the logit, since a saturated probability hardly has one.

    Several layers are treated as one whose channels lie side by side, after enlarging
    the coarser maps to the finest. Gradients are summed over a map instead of averaged,
    so maps of every resolution are on the scale of the logit; and a layer's gradient is
    taken with the deeper ones held fixed, so nothing is counted twice. Evidence against
    the class at one depth cancels evidence for it at another before the ReLU, which
    makes such maps two to three times as sharp as a sum of ReLUs. With a single layer
    all this is Grad-CAM to the letter.

    Args:
        model: Flat graph whose last layer is a `Dense` of softmax or sigmoid.
        layers: Names from `models.heatmap_layers`.
        faithful: HiResCAM: each place counts with its own gradient instead of the
            mean over the map, so the map never shows a place that did not add to the
            logit. Equal to Grad-CAM where only an average pooling follows. Looked at
            behind a maximum pooling, which passes one place of each window on: before
            it the same evidence would be a grid of dots. Of several layers those more
            than four times as coarse as the finest are left out: each of their places
            has seen nearly the whole image, so what they add to the logit has no
            place.
        usual: (d,) what enters the last layer for a usual training image, if the
            network is that of the recipe "Instant". Its roots are so steep near 0 that
            a slope at the image says little about a change one could see: instead,
            the mean slope between the usual image and this one counts (integrated
            gradients of the root: Sundararajan et al. 2017), and a place counts by what
            it has beyond the usual.

    Returns:
        A function of images, uint8 (n, height, width, channels), and for each of them
        the class to explain or `FIRST_CHOICE`. A map's largest value is 1, or the whole
        map is 0 where nothing spoke for the class. Probabilities come from the same
        pass.
    """
    dense = model.layers[-1]
    if faithful:
        layers = [_pooled(model, name) for name in layers]
    activations = [model.get_layer(name).output for name in layers]
    grids = _grids(model, layers)
    finest = min(grids, key=lambda grid: grid.step)
    side = max(int(x.shape[1]) for x in activations)
    enlarge = finest.readings(np.arange(model.input_shape[1]), side)
    backbone = keras.Model(model.input, activations)
    readout = keras.Model(activations, dense.input)

    signature = [
        tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    ]

    @tf.function(input_signature=signature)
    def compute(images: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, ...]:
        maps = backbone(images, training=False)
        maps = [tf.cast(x, tf.float32) for x in _as_list(maps)]
        with tf.GradientTape(
            persistent=usual is not None, watch_accessed_variables=False
        ) as tape:
            tape.watch(maps)
            features = tf.cast(readout(maps, training=False), tf.float32)
            with tape.stop_recording():
                logits = features @ dense.kernel + dense.bias
                first = tf.argmax(logits, axis=1, output_type=tf.int32)
                chosen = tf.where(wanted == FIRST_CHOICE, first, wanted)
                columns = tf.gather(tf.transpose(dense.kernel), chosen)
                columns, common = _weights(columns, features, usual)
            evidence = tf.reduce_sum(features * columns, axis=1)
            expected = tf.reduce_sum(features * common, axis=1)
        total = _evidence(maps, tape.gradient(evidence, maps), grids, faithful)
        if usual is not None:
            ones = [tf.ones_like(x) for x in maps]
            slopes = tape.gradient(expected, maps)
            total -= _evidence(ones, slopes, grids, faithful)
        total = tf.nn.relu(total)
        total = _read(total, tf.constant(enlarge))
        highest = tf.reduce_max(total, axis=(1, 2), keepdims=True)
        heatmaps = tf.math.divide_no_nan(total, highest)[..., 0]
        return heatmaps, dense.activation(logits), features

    def explain(images: np.ndarray, class_indices: Sequence[int]) -> Explained:
        wanted = tf.constant(np.asarray(class_indices, dtype=np.int32))
        tensors = compute(tf.constant(images), wanted)
        return Explained(*(tensor.numpy() for tensor in tensors))

    return explain


def _pooled(model: keras.Model, name: str) -> str:
    """The maximum pooling behind a layer if nothing else is, else the layer itself."""
    output = model.get_layer(name).output
    after = [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and any(x is output for x in _as_list(layer.input))
    ]
    if len(after) != 1 or not isinstance(after[0], keras.layers.MaxPooling2D):
        return name
    return str(after[0].name) if after[0].output.shape[1] >= _FEWEST else name


def _grids(model: keras.Model, names: Sequence[str]) -> list[ReceptiveFields]:
    """Where the cells of these layers look, in pixels of the input."""
    if model.name in _FROM_SCRATCH:
        fields = receptive_fields(model)
        return [fields[name] for name in names]
    sides = [int(model.get_layer(name).output.shape[1]) for name in names]
    return [ReceptiveFields.squares(model.input_shape[1], side) for side in sides]


def _weights(
    columns: tf.Tensor, features: tf.Tensor, usual: np.ndarray | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Weights of features, (n, d), and those times what is usual before the root."""
    if usual is None:
        return columns, tf.zeros_like(columns)
    ratio, expected = secants(features, tf.constant(usual, tf.float32))
    return columns * ratio, columns * ratio * expected


def _evidence(
    maps: list[tf.Tensor],
    gradients: list[tf.Tensor],
    grids: list[ReceptiveFields],
    faithful: bool,
) -> tf.Tensor:
    """What each place adds to the logit: (n, h, w, 1), cells of the finest map."""
    sides = [int(x.shape[1]) for x in maps]
    finest = int(np.argmax(sides))
    places = grids[finest].places(sides[finest])
    total = 0.0
    for x, gradient, grid, side in zip(maps, gradients, grids, sides, strict=True):
        if faithful and _SPAN * side < sides[finest]:
            continue
        weights = gradient
        if not faithful:
            weights = tf.reduce_sum(gradient, axis=(1, 2), keepdims=True)
        evidence = tf.reduce_sum(weights * x, axis=3, keepdims=True)
        total += _read(evidence, tf.constant(grid.readings(places, side)))
    return total


def _read(map_: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """A map (n, h, w, 1) read in both directions through `ReceptiveFields.readings`."""
    return tf.einsum("ah,nhwc,bw->nabc", matrix, map_, matrix)


def _as_list(value: object) -> list[tf.Tensor]:
    return list(value) if isinstance(value, list | tuple) else [value]
