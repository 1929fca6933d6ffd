"""Cases of `odd_files`: images that are neither DICOM nor NIfTI."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageCms

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.drawing import Drawing, draw, on_black
from medmodel.benchmark.odd_files.image_variants import variants
from medmodel.benchmark.odd_files.tiff_variants import (
    Tag,
    plain_tags,
    tiff,
    tiff_of_tags,
)
from medmodel.imaging import images
from medmodel.imaging.windows import Pixels

FOUND = {
    # file -> height, width, channels, images in it, darkest and brightest grey level,
    # mean of all
    "png_rgb16_12bit_range_almost_black.png": (64, 96, 3, 1, 0, 255, 75),
    "tiff_10_pages_one_ifd_9_unseen.tif": (64, 96, 1, 10, 0, 190, 95),
    "tiff_5_channels_shown_5_pixels_wide.tif": (64, 96, 1, 1, 0, 190, 95),
    "tiff_cmyk16_wrong_colours.tif": (64, 96, 3, 1, 0, 255, 180),
    "tiff_grey_12bit_packed_crashes_whole_check.tiff": (16, 16, 1, 1, 0, 255, 128),
    "tiff_int8_wraps.tif": (64, 96, 1, 1, 0, 255, 128),
    "tiff_lzw_rgb16_refused.tif": (64, 96, 3, 1, 0, 255, 75),
    "tiff_rgb16_orientation_6_not_turned.tif": (96, 64, 3, 1, 0, 255, 75),
    "tiff_rgba16_12bit_range_goes_black.tif": (64, 96, 3, 1, 0, 255, 75),
    "tiff_rgba16_alpha_ignored.tif": (64, 96, 3, 1, 0, 255, 56),
    "tiff_ycbcr420_uncompressed_crash.tif": (64, 256, 3, 1, 0, 255, 124),
    "tiff_zstd_rgb16_crash_ModuleNotFound.tif": (64, 96, 3, 1, 0, 255, 75),
}


def cases(folder: Path) -> Iterator[Case]:
    """Files of `found`, and what is drawn here."""
    for name, expected in FOUND.items():
        yield Case(name, partial(_summary, folder / name), expected)
    yield from drawn_cases(draw())


def drawn_cases(drawing: Drawing) -> Iterator[Case]:
    """Every variant of one image, stacks of images, and what is to be refused."""
    for variant in variants(drawing):
        compared = partial(_compared, variant.write, variant.expected, 0, 1)
        yield Case(variant.name, partial(compared, variant.tolerance), "the same")
    yield from _subsampled_cases(drawing)
    yield from _ycbcr_by_name_cases(drawing)
    yield from _lab_cases(drawing)
    yield from _lacking_cases(drawing)
    yield from _sloppy_cases(drawing)
    yield from _old_cases(drawing)
    yield from _stack_cases(drawing)
    yield from _refused_cases(drawing)


def _summary(path: Path) -> tuple[int, ...]:
    decoded = images.decode(path)
    levels = decoded.pixels.min(), decoded.pixels.max(), decoded.pixels.mean().round()
    return *decoded.pixels.shape, decoded.frames, *map(int, levels)


def _compared(
    write: Callable[[], bytes],
    expected: Pixels,
    frame: int,
    frames: int,
    tolerance: int = 0,
) -> str:
    """What differs between an image of a file and how it is to be read, in words."""
    decoded = images.decode(write(), frame=frame)
    if decoded.frames != frames:
        return f"{decoded.frames} images instead of {frames}"
    if decoded.pixels.shape != expected.shape:
        return f"{decoded.pixels.shape} instead of {expected.shape}"
    off = int(np.abs(decoded.pixels.astype(int) - expected).max())
    return "the same" if off <= tolerance else f"a grey level is off by {off}"


def replaced(tags: list[Tag], *others: Tag) -> list[Tag]:
    """The tags with others in the place of those of the same number."""
    return list({tag[0]: tag for tag in [*tags, *others]}.values())


def _of_three(photometric: int, bits: int) -> list[Tag]:
    return [
        (258, "H", [bits] * 3),
        (262, "H", [photometric]),
        (277, "H", [3]),
        (530, "H", [1, 1]),
    ]


def _subsampled_cases(drawing: Drawing) -> Iterator[Case]:
    """YCbCr with fewer samples of colour: each block has one colour here."""
    for across, down in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 2), (4, 4)):
        blocks = drawing.colour[::down, ::across]
        colour = blocks.repeat(down, 0).repeat(across, 1)[:38, :54]
        ycbcr = np.asarray(Image.fromarray(colour).convert("YCbCr"))
        for planar in (False, True):
            for order in "<>":
                for part in ((38, 54), (8, 54), (16, 16)):
                    for packed in (False, True):
                        options = (across, down), part, planar, packed, order
                        write = partial(_ycbcr_file, ycbcr, *options)
                        compared = partial(_compared, write, colour, 0, 1, 3)
                        yield Case(f"YCbCr {options}", compared, "the same")


def _ycbcr_file(
    ycbcr: Pixels,
    subsampling: tuple[int, int],
    part: tuple[int, int],
    planar: bool,
    packed: bool,
    order: str,
) -> bytes:
    """Luma and fewer differences of colour in strips or, of 16 pixels, in tiles."""
    height, width, _ = ycbcr.shape
    rows, columns = part
    is_tiled = columns == 16
    # Beyond the edge tiles go on, and so do blocks.
    padded = np.pad(ycbcr, ((0, 32), (0, 32), (0, 0)), "edge")
    pieces = [
        padded[top : top + (rows if is_tiled else min(rows, height - top)), left:][
            :, :columns
        ]
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]
    segments = [_subsampled(piece, *subsampling, planar) for piece in pieces]
    contents = [
        channel for channels in zip(*segments, strict=True) for channel in channels
    ]
    if packed:
        contents = [bytes(imagecodecs.lzw_encode(content)) for content in contents]
    sizes = [len(content) for content in contents]
    starts = [8 + sum(sizes[:number]) for number in range(len(sizes))]
    tags = replaced(
        plain_tags(height, width, 6, 3),
        (259, "H", [5 if packed else 1]),
        (284, "H", [2 if planar else 1]),
        (530, "H", list(subsampling)),
        (273, "L", starts),
        (278, "L", [rows]),
        (279, "L", sizes),
    )
    if is_tiled:
        for number in (273, 278, 279):
            tags = without(tags, number)
        tags += [(322, "L", [16]), (323, "L", [16])]
        tags += [(324, "L", starts), (325, "L", sizes)]
    return tiff_of_tags(tags, b"".join(contents), order)


def _subsampled(piece: Pixels, across: int, down: int, planar: bool) -> list[bytes]:
    """The planes of a part of an image, or all in one: TIFF 6.0, section 21."""
    height, width, _ = piece.shape
    high, wide = -(-height // down), -(-width // across)
    padding = ((0, high * down - height), (0, wide * across - width), (0, 0))
    padded = np.pad(piece, padding, "edge")
    colours = padded[::down, ::across, 1:]
    if planar:
        return [x.tobytes() for x in (piece[..., 0], colours[..., 0], colours[..., 1])]
    luma = padded[..., 0].reshape(high, down, wide, across).swapaxes(1, 2)
    units = np.concatenate([luma.reshape(high, wide, -1), colours], -1)
    return [units.tobytes()]


def _ycbcr_by_name_cases(drawing: Drawing) -> Iterator[Case]:
    """YCbCr that says less than it should, or is RGB when it is decoded."""
    blocks = drawing.colour[::2, ::2].repeat(2, 0).repeat(2, 1)[:38, :54]
    ycbcr = np.asarray(Image.fromarray(blocks).convert("YCbCr"))
    tags = plain_tags(38, 54, 6, 3)
    (units,) = _subsampled(ycbcr, 2, 2, False)
    fewer = replaced(tags, (279, "L", [len(units)]))
    files = [
        ("no subsampling", fewer, units),
        ("no subsampling, as many samples", tags, ycbcr.tobytes()),
    ]
    for name, written, content in files:
        write = partial(tiff_of_tags, written, content)
        compared = partial(_compared, write, blocks, 0, 1, 3)
        yield Case(f"YCbCr, {name}", compared, "the same")
    rgb, said = (struct.pack("<HHLL", 262, 3, 1, number) for number in (2, 6))
    for compression in ("webp", "jpegxl"):
        data = tiff(
            drawing.colour,
            photometric="rgb",
            compression=compression,
            compressionargs={"lossless": True},
        ).replace(rgb, said)
        compared = partial(_compared, partial(bytes, data), drawing.colour, 0, 1)
        yield Case(f"YCbCr in {compression}", compared, "the same")


def _lab_cases(drawing: Drawing) -> Iterator[Case]:
    soft = (drawing.colour // 2 + 64).astype(np.uint8)  # all within sRGB and L*a*b*
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    image = ImageCms.applyTransform(Image.fromarray(soft), transform)
    assert image is not None
    lab = np.asarray(image)
    height, width, _ = lab.shape
    offset = lab.astype(np.uint8) ^ np.array([0, 128, 128], np.uint8)
    for name, photometric, samples in (("CIELAB", 8, lab), ("ICCLAB", 9, offset)):
        for bits in (8, 16):
            stored = samples if bits == 8 else samples.astype("<u2") << 8
            tags = plain_tags(height, width, photometric, 3, bits)
            write = partial(tiff_of_tags, tags, stored.tobytes())
            compared = partial(_compared, write, soft, 0, 1, 6)
            yield Case(f"{name} of {bits} bits", compared, "the same")


def _lacking_cases(drawing: Drawing) -> Iterator[Case]:
    """TIFF files without tags that others would have written."""
    height, width = drawing.grey.shape[:2]
    tags, content = plain_tags(height, width, 1), drawing.grey.tobytes()
    for name, number in (
        ("no photometric", 262),
        ("no rows per strip", 278),
        ("no byte counts", 279),
        ("no compression", 259),
    ):
        yield _tiff_case(name, without(tags, number), content, drawing.grey)
    mask = drawing.grey[..., 0] > 127
    bits, black_white = np.packbits(mask, axis=1).tobytes(), _black_white(mask)
    yield _tiff_case("no bits per sample", without(tags, 258), bits, black_white)
    colour_tags, colour = plain_tags(height, width, 2, 3), drawing.colour
    name = "no photometric, 3 samples"
    yield _tiff_case(name, without(colour_tags, 262), colour.tobytes(), colour)


def _sloppy_cases(drawing: Drawing) -> Iterator[Case]:
    """TIFF files that say more than they need, or what cannot be."""
    height, width = drawing.grey.shape[:2]
    tags, content = plain_tags(height, width, 1), drawing.grey.tobytes()
    palette = [*replaced(tags, (262, "H", [3])), (320, "H", [*range(256)] * 3)]
    odd: dict[str, list[Tag]] = {
        "byte count 0": replaced(tags, (279, "L", [0])),
        "byte count too large": replaced(tags, (279, "L", [10**6])),
        "rows without end": replaced(tags, (278, "L", [2**32 - 1])),
        "orientation 0": [*tags, (274, "H", [0])],
        "orientation 9": [*tags, (274, "H", [9])],
        "sample format 4": [*tags, (339, "H", [4])],
        "planes of one": [*tags, (284, "H", [2])],
        "palette of 8 bits": palette,
    }
    for name, written in odd.items():
        yield _tiff_case(name, written, content, drawing.grey)
    name = "more than its samples"
    yield _tiff_case(name, tags, content + b"x" * 99, drawing.grey)
    mask = drawing.grey[..., 0] > 127
    turned_bits = np.packbits(mask, axis=1, bitorder="little").tobytes()
    written = replaced(tags, (258, "H", [1]), (266, "H", [2]))
    yield _tiff_case("lowest bit first", written, turned_bits, _black_white(mask))
    four = np.concatenate([drawing.colour, drawing.alpha], -1).tobytes()
    expected = on_black(drawing.colour, drawing.alpha / 255)
    written = plain_tags(height, width, 2, 4)
    yield _tiff_case("fourth sample without a kind", written, four, expected)


def _tiff_case(name: str, tags: list[Tag], content: bytes, expected: Pixels) -> Case:
    write = partial(tiff_of_tags, tags, content)
    return Case(f"TIFF, {name}", partial(_compared, write, expected, 0, 1), "the same")


def _black_white(mask: npt.NDArray[np.bool_]) -> Pixels:
    return (mask * np.uint8(255))[..., None]


def _old_cases(drawing: Drawing) -> Iterator[Case]:
    """Compressions that nothing writes any more."""
    grey = drawing.grey[..., 0]
    height, width = grey.shape
    nibbles = grey >> 4
    four = (nibbles * 17).astype(np.uint8)[..., None]
    tags: list[Tag] = replaced(
        plain_tags(height, width, 1, 1, 4), (259, "H", [32809]), (279, "L", [grey.size])
    )
    write = partial(tiff_of_tags, tags, (0xC0 | nibbles).tobytes())
    compared = partial(_compared, write, four, 0, 1)
    yield Case("TIFF, ThunderScan", compared, "the same")
    stored = io.BytesIO()
    Image.fromarray(drawing.colour).save(stored, "JPEG", quality=95, subsampling=0)
    jpeg = stored.getvalue()
    tags = replaced(
        plain_tags(height, width, 6, 3),
        (259, "H", [6]),
        (513, "L", [8]),
        (514, "L", [len(jpeg)]),
        (279, "L", [len(jpeg)]),
        (530, "H", [1, 1]),
    )
    write = partial(tiff_of_tags, tags, jpeg)
    compared = partial(_compared, write, drawing.colour, 0, 1, 40)
    yield Case("TIFF, JPEG as it was before version 6", compared, "the same")


def without(tags: list[Tag], number: int) -> list[Tag]:
    """The tags without one."""
    return [tag for tag in tags if tag[0] != number]


def _stack_cases(drawing: Drawing) -> Iterator[Case]:
    """Several images in a file: each is there, and no copy or mask counts."""
    layers = np.stack([drawing.grey[..., 0] // n for n in (1, 2, 3, 4, 5, 6)])
    colours = np.stack([drawing.colour, drawing.colour[::-1]])
    deep = layers.astype(np.uint16) * 257
    grey = [layer[..., None] for layer in layers]
    stacks: list[tuple[str, Callable[[], bytes], list[Pixels]]] = [
        ("pages", partial(tiff, layers), grey),
        ("pages, LZW", partial(tiff, layers, compression="lzw"), grey),
        ("pages, BigTIFF", partial(tiff, layers, bigtiff=True), grey),
        ("pages of RGB", partial(tiff, colours, photometric="rgb"), [*colours]),
        ("one directory", partial(_described, layers, truncate=True), grey),
        ("ImageJ", partial(_described, layers, imagej=True), grey),
        ("ImageJ, one directory", partial(_imagej_of_one, layers), grey),
        (
            "ImageJ of 3 times 2 channels",
            partial(
                _described, layers.reshape(3, 1, 2, *layers.shape[1:]), imagej=True
            ),
            grey,
        ),
        (
            "OME",
            partial(
                _described,
                layers.reshape(3, 2, 1, *layers.shape[1:]),
                ome=True,
                metadata={"axes": "TCZYX"},
            ),
            grey,
        ),
        ("volume", partial(tiff, layers, volumetric=True, tile=(16, 16, 16)), grey),
        ("pages with copies and masks", partial(_with_copies, layers), grey),
        ("pages that are all copies", partial(tiff, layers, subfiletype=1), grey),
        ("volume of 2", partial(tiff, layers[:2], volumetric=True), grey[:2]),
        ("the same, BigTIFF", partial(_with_copies, layers, bigtiff=True), grey),
        ("the same, big-endian", partial(_with_copies, layers, byteorder=">"), grey),
        ("animated WebP", partial(_animated, colours, "WEBP"), [*colours]),
        ("animated PNG", partial(_animated, colours, "PNG"), [*colours]),
        ("animated AVIF, 10 bits", partial(_animated_avif, colours), [*colours]),
        ("animated PNG, 16 bits", partial(_animated_png, colours), [*colours]),
        ("animated JPEG XL", partial(_animated_jxl, colours), [*colours]),
    ]
    stacks.append(("pages of 16 bits", partial(tiff, deep), _own_range(layers)))
    for name, write, expected in stacks:
        tolerance = 2 if "AVIF" in name else 0
        for number in sorted({0, 1, len(expected) - 1}):
            compared = partial(_compared, write, expected[number], number)
            result = partial(compared, len(expected), tolerance)
            yield Case(f"{name}, image {number + 1}", result, "the same")
        past = partial(_compared, write, expected[0], len(expected), len(expected))
        yield Case(f"{name}, one too many", past, re.compile("has no frame"))


def _own_range(layers: Pixels) -> list[Pixels]:
    """Each scaled from black to white, as large samples are."""
    tops = [int(layer.max()) for layer in layers]
    return [
        np.rint(layer / top * 255).astype(np.uint8)[..., None]
        for layer, top in zip(layers, tops, strict=True)
    ]


def _described(samples: Any, **options: Any) -> bytes:
    """With what tifffile writes into the description."""
    buffer = io.BytesIO()
    options = {"photometric": "minisblack"} | options
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def _imagej_of_one(layers: Pixels) -> bytes:
    """A stack as ImageJ writes it: one directory, and how many images follow it."""
    count, height, width = layers.shape
    text = f"ImageJ=1.54f\nimages={count}\nslices={count}\n\0".encode()
    content = layers.tobytes() + text
    tags = plain_tags(height, width, 1)
    directory = tiff_of_tags([*tags, (270, "L", [0] * 2)], content)
    # The description is text: kind 2, its length, and where it stands.
    entry = struct.pack("<HHL", 270, 4, 2)
    place = struct.pack("<HHLL", 270, 2, len(text), 8 + layers.nbytes)
    at = directory.index(entry)
    return directory[:at] + place + directory[at + 12 :]


def _with_copies(layers: Pixels, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as file:
        for layer in layers:
            kind: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
            file.write(layer[::2, ::2].copy(), subfiletype=1, **kind)
            file.write(layer, **kind)
            file.write(layer > 0, subfiletype=4, **kind)
    return buffer.getvalue()


def _animated(frames: Pixels, kind: str) -> bytes:
    buffer = io.BytesIO()
    first, *others = map(Image.fromarray, frames)
    first.save(buffer, kind, save_all=True, append_images=others, lossless=True)
    return buffer.getvalue()


def _animated_avif(frames: Pixels) -> bytes:
    samples = frames.astype(np.uint16) * 4
    return bytes(imagecodecs.avif_encode(samples, level=100, bitspersample=10))


def _animated_png(frames: Pixels) -> bytes:
    return bytes(imagecodecs.apng_encode(frames.astype(np.uint16) * 16))


def _animated_jxl(frames: Pixels) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(frames, lossless=True, photometric="rgb"))


def _refused_cases(drawing: Drawing) -> Iterator[Case]:
    """What is not offered is named; what is damaged is called so."""
    grey = drawing.grey[..., 0]
    height, width = grey.shape
    twelve = grey.astype(np.uint16) * 16
    damaged = re.compile("damaged or incomplete")
    whole = [
        ("PNG", _animated(drawing.colour[None], "PNG")),
        ("16-bit PNG", imagecodecs.png_encode(grey.astype(np.uint16) * 16)),
        ("JPEG-LS", imagecodecs.jpegls_encode(grey)),
        ("J2K", imagecodecs.jpeg2k_encode(grey.astype(np.uint16), level=0)),
        ("JPEG XL", imagecodecs.jpegxl_encode(drawing.colour, lossless=True)),
        ("TIFF", tiff(grey)),
        ("TIFF, LZW", tiff(drawing.colour, photometric="rgb", compression="lzw")),
        ("TIFF, tiles", tiff(grey, tile=(16, 16), compression="zstd")),
        ("TIFF, pages", tiff(np.stack([grey] * 3))),
        ("TIFF, JPEG", tiff(drawing.colour, photometric="ycbcr", compression="jpeg")),
        ("TIFF, JPEG XR", tiff(grey, compression="jpegxr")),
        ("JPEG of 12 bits", imagecodecs.jpeg8_encode(twelve, bitspersample=12)),
    ]
    for name, data in whole:
        # Of pages the first is whole, and shown, where the file is cut behind it.
        for share in (0.3,) if name == "TIFF, pages" else (0.3, 0.6, 0.9):
            cut = bytes(data[: int(len(data) * share)])
            decoded = partial(images.decode, cut)
            yield Case(f"{name}, {share:.0%} of it", decoded, damaged)
    unknown: list[tuple[str, list[Tag], str]] = [
        ("CFA", [(262, "H", [32803])], "CFA"),
        ("ITULAB", [(262, "H", [10])], "ITULAB"),
        ("LogL", [(262, "H", [32844])], "LOGL"),
        ("photometric 999", [(262, "H", [999])], "number 999"),
        ("JBIG", [(259, "H", [34661])], "JBIG"),
        ("SGILog", [(259, "H", [34676])], "SGILOG"),
        ("compression 40000", [(259, "H", [40000])], "40000"),
        ("complex", [(258, "H", [64]), (339, "H", [6])], "COMPLEXIEEE"),
        ("inks", [(262, "H", [5]), (332, "H", [2])], "inks"),
        ("YCbCr of 16 bits", _of_three(6, 16), "YCbCr of 16 bits"),
        ("CIELAB of 12 bits", _of_three(8, 12), "CIELAB of 12 bits"),
        ("colour without colours", [(262, "H", [2])], "1 samples for RGB"),
    ]
    for name, tags, words in unknown:
        data = tiff_of_tags(
            replaced(plain_tags(height, width, 1), *tags), bytes(8 * grey.size)
        )
        pattern = re.compile(f"is a TIFF with .*{words}.*cannot be read here")
        yield Case(f"TIFF of {name}", partial(images.decode, data), pattern)
    texts = [b"BMI and age of all patients\n" * 9, b"BM", b"BM" + bytes(98), b"II*"]
    for text in texts:
        name = f"text {text[:9]!r}"
        yield Case(name, partial(images.decode, text), re.compile("is not an image"))
    for brand in (b"heic", b"heix", b"mif1"):
        head = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(99)
        yield Case(f"HEIF {brand!r}", partial(images.decode, head), re.compile("HEIC"))
