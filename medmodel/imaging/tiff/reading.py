"""TIFF by tifffile and imagecodecs: every depth, compression and kind of colour.

One image of a file is a directory (page) that is no smaller copy and no mask, or one of
several planes behind a single directory (stacks of ImageJ and MetaMorph, volumes). What
is not offered is refused by its name. To be called in the sandbox (`raster` does so),
since some decoders crash on damaged files.
"""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
import tifffile
from tifffile import COMPRESSION, PHOTOMETRIC

from medmodel.core.errors import ImageError
from medmodel.imaging.channels import single_channel, upright
from medmodel.imaging.raster import ORIENTATION, check_frame, check_size, damage_named
from medmodel.imaging.tiff.colours import (
    COLOURS,
    measured_values,
    mode_of,
    shown_pixels,
)
from medmodel.imaging.tiff.directories import (
    count_planes,
    is_rgb,
    page_of,
    readable_directories,
    subsampling,
    tag_of,
)
from medmodel.imaging.tiff.samples import stored_samples
from medmodel.imaging.windows import Pixels
from medmodel.language import _

# What tifffile says of damaged files is said by `ImageError`.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
_COPY_OR_MASK = 0b101
"""TIFF 6.0, NewSubfileType: bit 0 a smaller copy, bit 2 a transparency mask."""
_INK_SET = 332
_CMYK_INKS = 1
_LIBTIFF_ONLY = (COMPRESSION.OJPEG, COMPRESSION.THUNDERSCAN, COMPRESSION.NEXT)
"""Of these libtiff makes RGB by itself, right for files that only it ever read."""


def read(data: bytes, name: str, frame: int, values: bool = False) -> dict[str, Any]:
    """One image of a TIFF as the fields of `DecodedImage`.

    Args:
        data: The file.
        name: For messages.
        frame: From 0; -1: the first.
        values: Whether the stored values of grey are wanted, too.

    Raises:
        ImageError: It is damaged, too large, of a kind that is not offered, or has no
            such image.
    """
    with (
        damage_named(name),
        tifffile.TiffFile(io.BytesIO(data)) as file,
    ):
        directories, rest_is_lost = readable_directories(data)
        images = [d for d in directories if not d.subfile_type & _COPY_OR_MASK]
        images = images or directories
        alone = len(directories) == 1 and not rest_is_lost
        planes = count_planes(file) if alone else 1
        count = len(images) * planes
        number = max(check_frame(frame, count, name), 0)
        directory = images[number // planes]
        page = page_of(file, directory)
        check_size(page.imagewidth, page.imagelength, name)
        if page.compression in _LIBTIFF_ONLY:
            pixels, measured = _by_libtiff(data, directory.number), {}
        else:
            _refuse_by_name(page, name)
            samples = stored_samples(data, file, page, number % planes)
            orientation = tag_of(page, ORIENTATION, 1)
            pixels = upright(shown_pixels(page, samples, name), orientation)
            measured = measured_values(page, upright(samples, orientation), values)
        fields = {"pixels": pixels, "format": "TIFF", "mode": mode_of(page)}
        seen = (
            _("{frames} of its images, as the rest is lost", frames=count)
            if rest_is_lost
            else ""
        )
        return fields | measured | {"frames": count, "seen": seen}


def _by_libtiff(data: bytes, number: int) -> Pixels:
    import imagecodecs

    rgba = imagecodecs.tiff_decode(data, index=number, asrgb=True)
    return single_channel(np.ascontiguousarray(rgba[..., :3]))


def _refuse_by_name(page: Any, name: str) -> None:
    """Raises `ImageError` for what is not damaged, but not offered either."""
    if (kind := _unknown(page)) is not None:
        raise ImageError(
            _(
                "{name} is a TIFF with {kind}, which cannot be read here: save it "
                "as PNG or as uncompressed TIFF of grey or RGB.",
                name=name,
                kind=kind,
            )
        )


def _unknown(page: Any) -> str | None:
    """What is not offered about a page, in words; None where all is."""
    photometric, compression = page.photometric, page.compression
    if photometric not in COLOURS:
        return _(
            "the colours {colours}",
            colours=getattr(photometric, "name", f"number {photometric}"),
        )
    inks = tag_of(page, _INK_SET, _CMYK_INKS)
    if photometric == PHOTOMETRIC.SEPARATED and inks != _CMYK_INKS:
        return _("other inks than cyan, magenta, yellow and black")
    if page.samplesperpixel < COLOURS[photometric]:
        return _(
            "{samples} samples for {colours}",
            samples=page.samplesperpixel,
            colours=photometric.name,
        )
    if page.dtype is None or page.dtype.kind == "c":
        bits, kind = page.bitspersample, page.sampleformat
        return _(
            "{bits}-bit samples of sample format {sample_format}",
            bits=bits,
            sample_format=getattr(kind, "name", kind),
        )
    if compression != COMPRESSION.NONE:
        try:
            tifffile.TIFF.DECOMPRESSORS[compression]
        except KeyError:
            return f"compression {getattr(compression, 'name', f'{compression}')}"
    deep = page.bitspersample != 8 or page.dtype.kind != "u"
    if photometric == PHOTOMETRIC.YCBCR and deep and not is_rgb(page):
        return _("YCbCr of {bits} bits", bits=page.bitspersample)
    if subsampling(page) != (1, 1) and page.predictor != 1:
        return _("a predictor of samples that are fewer for colour")
    lab = photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB)
    if lab and page.bitspersample not in (8, 16):
        return _(
            "{colours} of {bits} bits",
            colours=photometric.name,
            bits=page.bitspersample,
        )
    return None
