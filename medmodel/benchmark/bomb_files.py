"""Small files that ask for much: pixels, frames, tags, nesting, uncompressed bytes.

Each is drawn here, with its counts as arguments, so that tests can draw harmless ones.
All are smaller than what a page takes for an upload.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

MEGA = 10**6


def png(
    width: int,
    height: int,
    colour_type: int = 0,
    depth: int = 8,
    interlaced: bool = False,
    chunks: bytes = b"",
) -> bytes:
    """A PNG of one colour; `colour_type` as in its specification, 11.2.1."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    header = struct.pack(
        ">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced
    )
    line = 1 + -(-width * samples * depth // 8)
    # Seven passes have fewer bytes than twice the image, and more are not read.
    pixels = _deflated(line * height * (2 if interlaced else 1))
    palette = png_chunk(b"PLTE", bytes(768)) if colour_type == 3 else b""
    body = png_chunk(b"IHDR", header) + chunks + palette + png_chunk(b"IDAT", pixels)
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk with its length and its sum."""
    return struct.pack(">I", len(data)) + kind + data + _sum(kind + data)


def _sum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def _deflated(zeros: int) -> bytes:
    """So many zeros, compressed with zlib in pieces: they need no memory here."""
    return b"".join(_pieces(zlib.compressobj(9), zeros))


def _pieces(packer: Any, zeros: int) -> list[bytes]:
    piece = bytes(1 << 20)
    pieces = [packer.compress(piece) for _ in range(zeros >> 20)]
    return [*pieces, packer.compress(piece[: zeros % (1 << 20)]), packer.flush()]


def png_with_text(kind: bytes, unpacked: int) -> bytes:
    """A PNG of one pixel with a compressed chunk: zTXt, iTXt or iCCP."""
    before = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind]
    return png(1, 1, chunks=png_chunk(kind, before + _deflated(unpacked)))


def animated_png(frames: int) -> bytes:
    """An APNG of 1 × 1 pixels."""
    pixel = zlib.compress(b"\0\0")
    control = struct.pack(">IIIIHHBB", 1, 1, 0, 0, 1, 10, 0, 0)
    parts = [png_chunk(b"fcTL", struct.pack(">I", 0) + control)]
    parts.append(png_chunk(b"IDAT", pixel))
    for n in range(1, frames):
        parts.append(png_chunk(b"fcTL", struct.pack(">I", 2 * n - 1) + control))
        parts.append(png_chunk(b"fdAT", struct.pack(">I", 2 * n) + pixel))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    header += png_chunk(b"acTL", struct.pack(">II", frames, 0))
    end = png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(parts) + end


def by_pillow(kind: str, width: int, height: int, mode: str = "L", **how: Any) -> bytes:
    """An image of one colour as Pillow writes it."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, kind, **how)
    return buffer.getvalue()


def jpeg_with_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = by_pillow("JPEG", side, side, progressive=True, quality=30)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - 1) + data[-2:]


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF whose frames are one pixel each."""
    header = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    palette = b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return header + palette + frame * frames + b"\x3b"


def animated_webp(frames: int) -> bytes:
    """A WebP of 16 × 16 pixels, all frames alike."""
    still = by_pillow("WEBP", 16, 16, "RGB", lossless=True)[12:]
    where = struct.pack("<I", 0)[:3] * 2 + struct.pack("<I", 15)[:3] * 2
    body = where + struct.pack("<I", 100)[:3] + b"\0" + still
    frame = b"ANMF" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    extended = b"VP8X" + struct.pack("<II", 10, 2) + where[6:]
    content = extended + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + frame * frames
    return b"RIFF" + struct.pack("<I", len(content) + 4) + b"WEBP" + content


def bmp_of_runs(width: int, height: int) -> bytes:
    """A BMP of 8 bits whose pixels are run-length encoded, all black."""
    line = b"\xff\0" * (width // 255) + bytes([width % 255, 0]) * bool(width % 255)
    pixels = (line + b"\0\0") * height + b"\0\1"
    sizes = (40, width, height, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    header = struct.pack("<IiiHHIIiiII", *sizes) + bytes(1024)
    start = 14 + len(header)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + (
        header + pixels
    )


Tags = dict[int, tuple[int, ...]]


def tiff(
    pages: int = 1, loop_to: int = -1, big: bool = False, tags: Tags | None = None
) -> bytes:
    """A TIFF of pages of 1 × 1 pixels.

    Args:
        pages: How many directories there are.
        loop_to: The last one is followed by this one, from 0; -1: by none.
        big: BigTIFF, with 64 bits per offset.
        tags: Number of a tag -> its values, of every page.
    """
    count, offset, none = ("Q", "Q", 16) if big else ("H", "I", 8)
    values: Tags = {256: (1,), 257: (1,), 258: (8,), 259: (1,), 262: (1,), 277: (1,)}
    values |= {273: (none,), 278: (1,), 279: (1,)} | (tags or {})
    long = b"".join(struct.pack(f"<{len(v)}I", *v) for v in values.values() if v[1:])
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if big else b"II*\0\0\0\0\0"
    place, first = len(head) + 8, len(head) + 8 + len(long)
    entries = b""
    for tag, value in sorted(values.items()):
        entries += struct.pack("<HH" + offset, tag, 4, len(value))
        if len(value) == 1:
            entries += struct.pack("<" + offset, *value)
        else:
            entries += struct.pack("<" + offset, place)
            place += 4 * len(value)
    directory = struct.pack("<" + count, len(values)) + entries
    size = len(directory) + struct.calcsize(offset)
    following = [first + (n + 1) * size for n in range(pages - 1)]
    following.append(first + loop_to * size if loop_to >= 0 else 0)
    body = b"".join(directory + struct.pack("<" + offset, n) for n in following)
    start = struct.pack("<" + offset, first)
    return head[: -len(start)] + start + bytes(8) + long + body


def tiff_with_tiles(side: int) -> bytes:
    """A TIFF whose tiles are one pixel each, all the same byte of the file."""
    number = side * side
    tags: Tags = {256: (side,), 257: (side,), 322: (1,), 323: (1,)}
    return tiff(tags=tags | {324: (8,) * number, 325: (1,) * number})


def tiff_with_strips(height: int) -> bytes:
    """A TIFF of one column whose strips are one row each."""
    return tiff(tags={257: (height,), 273: (8,) * height, 279: (1,) * height})


def nifti(shape: tuple[int, ...], data_type: int, bits: int, zeros: int) -> bytes:
    """A compressed NIfTI file: its header, and so many zeros whatever that says."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into(f"<{len(shape) + 1}h", header, 40, len(shape), *shape)
    struct.pack_into("<hh", header, 70, data_type, bits)
    struct.pack_into("<8f", header, 76, *(1.0,) * 8)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = min(zeros, 100 * MEGA)
    more = gzip.compress(bytes(piece)) if zeros > piece else b""
    first = packer.compress(bytes(header)) + b"".join(_pieces(packer, piece))
    # Members of a gzip file follow one another: 10 GB are made of 100 MB.
    return first + more * (zeros // piece - 1 if piece else 0)


_EXPLICIT, _DEFLATED = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
_RLE = b"1.2.840.10008.1.2.5\0"
_UNKNOWN = 0xFFFFFFFF


def element(tag: int, kind: bytes, value: bytes, size: int | None = None) -> bytes:
    """One element in explicit little endian, PS3.5 7.1.2."""
    size = len(value) if size is None else size
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind)
    if kind in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return head + struct.pack("<HI", 0, size) + value
    return head + struct.pack("<H", size) + value


