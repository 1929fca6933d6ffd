"""Ensemble: several classifiers as one flat Keras graph that averages probabilities.

Lakshminarayanan, Pritzel and Blundell 2017, "Simple and Scalable Predictive Uncertainty
Estimation using Deep Ensembles", NeurIPS. The mean is geometric, a logarithmic opinion
pool (Genest and Zidek 1986, Statistical Science 1, 114): unlike the arithmetic one it
does not leave calibrated members less sure together than each is alone (Ranjan and
Gneiting 2010, Journal of the Royal Statistical Society B 72, 71). The graph ends as all
models here do, in a softmax `Dense`, so it is saved, exported and asked like any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from PIL import Image

from medmodel.core.preprocessing import Preprocessing

_LUMINANCE = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow makes grey of colour."""
_SMALLEST = 1e-7
"""Added to probabilities: bounds how far one sure member outweighs the others."""


@dataclass(frozen=True)
class Part:
    """One classifier of an ensemble.

    Args:
        model: Flat graph in float32 whose last layer is a softmax `Dense`.
        temperature: By which its logits are divided.
    """

    model: keras.Model
    temperature: float


def part_name(number: int) -> str:
    """How names of the layers of a part begin, counted from 1."""
    return f"member{number}"


def input_name(number: int) -> str:
    """The layer that puts out what a part sees, float32 (n, size, size, channels)."""
    return f"{part_name(number)}_pixels"


def output_name(number: int) -> str:
    """The layer that puts out a part's probabilities."""
    return f"{part_name(number)}_probabilities"


def ensemble_model(parts: Sequence[Part], preprocessing: Preprocessing) -> keras.Model:
    """The geometric mean of calibrated probabilities of some classifiers.

    Args:
        parts: At least two, of the same classes. Layers are named after their number,
            so that each can be taken out of the graph again.
        preprocessing: Of the images; for parts that take smaller or grey ones these are
            shrunk, or made grey, inside the graph.

    Returns:
        A model from uint8 (n, size, size, channels) to float32 (n, num_classes), rows
        scaled to sum to 1.
    """
    images = keras.Input(preprocessing.shape, dtype="uint8", name="pixels")
    scores = [_scores(part, images, number) for number, part in enumerate(parts, 1)]
    logs = [keras.ops.log(each + _SMALLEST) for each in scores]
    mean = layers.Average(dtype="float32", name="mean")(logs)
    # The softmax of logarithms gives back what they were of, summing to 1.
    classes = int(mean.shape[-1])
    last = layers.Dense(
        classes, activation="softmax", dtype="float32", name="probabilities"
    )
    model = keras.Model(images, last(mean), name="ensemble")
    last.set_weights([np.eye(classes), np.zeros(classes)])
    # Layers of the parts remember the graphs that they were copied from: made anew,
    # each has one output.
    fresh = keras.Model.from_config(model.get_config())
    fresh.set_weights(model.get_weights())
    return fresh


def _scores(part: Part, images: keras.KerasTensor, number: int) -> keras.KerasTensor:
    """A part's probabilities, its layers under names of their own."""
    prefix = part_name(number)
    shape = tuple(part.model.input_shape[1:])

    def renamed(layer: Any) -> Any:
        name = f"{prefix}_{layer.name}"
        if layer is part.model.layers[-1]:
            name = output_name(number)
        return type(layer).from_config({**layer.get_config(), "name": name})

    copy = keras.models.clone_model(
        part.model,
        # What is shrunk is no whole number any more.
        input_tensors=keras.Input(shape, dtype="float32"),
        clone_function=renamed,
    )
    copy.set_weights(part.model.get_weights())
    kernel, bias = copy.layers[-1].get_weights()
    copy.layers[-1].set_weights([kernel / part.temperature, bias / part.temperature])
    # Not `copy(...)`, which would nest it; nor `copy.call(...)`, which converts first.
    part_of_graph = keras.Function(copy.input, copy.output)
    return part_of_graph.call(_as_seen(images, shape, number))


def _as_seen(
    images: keras.KerasTensor, shape: tuple[int, ...], number: int
) -> keras.KerasTensor:
    """Images at the size and in the colour of a part."""
    prefix = part_name(number)
    x = layers.Rescaling(1.0, dtype="float32", name=f"{prefix}_float")(images)
    if shape[2] < x.shape[3]:
        grey = np.array(_LUMINANCE)[:, None]
        x = _linear(x, "nhwc,cd->nhwd", grey, f"{prefix}_grey")
    if shape[0] != x.shape[1]:
        matrix = shrinking(x.shape[1], shape[0])
        x = _linear(x, "nhwc,ah->nawc", matrix, f"{prefix}_rows")
        x = _linear(x, "nhwc,bw->nhbc", matrix, f"{prefix}_columns")
    return layers.ReLU(255.0, dtype="float32", name=input_name(number))(x)


def _linear(
    x: keras.KerasTensor, equation: str, matrix: np.ndarray, name: str
) -> keras.KerasTensor:
    """A fixed matrix as a layer, which all formats of models know."""
    result = keras.ops.einsum(equation, x, keras.KerasTensor(matrix.shape))
    layer = layers.EinsumDense(
        equation, result.shape[1:], dtype="float32", name=name, trainable=False
    )
    y = layer(x)
    layer.set_weights([matrix])
    return y


def shrinking(source: int, target: int) -> np.ndarray:
    """How lines of pixels shrink as `imaging.scaling.scaled` shrinks them.

    Returns:
        float32 (target, source).
    """
    lines = Image.fromarray(np.eye(source, dtype=np.float32))
    shrunk = lines.resize((target, source), Image.Resampling.HAMMING)
    return np.asarray(shrunk).T.copy()
