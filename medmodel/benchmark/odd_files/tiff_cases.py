"""Cases of `odd_files`: TIFF files of odd colours, with odd tags, or with too few."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import partial

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.comparing import read_difference
from medmodel.benchmark.odd_files.drawing import Drawing, on_black
from medmodel.benchmark.odd_files.tiff_variants import (
    Tag,
    plain_tags,
    tiff,
    tiff_of_tags,
)
from medmodel.imaging.windows import Pixels


def tiff_cases(drawing: Drawing) -> Iterator[Case]:
    """Every way to say one image that writers of TIFF have found."""
    yield from _subsampled_cases(drawing)
    yield from _ycbcr_by_name_cases(drawing)
    yield from _lab_cases(drawing)
    yield from _lacking_cases(drawing)
    yield from _sloppy_cases(drawing)
    yield from _old_cases(drawing)


def replaced(tags: list[Tag], *others: Tag) -> list[Tag]:
    """The tags with others in the place of those of the same number."""
    return list({tag[0]: tag for tag in [*tags, *others]}.values())


def of_three(photometric: int, bits: int) -> list[Tag]:
    """Tags of three samples a pixel, none of them fewer than the others."""
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
                        compared = partial(read_difference, write, colour, 0, 1, 3)
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
        compared = partial(read_difference, write, blocks, 0, 1, 3)
        yield Case(f"YCbCr, {name}", compared, "the same")
    rgb, said = (struct.pack("<HHLL", 262, 3, 1, number) for number in (2, 6))
    for compression in ("webp", "jpegxl"):
        data = tiff(
            drawing.colour,
            photometric="rgb",
            compression=compression,
            compressionargs={"lossless": True},
        ).replace(rgb, said)
        compared = partial(read_difference, partial(bytes, data), drawing.colour, 0, 1)
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
            compared = partial(read_difference, write, soft, 0, 1, 6)
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
    return Case(
        f"TIFF, {name}", partial(read_difference, write, expected, 0, 1), "the same"
    )


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
    compared = partial(read_difference, write, four, 0, 1)
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
    compared = partial(read_difference, write, drawing.colour, 0, 1, 40)
    yield Case("TIFF, JPEG as it was before version 6", compared, "the same")


def without(tags: list[Tag], number: int) -> list[Tag]:
    """The tags without one."""
    return [tag for tag in tags if tag[0] != number]
