"""Image corruptions of five strengths: what goes wrong between a scanner and a model.

Their strengths are fractions of the image's side or of its range of grey levels, so
that they mean the same at any size. What is random comes from a seed: the same image,
seed and strength give the same pixels.

References: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", ICLR 2019; Di Salvo et al., "MedMNIST-C: Comprehensive
benchmark and improved classifier robustness by simulating realistic image
corruptions", arXiv:2406.17536 (2024).
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.language import N_

Pixels = NDArray[np.uint8]
"""(height, width, channels)."""
Corrupt = Callable[[Pixels, float, np.random.Generator], Pixels]

STRENGTHS = 5


@dataclass(frozen=True)
class Corruption:
    """One thing that may go wrong with an image.

    Args:
        title: What people call it.
        meaning: What it stands for, and what its strengths are, as a sentence.
        strengths: From the mildest to the strongest, in the unit of `meaning`.
        corrupt: Pixels, strength and a generator of random numbers -> other pixels.
    """

    title: str
    meaning: str
    strengths: tuple[float, float, float, float, float]
    corrupt: Corrupt

    def apply(self, pixels: Pixels, strength: int, seed: int = 0) -> Pixels:
        """The image after it.

        Args:
            pixels: uint8 (height, width, channels).
            strength: 1 to `STRENGTHS`.
            seed: Of what is random about it: directions, corners, noise.
        """
        generator = np.random.default_rng(seed)
        return self.corrupt(pixels, self.strengths[strength - 1], generator)


def _rounded(values: NDArray[np.floating]) -> Pixels:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _noise(pixels: Pixels, deviation: float, random: np.random.Generator) -> Pixels:
    # One noise for all channels: a grey image stays grey.
    noise = random.normal(0, 255 * deviation, (*pixels.shape[:2], 1))
    return _rounded(pixels + noise)


def _low_dose(pixels: Pixels, photons: float, random: np.random.Generator) -> Pixels:
    grey = pixels.mean(axis=2, keepdims=True)
    counted = random.poisson(grey / 255 * photons) / photons * 255
    return _rounded(pixels + (counted - grey))


def _blur(pixels: Pixels, sigma: float, random: np.random.Generator) -> Pixels:
    from scipy import ndimage

    side = max(pixels.shape[:2])
    spread = (sigma * side, sigma * side, 0)
    values = ndimage.gaussian_filter(pixels.astype(np.float32), spread, mode="nearest")
    return _rounded(values)


def _motion(pixels: Pixels, length: float, random: np.random.Generator) -> Pixels:
    from scipy import ndimage

    reach = max(1.0, length * max(pixels.shape[:2])) / 2
    angle = random.uniform(0, math.pi)
    steps = np.linspace(-reach, reach, 2 * math.ceil(reach) + 1)
    size = 2 * math.ceil(reach) + 1
    kernel = np.zeros((size, size, 1), np.float32)
    centre = size // 2
    for step in steps:
        row = centre + round(step * math.sin(angle))
        column = centre + round(step * math.cos(angle))
        kernel[row, column] += 1
    values = ndimage.convolve(
        pixels.astype(np.float32), kernel / kernel.sum(), mode="nearest"
    )
    return _rounded(values)


def _contrast(pixels: Pixels, share: float, random: np.random.Generator) -> Pixels:
    mean = pixels.mean()
    return _rounded(mean + share * (pixels - mean))


def _gamma(pixels: Pixels, exponent: float, random: np.random.Generator) -> Pixels:
    power = exponent if random.random() < 0.5 else 1 / exponent
    return _rounded(255 * (pixels / 255.0) ** power)


def _jpeg(pixels: Pixels, quality: float, random: np.random.Generator) -> Pixels:
    from PIL import Image

    grey = pixels.shape[2] == 1
    file = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    image.save(file, "JPEG", quality=round(quality))
    with Image.open(file) as compressed:
        values = np.asarray(compressed)
    return values[..., None] if grey else values


def _marker(pixels: Pixels, height: float, random: np.random.Generator) -> Pixels:
    from PIL import Image, ImageDraw, ImageFont

    rows, columns = pixels.shape[:2]
    size = max(6, round(height * min(rows, columns)))
    mask = Image.new("L", (columns, rows))
    text = "L" if random.random() < 0.5 else "R"
    margin = size // 3
    left = margin if random.random() < 0.5 else columns - margin - size
    top = margin if random.random() < 0.5 else rows - margin - size
    font = ImageFont.load_default(size)
    ImageDraw.Draw(mask).text((left, top), text, fill=255, font=font)
    written = np.asarray(mask, np.float32)[..., None] / 255
    return _rounded(pixels * (1 - written) + 255 * written)


def _rotation(pixels: Pixels, degrees: float, random: np.random.Generator) -> Pixels:
    from scipy import ndimage

    signed = degrees if random.random() < 0.5 else -degrees
    values = ndimage.rotate(
        pixels.astype(np.float32), signed, reshape=False, order=1, mode="nearest"
    )
    return _rounded(values)


def _crop(pixels: Pixels, share: float, random: np.random.Generator) -> Pixels:
    from PIL import Image

    rows, columns = pixels.shape[:2]
    height, width = (max(1, round(share * side)) for side in (rows, columns))
    top = int(random.integers(0, rows - height + 1))
    left = int(random.integers(0, columns - width + 1))
    cut = pixels[top : top + height, left : left + width]
    grey = pixels.shape[2] == 1
    image = Image.fromarray(cut[..., 0] if grey else cut)
    values = np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))
    return values[..., None] if grey else values


CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption(
        N_("Noise"),
        N_("Gaussian noise of a standard deviation of 2 to 18 % of the grey range."),
        (0.02, 0.04, 0.08, 0.12, 0.18),
        _noise,
    ),
    "low_dose": Corruption(
        N_("Low dose"),
        N_("Poisson noise of 200 down to 12 photons where the image is white."),
        (200, 100, 50, 25, 12),
        _low_dose,
    ),
    "blur": Corruption(
        N_("Blur"),
        N_("A Gaussian of a standard deviation of 0.6 to 3 % of the image's side."),
        (0.006, 0.01, 0.015, 0.02, 0.03),
        _blur,
    ),
    "motion": Corruption(
        N_("Motion"),
        N_("Smeared along a straight line of 2 to 13 % of the image's side."),
        (0.02, 0.04, 0.06, 0.09, 0.13),
        _motion,
    ),
    "contrast": Corruption(
        N_("Low contrast"),
        N_("Contrast of 80 down to 20 % around the mean grey level."),
        (0.8, 0.65, 0.5, 0.35, 0.2),
        _contrast,
    ),
    "gamma": Corruption(
        N_("Gamma"),
        N_("Middle greys brighter or darker: gamma of 1.2 to 2.6, or 1 over it."),
        (1.2, 1.4, 1.7, 2.1, 2.6),
        _gamma,
    ),
    "jpeg": Corruption(
        N_("JPEG compression"),
        N_("Compressed by JPEG at a quality of 60 down to 8."),
        (60, 40, 25, 15, 8),
        _jpeg,
    ),
    "marker": Corruption(
        N_("Marker"),
        N_("A white L or R of 5 to 18 % of the image's side in one of its corners."),
        (0.05, 0.08, 0.11, 0.14, 0.18),
        _marker,
    ),
    "rotation": Corruption(
        N_("Rotation"),
        N_("Turned by 2 to 15 degrees to either side."),
        (2, 4, 7, 11, 15),
        _rotation,
    ),
    "crop": Corruption(
        N_("Crop"),
        N_("97 down to 75 % of its height and width, anywhere, enlarged again."),
        (0.97, 0.94, 0.9, 0.83, 0.75),
        _crop,
    ),
}
"""Key -> corruption, in the order in which they are shown."""
MOVING = frozenset({"rotation", "crop"})
"""Those that move what an image shows: masks would have to move with it."""


def corrupt_some(
    images: NDArray[np.uint8],
    share: float,
    random: np.random.Generator,
    in_place: bool = False,
) -> NDArray[np.uint8]:
    """Some images after one corruption each, of any kind and strength.

    Augmentation for training, as in MedMNIST-C (Di Salvo et al. 2024). How often and
    what is drawn depends on the generator and the number of images alone.

    Args:
        images: uint8 (n, height, width, channels); stays as it is.
        share: Of the images that are corrupted, as a probability of each.
        random: Decides which, how and how strongly.
        in_place: Whether nothing may move, since masks belong to the images.

    Returns:
        uint8 of the same shape.
    """
    kinds = [key for key in CORRUPTIONS if not (in_place and key in MOVING)]
    count = len(images)
    chosen = random.random(count) < share
    kind = random.integers(len(kinds), size=count)
    strength = random.integers(1, STRENGTHS + 1, size=count)
    seeds = random.integers(2**31, size=count)
    changed = images.copy()
    for at in np.flatnonzero(chosen):
        corruption = CORRUPTIONS[kinds[kind[at]]]
        pixels = corruption.apply(images[at], int(strength[at]), int(seeds[at]))
        changed[at] = pixels
    return changed
