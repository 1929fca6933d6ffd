"""TIFF by tifffile and imagecodecs: every depth, compression and kind of colour.

One image of a file is a directory (page) that is no smaller copy and no mask, or one of
several planes behind a single directory (stacks of ImageJ and MetaMorph, volumes). What
is not offered is refused by its name. To be called in the sandbox (`raster` does so),
since some decoders crash on damaged files.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageCms
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from medmodel.core.errors import ImageError
from medmodel.imaging.channels import (
    from_cmyk,
    from_ycbcr,
    lay_on_black,
    single_channel,
    to_grey_levels,
    upright,
)
from medmodel.imaging.raster import (
    ORIENTATION,
    check_frame,
    check_size,
    damage_named,
)
from medmodel.imaging.windows import Pixels, values_and_window
from medmodel.language import _

Samples = npt.NDArray[Any]

# What tifffile says of damaged files is said by `ImageError`.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

_COPY_OR_MASK = 0b101
"""TIFF 6.0, NewSubfileType: bit 0 a smaller copy, bit 2 a transparency mask."""
_SUBFILE_TYPE, _PHOTOMETRIC = 254, 262
_INK_SET, _WEIGHTS, _SUBSAMPLING, _LEVELS = 332, 529, 530, 532
_CMYK_INKS = 1
_COLOURS = {
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
_JPEG = (
    COMPRESSION.OJPEG,
    COMPRESSION.JPEG,
    COMPRESSION.JPEG_LOSSY,
    COMPRESSION.ALT_JPEG,
)
_DECODED_AS_RGB = (
    *_JPEG,
    COMPRESSION.WEBP,
    COMPRESSION.JPEGXL,
    COMPRESSION.JPEGXL_DNG,
)
"""Their decoders make RGB of YCbCr."""
_LIBTIFF_ONLY = (COMPRESSION.OJPEG, COMPRESSION.THUNDERSCAN, COMPRESSION.NEXT)
"""Of these libtiff makes RGB by itself, right for files that only it ever read."""


class _Directory(NamedTuple):
    number: int
    offset: int
    subfile_type: int


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
        directories, rest_is_lost = _readable(data)
        images = [d for d in directories if not d.subfile_type & _COPY_OR_MASK]
        images = images or directories
        alone = len(directories) == 1 and not rest_is_lost
        planes = _count_planes(file) if alone else 1
        count = len(images) * planes
        number = max(check_frame(frame, count, name), 0)
        directory = images[number // planes]
        page = _page(file, directory)
        check_size(page.imagewidth, page.imagelength, name)
        if page.compression in _LIBTIFF_ONLY:
            pixels, measured = _by_libtiff(data, directory.number), {}
        else:
            _refuse_by_name(page, name)
            samples = _samples(data, file, page, number % planes)
            orientation = _tag(page, ORIENTATION, 1)
            pixels = upright(_pixels(page, samples, name), orientation)
            measured = _measured(page, upright(samples, orientation), values)
        fields = {"pixels": pixels, "format": "TIFF", "mode": _mode(page)}
        seen = (
            _("{frames} of its images, as the rest is lost", frames=count)
            if rest_is_lost
            else ""
        )
        return fields | measured | {"frames": count, "seen": seen}


def _readable(data: bytes) -> tuple[list[_Directory], bool]:
    """The pages, and whether the list of further ones leads out of the file.

    Raises:
        struct.error: The first does.
    """
    directories: list[_Directory] = []
    try:
        for directory in _directories(data):
            directories.append(directory)
    except struct.error:
        if not directories:
            raise
        return directories, True
    return directories, False


def _directories(data: bytes) -> Iterator[_Directory]:
    """Where the pages are, and what each is, in the order of the file.

    Only so much is read of each as is needed: there may be hundreds of thousands.

    Raises:
        struct.error: The list leads out of the file.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    pointer = struct.Struct(f"{order}{'Q' if is_big else 'L'}")
    # How many entries, and the number of the first, of which they are in order.
    start = struct.Struct(f"{order}{'QH' if is_big else 'HH'}")
    subfile_type = struct.Struct(f"{order}L")
    entry, value_at = (20, 20) if is_big else (12, 10)
    seen = set[int]()
    (offset,) = pointer.unpack_from(data, 8 if is_big else 4)
    while offset and offset not in seen:
        seen.add(offset)
        count, first = start.unpack_from(data, offset)
        is_written = first == _SUBFILE_TYPE
        value = subfile_type.unpack_from(data, offset + value_at) if is_written else [0]
        yield _Directory(len(seen) - 1, offset, value[0])
        (offset,) = pointer.unpack_from(data, offset + start.size - 2 + count * entry)


