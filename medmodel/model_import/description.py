"""What a foreign model's file says of itself, and what has to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from medmodel.core.control_characters import one_line
from medmodel.core.preprocessing import Colour, Fit
from medmodel.language import N_

SourceFormat = Literal["keras", "h5", "onnx", "saved_model"]
FORMAT_TITLES: dict[str, str] = {
    "keras": "Keras 3",
    "h5": "Keras HDF5",
    "onnx": "ONNX",
    "saved_model": "TensorFlow SavedModel",
}
SMALLEST_SIDE, LARGEST_SIDE = 8, 1024
MOST_CLASSES = 1000
DEFAULT_SIZE = 224
"""Offered where the file leaves the size open: that of most networks."""
Scale = Literal["raw", "unit", "symmetric", "imagenet", "caffe"]
SCALES: dict[Scale, str] = {
    "raw": N_("0 to 255 (the model normalises by itself)"),
    "unit": N_("0 to 1"),
    "symmetric": N_("-1 to 1 (Teachable Machine, MobileNet)"),
    "imagenet": N_("ImageNet mean and standard deviation (PyTorch)"),
    "caffe": N_("BGR minus the ImageNet mean (ResNet50 and VGG of Keras)"),
}
"""How pixels are to be scaled before the foreign model sees them."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class ModelDescription:
    """What can be told of a model without running it.

    Args:
        format: Of the file.
        size: Height and width of its input in pixels; 0 where the file leaves it open.
        channels: 1 or 3; 0 where the file leaves it open.
        outputs: Numbers that it gives for an image; 0 where that is not known.
        classes: Their names, where the file or a list beside it has them.
        scale: Key of `SCALES` that is likely.
        fit: How images that are not square are likely to be made so.
        window: Of scans, where the file says so.
        tool: With which it was made, where that can be told; else "".
    """

    format: SourceFormat
    size: int = 0
    channels: int = 0
    outputs: int = 0
    classes: list[str] = field(default_factory=list)
    scale: Scale = "unit"
    fit: Fit = "pad"
    window: str = "auto"
    tool: str = ""

    @property
    def class_count(self) -> int:
        """How many classes must be named: two for a single probability; 0 unknown."""
        return 2 if self.outputs == 1 else self.outputs


@dataclass(frozen=True)
class ImportSettings:
    """What the person who imports a model says of it.

    Args:
        name: What the model is called.
        classes: Name of each output, in their order; of a single output the name of
            the class that it speaks against, then of the one it speaks for.
        size: Height and width of the input in pixels.
        fit, colour, window: See `Preprocessing`.
        scale: Key of `SCALES`.
    """

    name: str
    classes: list[str]
    size: int
    fit: Fit = "pad"
    colour: Colour = "rgb"
    window: str = "auto"
    scale: Scale = "unit"


def scale_factors(scale: Scale, channels: int) -> tuple[list[float], list[float]]:
    """Factor and offset of each channel; of `caffe` after red and blue are exchanged.

    Args:
        scale: Key of `SCALES`; the last two need three channels.
        channels: 1 or 3.
    """
    if scale == "imagenet":
        factors = [1 / (255 * deviation) for deviation in _DEVIATION]
        return factors, [-m / d for m, d in zip(_MEAN, _DEVIATION, strict=True)]
    if scale == "caffe":
        return [1.0] * 3, [-mean for mean in _CAFFE_MEAN]
    factor, offset = {"raw": (1.0, 0.0), "unit": (1 / 255, 0.0)}.get(
        scale, (1 / 127.5, -1.0)
    )
    return [factor] * channels, [offset] * channels


def read_labels(text: str) -> list[str]:
    """Class names from a list with one a line, as `labels.txt`.

    Control characters are left out, and numbers before the names, as Teachable Machine
    writes them, where they count from 0 or 1 without a gap.
    """
    lines = [line for line in map(one_line, text.splitlines()) if line]
    parts = [line.partition(" ") for line in lines]
    numbers = [first.rstrip(":.") for first, _, _ in parts]
    named = all(rest.strip() for _, _, rest in parts)
    for start in (0, 1):
        counted = [str(start + at) for at in range(len(lines))]
        if lines and named and numbers == counted:
            return [rest.strip() for _, _, rest in parts]
    return lines


def suggested_classes(description: ModelDescription) -> Sequence[str]:
    """Names to start from: those of the file, else numbers."""
    count = description.class_count
    if not count or len(description.classes) == count:
        return description.classes
    return [str(at) for at in range(count)]
