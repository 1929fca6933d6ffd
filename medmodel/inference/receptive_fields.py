"""Receptive-field centres of the cells of a feature map.

A stride moves cells: with "same" padding a 3 x 3 convolution of stride 2 on an even
side looks at one pixel more to the right and below than to the left and above. After
three of them the middle of what a cell sees lies 3.5 pixels beside the middle of the
square that it stands for, and a heat map that ignores this points beside the lesion.
Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks",
Distill, section "Alignment".

A network that has learned from many mirrored images has evened this out by itself:
its kernels weigh the other side more (EfficientNet-Lite0 points at drawn lesions
without any correction, and 4 % of the side beside them with it).
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

_WINDOWED = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
)


@dataclass(frozen=True)
class ReceptiveFields:
    """The grid of a layer on the image, alike in both directions.

    Args:
        step: From one cell to the next, in pixels of the input.
        first: Middle of what the first cell sees; 0 is the middle of the first pixel.
    """

    step: float
    first: float

    @staticmethod
    def squares(pixels: int, count: int) -> ReceptiveFields:
        """A grid whose cells look at the middle of the squares they stand for."""
        step = pixels / count
        return ReceptiveFields(step, (step - 1) / 2)

    def places(self, count: int) -> np.ndarray:
        """Middles of the first `count` cells in pixels, (count,)."""
        return self.first + self.step * np.arange(count)

    def readings(self, places: np.ndarray, count: int) -> np.ndarray:
        """A matrix that reads `count` cells at places between them, linearly.

        Args:
            places: In pixels, (n,). Outside the grid the nearest cell counts.
            count: Cells in a row.

        Returns:
            (n, count) float32; every row sums to 1.
        """
        at = np.clip((np.asarray(places) - self.first) / self.step, 0, count - 1)
        left = np.minimum(np.floor(at).astype(int), max(count - 2, 0))
        rows = np.arange(len(at))
        matrix = np.zeros((len(at), count), np.float32)
        matrix[rows, left] = 1 - (at - left)
        matrix[rows, np.minimum(left + 1, count - 1)] += at - left
        return matrix


def receptive_fields(model: keras.Model) -> dict[str, ReceptiveFields]:
    """The grid of every layer of a flat model that still knows a place, by name.

    Where branches meet whose grids differ by parts of a step, their mean counts.
    """
    fields: dict[str, ReceptiveFields] = {}
    for layer in model.layers:
        if len(layer.output.shape) != 4:
            continue
        if isinstance(layer, layers.InputLayer):
            fields[layer.name] = ReceptiveFields(1.0, 0.0)
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        sources = [(x, fields.get(x._keras_history.operation.name)) for x in inputs]
        spatial = [(x.shape[1], cells) for x, cells in sources if cells and x.shape[1]]
        # A branch of one cell weighs channels and has no place.
        spatial = [pair for pair in spatial if pair[0] > 1] or spatial
        if spatial:
            passed = [_after(layer, side, cells) for side, cells in spatial]
            first = float(np.mean([cells.first for cells in passed]))
            fields[layer.name] = ReceptiveFields(
                max(cells.step for cells in passed), first
            )
    return fields


def _after(layer: keras.Layer, side: int, before: ReceptiveFields) -> ReceptiveFields:
    """The grid behind one layer whose input has so many cells in a row."""
    if isinstance(layer, layers.ZeroPadding2D):
        return ReceptiveFields(
            before.step, before.first - layer.padding[0][0] * before.step
        )
    if isinstance(layer, layers.Cropping2D):
        return ReceptiveFields(
            before.step, before.first + layer.cropping[0][0] * before.step
        )
    now = layer.output.shape[1]
    if isinstance(layer, _WINDOWED):
        pooling = isinstance(layer, (layers.MaxPooling2D, layers.AveragePooling2D))
        size = (layer.pool_size if pooling else layer.kernel_size)[0]
        size = 1 + (size - 1) * (1 if pooling else _pair(layer.dilation_rate))
        stride = _pair(layer.strides)
        padded = 0
        if layer.padding == "same":
            padded = max((now - 1) * stride + size - side, 0) // 2
        moved = (size - 1) / 2 - padded
        return ReceptiveFields(before.step * stride, before.first + before.step * moved)
    # Whatever else changes the side stretches the image.
    ratio = side / now if now else 1.0
    moved = (ratio - 1) / 2
    return ReceptiveFields(before.step * ratio, before.first + before.step * moved)


def _pair(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]