def dicom(body: bytes, syntax: bytes = _EXPLICIT) -> bytes:
    """A DICOM file with its meta information, PS3.10 7.1."""
    meta = element(0x00020010, b"UI", syntax)
    length = element(0x00020000, b"UL", struct.pack("<I", len(meta)))
    return bytes(128) + b"DICM" + length + meta + body


def _image(rows: int, columns: int, frames: int = 1) -> bytes:
    return b"".join(
        [
            element(0x00280002, b"US", struct.pack("<H", 1)),
            element(0x00280004, b"CS", b"MONOCHROME2 "),
            element(0x00280008, b"IS", str(frames).rjust(12).encode()),
            element(0x00280010, b"US", struct.pack("<H", rows)),
            element(0x00280011, b"US", struct.pack("<H", columns)),
            element(0x00280100, b"US", struct.pack("<H", 8)),
            element(0x00280101, b"US", struct.pack("<H", 8)),
            element(0x00280102, b"US", struct.pack("<H", 7)),
            element(0x00280103, b"US", struct.pack("<H", 0)),
        ]
    )


def deflated_dicom(zeros: int) -> bytes:
    """A file whose data set is deflated, PS3.5 A.5: pixel data of so many zeros."""
    body = _image(100, 100) + element(0x7FE00010, b"OW", b"", zeros)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return dicom(packer.compress(body) + b"".join(_pieces(packer, zeros)), _DEFLATED)


