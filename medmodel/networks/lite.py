"""What EfficientNet-Lite0 and -Lite2 are made of, without any library that computes it.

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


class Stage(NamedTuple):
    """Blocks of one scale; widths and kernels are those of the weights.

    Args:
        stride: Of the first block's.
        expansion: Channels inside a block / those that enter it.
    """

    stride: int
    expansion: int


STAGES = (
    Stage(1, 1),
    Stage(2, 6),
    Stage(2, 6),
    Stage(2, 6),
    Stage(1, 6),
    Stage(2, 6),
    Stage(1, 6),
)


class Variant(NamedTuple):
    """One size of the network.

    Args:
        prefix: Before the names of its layers, so that several fit in one graph.
        repeats: Blocks of each stage.
    """

    prefix: str
    repeats: tuple[int, ...]

    @property
    def blocks(self) -> list[tuple[Stage, bool]]:
        """Stage of every block, and whether it is the first of its stage."""
        return [
            (stage, number == 0)
            for stage, repeats in zip(STAGES, self.repeats, strict=True)
            for number in range(repeats)
        ]


LITE0 = Variant("", (1, 2, 2, 3, 3, 4, 1))
LITE2 = Variant("lite2_", (1, 3, 3, 4, 4, 5, 1))
_OF_LITE0 = (2, 4, 7, 10, 14, 16, 1, 3, 5, 6, 8, 9, 11, 12, 13, 15)
DEPTHS: dict[str, tuple[tuple[Variant, tuple[int, ...]], ...]] = {
    "efficientnet_lite0": ((LITE0, _OF_LITE0),),
    "efficientnet_lite0_lite2": ((LITE0, _OF_LITE0), (LITE2, tuple(range(1, 22)))),
}
"""Where the recipe "Instant" looks, in the order of its features: network -> blocks of
each variant, the last number being the head. What tells familiar images from others
looks at the first six alone. The first block of all is left out: next to its fine map
the others would count for nothing in heat maps."""


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
