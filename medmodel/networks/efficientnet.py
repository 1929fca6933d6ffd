"""EfficientNet-Lite0 with its ImageNet weights, as a flat Keras graph."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from medmodel.networks.lite0 import EPSILON, STAGES, folded_convolution


def lite0_maps(
    pixels: keras.KerasTensor, tensors: dict[str, np.ndarray], folded: bool = False
) -> list[keras.KerasTensor]:
    """What each of the 16 blocks and the head put out.

    Args:
        pixels: (n, height, width, 3), RGB as `value * SCALE + OFFSET`.
        tensors: The state dict from `pretrained.efficientnet_lite0_weights`.
        folded: Whether batch normalisation becomes part of the convolutions: the same
            numbers for half the work, but nothing to fine-tune.
    """
    conv = _Convolution(tensors, folded)
    x = conv(pixels, "_conv_stem", "_bn0", stride=2)
    maps: list[keras.KerasTensor] = []
    for stage in STAGES:
        for repeat in range(stage.repeats):
            block, shortcut = f"_blocks.{len(maps)}.", x
            stride = stage.stride if repeat == 0 else 1
            if stage.expansion > 1:
                x = conv(x, block + "_expand_conv", block + "_bn0")
            x = conv(x, block + "_depthwise_conv", block + "_bn1", stride)
            x = conv(x, block + "_project_conv", block + "_bn2", active=False)
            if repeat > 0:
                x = layers.Add(name=f"block{len(maps)}_add")([shortcut, x])
            maps.append(x)
    return [*maps, conv(x, "_conv_head", "_bn1")]


class _Convolution:
    """Makes convolution, batch normalisation and ReLU6 from torch's tensors.

    Args:
        tensors: The state dict.
        folded: Whether batch normalisation becomes part of the convolution.
    """

    def __init__(self, tensors: dict[str, np.ndarray], folded: bool) -> None:
        self.tensors = tensors
        self.folded = folded

    def __call__(
        self,
        x: keras.KerasTensor,
        conv: str,
        norm: str,
        stride: int = 1,
        active: bool = True,
    ) -> keras.KerasTensor:
        kernel = self.tensors[conv + ".weight"]
        name = conv.replace("_blocks.", "block").replace("._", "_").strip("_")
        values = [kernel]
        if self.folded:
            values = [*folded_convolution(self.tensors, conv, norm)]
        options: dict[str, Any] = {
            "strides": stride,
            "padding": "same",
            "use_bias": self.folded,
            "name": name,
        }
        size = kernel.shape[-1]
        if "depthwise" in conv:
            layer = layers.DepthwiseConv2D(size, **options)
            values[0] = values[0].transpose(2, 3, 0, 1)
        else:
            layer = layers.Conv2D(kernel.shape[0], size, **options)
            values[0] = values[0].transpose(2, 3, 1, 0)
        x = layer(x)
        layer.set_weights(values)
        if not self.folded:
            layer = layers.BatchNormalization(epsilon=EPSILON, name=name + "_bn")
            x = layer(x)
            keys = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([self.tensors[f"{norm}.{key}"] for key in keys])
        return layers.ReLU(6.0, name=name + "_relu6")(x) if active else x
