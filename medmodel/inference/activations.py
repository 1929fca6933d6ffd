"""Activations: the output of every layer of a network for one image."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

MOST_MAPS = 8
MOST_LAYERS = 30
"""Layers that are looked at together; the last one comes on top."""
LARGEST = 64
"""Pixels of a map's side at most; larger ones are thinned out."""

_KINDS: dict[type[keras.Layer], str] = {
    layers.Rescaling: "scale",
    layers.DepthwiseConv2D: "depthwise convolution",
    layers.Conv2D: "convolution",
    layers.MaxPooling2D: "maximum pooling",
    layers.AveragePooling2D: "average pooling",
    layers.GlobalAveragePooling2D: "average over the area",
    layers.GlobalMaxPooling2D: "maximum over the area",
    layers.Flatten: "flatten",
    layers.Dense: "dense",
}


def layer_activations(
    model: keras.Model, image: np.ndarray, first: int = 0
) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """The outputs of the layers that people are taught about, for one image.

    Args:
        model: Flat graph, ending in a softmax `Dense`.
        image: uint8 (height, width, channels).
        first: From which of these layers on, from 0; `MOST_LAYERS` of them, and always
            the last one.

    Returns:
        For each layer its number from 1, of how many, its name, kind, output shape,
        lowest and highest value, and number of weights; and for each an array: float32
        (up to `MOST_MAPS`, height, width) of the channels that vary most, or (values,)
        of layers without an area.
    """
    numbered = list(enumerate((x for x in model.layers if _kind(x)), start=1))
    chosen = numbered[:-1][first : first + MOST_LAYERS] + numbered[-1:]
    inside = keras.Model(model.input, [layer.output for _, layer in chosen])
    # A list, since Keras does not wrap a single output in one.
    outputs = _as_list(inside(image[None], training=False))
    facts, arrays = [], []
    for (number, layer), output in zip(chosen, outputs, strict=True):
        values = np.asarray(output, np.float32)[0]
        facts.append(
            {
                "number": number,
                "of": len(numbered),
                "name": layer.name,
                "kind": _kind(layer),
                "shape": list(values.shape),
                "low": float(values.min()),
                "high": float(values.max()),
                "weights": int(layer.count_params()),
            }
        )
        arrays.append(_maps(values) if values.ndim == 3 else values)
    return facts, arrays


def _as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _kind(layer: keras.Layer) -> str:
    return next((kind for made, kind in _KINDS.items() if isinstance(layer, made)), "")


def _maps(values: np.ndarray) -> np.ndarray:
    step = max(1, -(-max(values.shape[:2]) // LARGEST))
    spread = values.std(axis=(0, 1))
    chosen = np.sort(np.argsort(-spread, kind="stable")[:MOST_MAPS])
    return np.ascontiguousarray(values[::step, ::step, chosen].transpose(2, 0, 1))
