"""What EfficientNet-Lite0 is made of, without any library that computes it.

EfficientNet: Tan and Le 2019, ICML. The Lite variant has no squeeze-and-excitation,
uses ReLU6, and keeps stem and head at the same width for every size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# The network was trained on (pixels - 127) / 128.
SCALE, OFFSET = 1 / 128, -127 / 128
EPSILON = 1e-3
"""Of its batch normalisation."""
INSTANT_BLOCKS = (2, 4, 7, 10, 14)
"""Where the recipe "Instant" looks, beside the head: the last block of each scale."""


class Stage(NamedTuple):
    """Blocks of one scale.

    Args:
        repeats: How many blocks.
        kernel: Side of the depthwise convolution.
        stride: Of the first block's.
        expansion: Channels inside a block / those that enter it.
        channels: That leave it.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def folded_convolution(
    tensors: dict[str, np.ndarray], conv: str, norm: str
) -> tuple[np.ndarray, np.ndarray]:
    """A convolution that batch normalisation became part of.

    Args:
        tensors: The state dict from `pretrained.efficientnet_lite0_weights`.
        conv: Name of the convolution in it.
        norm: Name of its batch normalisation.

    Returns:
        Kernel in torch's order (out, in, height, width), and bias (out,).
    """
    gamma, beta, mean, variance = (
        tensors[f"{norm}.{key}"]
        for key in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + EPSILON)
    kernel = tensors[conv + ".weight"] * factor[:, None, None, None]
    return kernel, beta - mean * factor