def dicom_with_items(items: int) -> bytes:
    """A sequence of so many items of one element each, PS3.5 7.5."""
    inner = element(0x00080100, b"SH", b"a ")
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    return dicom(element(0x00081140, b"SQ", item * items) + _square())


def nested_dicom(depth: int) -> bytes:
    """A sequence in a sequence in a sequence, none with a length."""
    start = element(0x00081140, b"SQ", b"", _UNKNOWN)
    start += struct.pack("<HHI", 0xFFFE, 0xE000, _UNKNOWN)
    end = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return dicom(start * depth + end * depth + _square())


def dicom_with_elements(count: int) -> bytes:
    """A header of so many private elements."""
    private = (0x00091000 + (n % 0xE000) + ((n // 0xE000) << 17) for n in range(count))
    return dicom(b"".join(element(tag, b"LO", b"a ") for tag in private))


def _square() -> bytes:
    pixels = bytes(range(100)) * 100
    return _image(100, 100) + element(0x7FE00010, b"OW", pixels)


def encapsulated_dicom(
    rows: int, columns: int, frames: int, said: int, offsets: bytes = b""
) -> bytes:
    """Frames of run lengths, PS3.5 G, of which `said` is how many there are."""
    runs = b"\x81\0" * (rows * columns // 128)
    runs += b"\x81\x07" * (rows * columns % 128 > 0)
    coded = struct.pack("<16I", 1, 64, *[0] * 14) + runs
    fragment = struct.pack("<HHI", 0xFFFE, 0xE000, len(coded)) + coded
    table = struct.pack("<HHI", 0xFFFE, 0xE000, len(offsets)) + offsets
    content = table + fragment * frames + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    pixels = element(0x7FE00010, b"OB", content, _UNKNOWN)
    return dicom(_image(rows, columns, said) + pixels, _RLE)


SIDE = 9_949
"""99 million pixels, just below what is refused from the header."""
BOMBS: dict[str, Callable[[], bytes]] = {
    "99-megapixels-grey.png": lambda: png(SIDE, SIDE),
    "99-megapixels-rgb.png": lambda: png(SIDE, SIDE, 2),
    "99-megapixels-rgba.png": lambda: png(SIDE, SIDE, 6),
    "99-megapixels-rgb16.png": lambda: png(SIDE, SIDE, 2, 16),
    "99-megapixels-rgba16.png": lambda: png(SIDE, SIDE, 6, 16),
    "99-megapixels-grey16.png": lambda: png(SIDE, SIDE, 0, 16),
    "99-megapixels-1-bit.png": lambda: png(SIDE, SIDE, 0, 1),
    "99-megapixels-palette.png": lambda: png(SIDE, SIDE, 3),
    "99-megapixels-interlaced.png": lambda: png(SIDE, SIDE, 2, interlaced=True),
    "400-megapixels.png": lambda: png(20_000, 20_000),
    "wide.png": lambda: png(99 * MEGA, 1),
    "tall.png": lambda: png(1, 99 * MEGA),
    "zTXt.png": lambda: png_with_text(b"zTXt", 2_000 * MEGA),
    "iTXt.png": lambda: png_with_text(b"iTXt", 2_000 * MEGA),
    "iCCP.png": lambda: png_with_text(b"iCCP", 2_000 * MEGA),
    "100000-frames.png": lambda: animated_png(100_000),
    "99-megapixels.jpg": lambda: by_pillow("JPEG", SIDE, SIDE, "RGB"),
    "99-megapixels-progressive.jpg": lambda: by_pillow(
        "JPEG", SIDE, SIDE, "RGB", progressive=True
    ),
    "3000-scans.jpg": lambda: jpeg_with_scans(4_000, 3_000),
    "99-megapixels-cmyk.jpg": lambda: by_pillow("JPEG", SIDE, SIDE, "CMYK"),
    "99-megapixels.webp": lambda: by_pillow("WEBP", 16_383, 6_000, "RGB", method=0),
    "100000-frames.webp": lambda: animated_webp(100_000),
    "99-megapixels.gif": lambda: gif(SIDE, SIDE, 1),
    "4-gigapixels.gif": lambda: gif(65_535, 65_535, 1),
    "100000-frames.gif": lambda: gif(16, 16, 100_000),
    "100000-frames-of-1-megapixel.gif": lambda: gif(1_000, 1_000, 100_000),
    "99-megapixels-runs.bmp": lambda: bmp_of_runs(SIDE, SIDE),
    "99-megapixels-1-bit.bmp": lambda: by_pillow("BMP", SIDE, SIDE, "1"),
    "99-megapixels-deflate.tif": lambda: by_pillow(
        "TIFF", SIDE, SIDE, "RGB", compression="tiff_adobe_deflate"
    ),
    "99-megapixels-lzw.tif": lambda: by_pillow(
        "TIFF", SIDE, SIDE, "L", compression="tiff_lzw"
    ),
    "40000-pages.tif": lambda: tiff(40_000),
    "300000-pages.tif": lambda: tiff(300_000),
    "200000-pages-big.tif": lambda: tiff(200_000, big=True),
    "loop-to-itself.tif": lambda: tiff(1, loop_to=0),
    "loop-of-1000-pages.tif": lambda: tiff(1_000, loop_to=0),
    "tiles-of-1-pixel.tif": lambda: tiff_with_tiles(2_300),
    "5000000-strips.tif": lambda: tiff_with_strips(5 * MEGA),
    "10-gigabytes.nii.gz": lambda: nifti((500, 500, 500), 2, 8, 10_000 * MEGA),
    "1-gigabyte.nii.gz": lambda: nifti((999, 1_000, 1_000), 2, 8, 1_000 * MEGA),
    "1-gigabyte-float.nii.gz": lambda: nifti((620, 620, 640), 16, 32, 985 * MEGA),
    "huge-dimensions.nii.gz": lambda: nifti((32_767,) * 3, 64, 64, MEGA),
    "32767-volumes.nii.gz": lambda: nifti((32, 32, 29, 32_767), 2, 8, 980 * MEGA),
    "deflated.dcm": lambda: deflated_dicom(2_000 * MEGA),
    "1000000-items.dcm": lambda: dicom_with_items(1_000_000),
    "nested-100000.dcm": lambda: nested_dicom(100_000),
    "nested-900.dcm": lambda: nested_dicom(900),
    "1000000-elements.dcm": lambda: dicom_with_elements(1_000_000),
    "99-megapixels-30-frames.dcm": lambda: encapsulated_dicom(SIDE, SIDE, 30, 30),
    "2-billion-frames.dcm": lambda: encapsulated_dicom(64, 64, 1, 2_147_483_647),
    "wrong-offsets.dcm": lambda: encapsulated_dicom(
        64, 64, 3, 3, struct.pack("<3I", 0, 4_000_000_000, 7)
    ),
    "1000000-offsets.dcm": lambda: encapsulated_dicom(
        64, 64, 3, 1_000_000, np.arange(1_000_000, dtype="<u4").tobytes()
    ),
    "200000-fragments.dcm": lambda: encapsulated_dicom(8, 8, 200_000, 200_000),
}
"""Name of a file -> what draws it."""