def _page(file: Any, directory: _Directory) -> Any:
    """The page of a directory, without a look at those before it.

    Where it does not say what its samples are, they are what libtiff takes them for.
    """
    file.filehandle.seek(directory.offset)
    page = tifffile.TiffPage(file, directory.number)
    if _PHOTOMETRIC not in page.tags and page.compression not in _DECODED_AS_RGB:
        is_grey = page.samplesperpixel < 3
        page.photometric = PHOTOMETRIC.MINISBLACK if is_grey else PHOTOMETRIC.RGB
    if page.compression not in _JPEG:  # tifffile takes 2 and 2 for said
        page.subsampling = _subsampling(page)
    return page


def _by_libtiff(data: bytes, number: int) -> Pixels:
    import imagecodecs

    rgba = imagecodecs.tiff_decode(data, index=number, asrgb=True)
    return single_channel(np.ascontiguousarray(rgba[..., :3]))


def _count_planes(file: Any) -> int:
    """How many images a single directory stands for."""
    page = file.pages.first
    if page.imagedepth > 1:
        return int(page.imagedepth)
    if not (file.is_imagej or file.is_shaped or file.is_stk) or not page.is_contiguous:
        return 1
    size = int(np.prod(page.shape))
    return max(1, int(np.prod(file.series[0].shape)) // size)


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
    if photometric not in _COLOURS:
        return _(
            "the colours {colours}",
            colours=getattr(photometric, "name", f"number {photometric}"),
        )
    inks = _tag(page, _INK_SET, _CMYK_INKS)
    if photometric == PHOTOMETRIC.SEPARATED and inks != _CMYK_INKS:
        return _("other inks than cyan, magenta, yellow and black")
    if page.samplesperpixel < _COLOURS[photometric]:
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
    if photometric == PHOTOMETRIC.YCBCR and deep and not _is_rgb(page):
        return _("YCbCr of {bits} bits", bits=page.bitspersample)
    if _subsampling(page) != (1, 1) and page.predictor != 1:
        return _("a predictor of samples that are fewer for colour")
    lab = photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB)
    if lab and page.bitspersample not in (8, 16):
        return _(
            "{colours} of {bits} bits",
            colours=photometric.name,
            bits=page.bitspersample,
        )
    return None


def _is_rgb(page: Any) -> bool:
    """Whether what the decoder returns is RGB, whatever the file holds."""
    return page.photometric == PHOTOMETRIC.RGB or page.compression in _DECODED_AS_RGB


def _samples(data: bytes, file: Any, page: Any, plane: int) -> Samples:
    """Stored samples of one image, (height, width, samples).

    Raises:
        ValueError: It reaches beyond the end of the file.
    """
    # Some decoders make up what is missing; without any, the length itself tells.
    ends = np.add(page.dataoffsets, page.databytecounts)
    if page.compression != COMPRESSION.NONE and ends.max(initial=0) > len(data):
        raise ValueError("there are samples beyond the end of the file")
    if _subsampling(page) != (1, 1):
        return _subsampled(data, page)
    if plane and page.imagedepth == 1:
        dtype = page.dtype.newbyteorder(file.byteorder)
        size = int(np.prod(page.shaped))
        start = page.dataoffsets[0] + plane * size * dtype.itemsize
        samples = np.frombuffer(data, dtype, size, start).reshape(page.shaped)
        return _interleaved(samples, 0)
    return _interleaved(page.asarray(squeeze=False, maxworkers=1), plane)


def _interleaved(samples: Samples, plane: int) -> Samples:
    """Of (planar samples, depth, height, width, chunky samples) one image."""
    samples = samples[:, plane]
    return samples[0] if len(samples) == 1 else np.moveaxis(samples[..., 0], 0, -1)


