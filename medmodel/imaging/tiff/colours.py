"""Samples of a TIFF as grey levels or RGB, by its kind of colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageCms
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from medmodel.imaging.channels import (
    from_cmyk,
    from_ycbcr,
    lay_on_black,
    single_channel,
    to_grey_levels,
)
from medmodel.imaging.tiff.directories import Samples, is_rgb, tag_of
from medmodel.imaging.windows import Pixels, values_and_window

_WEIGHTS, _LEVELS = 529, 532
COLOURS = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.MASK: 1,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.CIELAB: 3,
    PHOTOMETRIC.ICCLAB: 3,
    PHOTOMETRIC.SEPARATED: 4,
}
"""How many samples make the colour of a pixel; others are not offered."""


def shown_pixels(page: Any, samples: Samples, name: str) -> Pixels:
    """Grey levels or RGB of stored samples, alpha laid on black; not yet upright."""
    count, alpha, bits = COLOURS[page.photometric], _alpha_sample(page), _bits(page)
    pixels = _without_alpha(page, samples[..., :count], bits, name)
    if alpha is not None:
        pixels = lay_on_black(pixels, samples[..., alpha], bits)
    return single_channel(pixels)


def measured_values(page: Any, samples: Samples, values: bool) -> dict[str, Any]:
    """Whether it is grey of many bits and, if wanted, its values and their window."""
    inverted = page.photometric == PHOTOMETRIC.MINISWHITE
    is_grey = inverted or page.photometric == PHOTOMETRIC.MINISBLACK
    few = samples.dtype.kind in "ub" and _bits(page) <= 8
    if not is_grey or few or _alpha_sample(page) is not None:
        return {}
    measured = values_and_window(samples[..., 0], inverted) if values else {}
    return {"many_bits": True, **measured}


def _bits(page: Any) -> int:
    # Samples of different bits are enlarged by the decoder to those of their type.
    if isinstance(page.bitspersample, int):
        return page.bitspersample
    return int(page.dtype.itemsize * 8)


def mode_of(page: Any) -> str:
    """Kind of colour, depth, and which channels are not shown, in words."""
    photometric, dtype = page.photometric, page.dtype
    is_plain = dtype is None or dtype.kind in "ub"
    depth = f"{_bits(page)} bits" if is_plain else str(dtype)
    mode = f"{getattr(photometric, 'name', photometric)}, {depth}"
    count = COLOURS.get(photometric, 0)
    known = count + (_alpha_sample(page) is not None)
    known += EXTRASAMPLE.ASSOCALPHA in page.extrasamples
    if not count or page.samplesperpixel <= known:
        return mode
    first = "first" if count == 1 else f"first {count}"
    return f"{mode}, {first} of {page.samplesperpixel} channels"


def _alpha_sample(page: Any) -> int | None:
    """Which sample is alpha that colours have not been multiplied by yet.

    Where a fourth sample of RGB is not said to be anything it is alpha, as programs
    take it that write so.
    """
    count, extra = COLOURS[page.photometric], tuple(page.extrasamples)
    if not extra and count == 3 and page.samplesperpixel == 4:
        return 3
    if EXTRASAMPLE.UNASSALPHA in extra:
        return count + extra.index(EXTRASAMPLE.UNASSALPHA)
    return None


def _without_alpha(page: Any, samples: Samples, bits: int, name: str) -> Pixels:
    photometric = page.photometric
    if photometric == PHOTOMETRIC.PALETTE:
        return _from_palette(page.colormap, samples)
    if photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB):
        return _from_lab(samples, bits, photometric == PHOTOMETRIC.CIELAB)
    if photometric == PHOTOMETRIC.YCBCR and not is_rgb(page):
        weights = _fractions(page, _WEIGHTS, (0.299, 0.587, 0.114))
        levels = _fractions(page, _LEVELS, (0, 255, 128, 255, 128, 255))
        return from_ycbcr(samples, weights, levels)
    if page.compression == COMPRESSION.APERIO_JP2000_YCBC:
        return from_ycbcr(samples, (0.299, 0.587, 0.114), (0, 255, 128, 255, 128, 255))
    if photometric == PHOTOMETRIC.SEPARATED:
        full = 1.0 if samples.dtype.kind == "f" else 2.0**bits - 1
        samples = from_cmyk(samples, full)
    inverted = photometric == PHOTOMETRIC.MINISWHITE
    return to_grey_levels(samples, bits, name, inverted)


def _from_palette(palette: Samples, samples: Samples) -> Pixels:
    """Colours of 16 bits by number, as section 5 has them, or of 8 as some write."""
    table = (palette >> 8 if palette.max() > 255 else palette).astype(np.uint8).T
    return np.take(table, samples[..., 0], axis=0)


def _from_lab(samples: Samples, bits: int, is_signed: bool) -> Pixels:
    """CIE L*a*b* (section 23; ICC: a* and b* from 128) of 8 or 16 bits as sRGB."""
    lab = (samples >> (bits - 8)).astype(np.uint8)
    if not is_signed:
        lab[..., 1:] ^= 128
    image = Image.frombytes("LAB", lab.shape[1::-1], lab.tobytes())
    stored, shown = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(stored, shown, "LAB", "RGB")
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # unless it were done in place
    return np.asarray(converted)


def _fractions(page: Any, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
    """Pairs of numerator and denominator as numbers."""
    parts = np.array(tag_of(page, tag, ()), np.float64).reshape(-1, 2)
    if parts.size != 2 * len(default) or not parts[:, 1].all():
        return default
    return tuple((parts[:, 0] / parts[:, 1]).tolist())
