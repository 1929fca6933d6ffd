"""EfficientNet-Lite0 and -Lite2 with their ImageNet weights, as flat Keras graphs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from medmodel.networks.lite import EPSILON, LITE0, Variant, folded_convolution


def lite_maps(
    pixels: keras.KerasTensor,
    tensors: dict[str, np.ndarray],
    variant: Variant = LITE0,
    folded: bool = False,
) -> list[keras.KerasTensor]:
    """What each block and the head put out: 16 blocks of Lite0, 21 of Lite2.

    Args:
        pixels: (n, height, width, 3), RGB as `value * SCALE + OFFSET`.
        tensors: The variant's state dict from `pretrained`.
        variant: `LITE0` or `LITE2`.
        folded: Whether batch normalisation becomes part of the convolutions: the same
            numbers for half the work, but nothing to fine-tune.
    """
    conv = _Convolution(tensors, folded, variant.prefix)
    x = conv(pixels, "_conv_stem", "_bn0", stride=2)
    maps: list[keras.KerasTensor] = []
    for stage, first in variant.blocks:
        block, shortcut = f"_blocks.{len(maps)}.", x
        stride = stage.stride if first else 1
        if stage.expansion > 1:
            x = conv(x, block + "_expand_conv", block + "_bn0")
        x = conv(x, block + "_depthwise_conv", block + "_bn1", stride)
        x = conv(x, block + "_project_conv", block + "_bn2", active=False)
        if not first:
            name = f"{variant.prefix}block{len(maps)}_add"
            x = layers.Add(name=name)([shortcut, x])
        maps.append(x)
    return [*maps, conv(x, "_conv_head", "_bn1")]


class _Convolution:
    """Makes convolution, batch normalisation and ReLU6 from torch's tensors.

    Args:
        tensors: The state dict.
        folded: Whether batch normalisation becomes part of the convolution.
        prefix: Before the names of layers.
    """

    def __init__(
        self, tensors: dict[str, np.ndarray], folded: bool, prefix: str
    ) -> None:
        self.tensors = tensors
        self.folded = folded
        self.prefix = prefix

    def __call__(
        self,
        x: keras.KerasTensor,
        conv: str,
        norm: str,
        stride: int = 1,
        active: bool = True,
    ) -> keras.KerasTensor:
        kernel = self.tensors[conv + ".weight"]
        plain = conv.replace("_blocks.", "block").replace("._", "_").strip("_")
        name = self.prefix + plain
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
