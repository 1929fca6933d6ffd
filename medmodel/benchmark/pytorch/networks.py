"""EfficientNet-Lite0 and the Compact CNN as PyTorch has them, to compare with."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from medmodel.networks.lite import DEPTHS, OFFSET, SCALE, folded_convolution
from medmodel.networks.pretrained import efficientnet_lite0_weights

_SOFT = 1e-3
"""That of `networks.signed_sqrt`, which imports Keras."""
((_VARIANT, _LOOKED_AT),) = DEPTHS["efficientnet_lite0"]


class InstantFeatures(nn.Module):
    """The features of the recipe Instant, batch normalisation folded."""

    def __init__(self) -> None:
        super().__init__()
        tensors = efficientnet_lite0_weights()
        self.stem = _Convolution(tensors, "_conv_stem", "_bn0", stride=2)
        blocks: list[nn.Module] = []
        for stage, first in _VARIANT.blocks:
            name, stride = f"_blocks.{len(blocks)}.", stage.stride if first else 1
            expands = stage.expansion > 1
            blocks.append(_Block(tensors, name, stride, expands, not first))
        self.blocks = nn.ModuleList(blocks)
        self.head = _Convolution(tensors, "_conv_head", "_bn1")

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (n, height, width, 3) -> float32 (n, d)."""
        x = self.stem(pixels.permute(0, 3, 1, 2).float() * SCALE + OFFSET)
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        maps.append(self.head(x))
        seen = [maps[number] for number in _LOOKED_AT]
        pooled = [pool for x in seen for pool in (x.mean((2, 3)), x.amax((2, 3)))]
        features = torch.cat(pooled, 1)
        return features * torch.rsqrt(features.abs() + _SOFT)


class _Convolution(nn.Module):
    """Convolution padded as TensorFlow does, and ReLU6."""

    def __init__(
        self,
        tensors: dict[str, np.ndarray],
        conv: str,
        norm: str,
        stride: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        kernel, bias = folded_convolution(tensors, conv, norm)
        side, self.active = kernel.shape[-1], active
        groups = len(kernel) if "depthwise" in conv else 1
        self.halves, self.side = stride == 2, side
        self.conv = nn.Conv2d(
            kernel.shape[1] * groups,
            len(kernel),
            side,
            stride,
            padding=0 if self.halves else side // 2,
            groups=groups,
        )
        self.conv.weight.data = torch.tensor(kernel.astype(np.float32))
        self.conv.bias.data = torch.tensor(bias.astype(np.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.halves:
            # Of an even side the border is one pixel less at the top and left.
            borders = [
                self.side - 2 + length % 2 for length in (x.shape[3], x.shape[2])
            ]
            ends = [part for b in borders for part in (b // 2, b - b // 2)]
            x = functional.pad(x, ends)
        x = self.conv(x)
        return functional.relu6(x) if self.active else x


class _Block(nn.Module):
    """Expansion, depthwise convolution, projection, and the shortcut around them."""

    def __init__(
        self,
        tensors: dict[str, np.ndarray],
        name: str,
        stride: int,
        expands: bool,
        shortcut: bool,
    ) -> None:
        super().__init__()
        layers = [
            _Convolution(tensors, name + "_depthwise_conv", name + "_bn1", stride),
            _Convolution(tensors, name + "_project_conv", name + "_bn2", active=False),
        ]
        if expands:
            first = _Convolution(tensors, name + "_expand_conv", name + "_bn0")
            layers.insert(0, first)
        self.layers, self.shortcut = nn.Sequential(*layers), shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.shortcut else y


class CompactResNet(nn.Module):
    """The Compact CNN, see `networks.models`.

    Args:
        classes: Number of outputs.
        channels: Of the images.
    """

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.stem = _normalised(channels, 32, 2)
        self.blocks = nn.Sequential(
            *(_Residual(32, 32, 1), _Residual(32, 64, 2)),
            *(_Residual(64, 128, 2), _Residual(128, 192, 2)),
        )
        self.last = nn.Sequential(nn.Dropout(0.2), nn.Linear(192, classes))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (n, height, width, channels) -> float32 (n, classes), no softmax."""
        x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        x = self.blocks(functional.relu(self.stem(x)))
        return self.last(x.mean((2, 3)))


class _Residual(nn.Module):
    """Two convolutions and what goes around them."""

    def __init__(self, before: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = _normalised(before, filters, stride)
        self.second = _normalised(filters, filters, 1)
        around: list[nn.Module] = []
        if stride > 1:
            around.append(nn.AvgPool2d(stride, ceil_mode=True))
        if filters != before:
            around += [
                nn.Conv2d(before, filters, 1, bias=False),
                nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
            ]
        self.shortcut = nn.Sequential(*around)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(functional.relu(self.first(x)))
        return functional.relu(y + self.shortcut(x))


def _normalised(before: int, filters: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, filters, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(filters, eps=1e-3, momentum=0.1),
    )