def _subsampling(page: Any) -> tuple[int, int]:
    """Of how many pixels across and down one difference of colour is stored.

    By default two and two (section 21), but who writes nothing may mean one and one:
    the length tells.
    """
    is_image = page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS  # enlarged already
    if page.photometric != PHOTOMETRIC.YCBCR or _is_rgb(page) or is_image:
        return 1, 1
    is_short = sum(page.databytecounts) < 3 * page.imagewidth * page.imagelength
    plain = page.compression == COMPRESSION.NONE
    across, down = _tag(page, _SUBSAMPLING, (2, 2) if plain and is_short else (1, 1))
    return int(across), int(down)


def _subsampled(data: bytes, page: Any) -> Samples:
    """Luma and its fewer differences of colour, each at its pixels: section 21."""
    across, down = _subsampling(page)
    samples = np.empty((page.imagelength, page.imagewidth, 3), np.uint8)
    rows, columns = page.rowsperstrip, page.imagewidth
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
    places = [
        (top, left)
        for top in range(0, page.imagelength, rows)
        for left in range(0, page.imagewidth, columns)
    ]
    planar = page.planarconfig == 2
    for number, start in enumerate(page.dataoffsets):
        top, left = places[number % len(places)]
        height = rows if page.is_tiled else min(rows, page.imagelength - top)
        packed = data[start : start + page.databytecounts[number]]
        if page.compression != COMPRESSION.NONE:
            packed = tifffile.TIFF.DECOMPRESSORS[page.compression](packed)
        stored = np.frombuffer(packed, np.uint8)
        high, wide = -(-height // down), -(-columns // across)
        part = samples[top : top + height, left : left + columns]
        if planar and number < len(places):
            part[..., 0] = _cut(stored.reshape(-1, columns), part)
        elif planar:
            channel = number // len(places)
            plane = stored[: high * wide].reshape(high, wide)
            part[..., channel] = _cut(_enlarged(plane, across, down), part)
        else:
            units = stored[: high * wide * (across * down + 2)].reshape(high, wide, -1)
            luma = units[..., :-2].reshape(high, wide, down, across).swapaxes(1, 2)
            part[..., 0] = _cut(luma.reshape(high * down, wide * across), part)
            for channel in (1, 2):
                plane = _enlarged(units[..., channel - 3], across, down)
                part[..., channel] = _cut(plane, part)
    return samples


def _enlarged(plane: Samples, across: int, down: int) -> Samples:
    return plane.repeat(down, 0).repeat(across, 1)


def _cut(plane: Samples, part: Samples) -> Samples:
    return plane[: part.shape[0], : part.shape[1]]


def _pixels(page: Any, samples: Samples, name: str) -> Pixels:
    """Grey levels or RGB of stored samples, alpha laid on black; not yet upright."""
    count, alpha, bits = _COLOURS[page.photometric], _alpha_sample(page), _bits(page)
    pixels = _without_alpha(page, samples[..., :count], bits, name)
    if alpha is not None:
        pixels = lay_on_black(pixels, samples[..., alpha], bits)
    return single_channel(pixels)


def _measured(page: Any, samples: Samples, values: bool) -> dict[str, Any]:
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


def _mode(page: Any) -> str:
    """Kind of colour, depth, and which channels are not shown, in words."""
    photometric, dtype = page.photometric, page.dtype
    is_plain = dtype is None or dtype.kind in "ub"
    depth = f"{_bits(page)} bits" if is_plain else str(dtype)
    mode = f"{getattr(photometric, 'name', photometric)}, {depth}"
    count = _COLOURS.get(photometric, 0)
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
    count, extra = _COLOURS[page.photometric], tuple(page.extrasamples)
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
    if photometric == PHOTOMETRIC.YCBCR and not _is_rgb(page):
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
    parts = np.array(_tag(page, tag, ()), np.float64).reshape(-1, 2)
    if parts.size != 2 * len(default) or not parts[:, 1].all():
        return default
    return tuple((parts[:, 0] / parts[:, 1]).tolist())


def _tag(page: Any, code: int, default: Any) -> Any:
    return page.tags.valueof(code, default)
