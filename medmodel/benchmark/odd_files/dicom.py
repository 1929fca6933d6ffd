"""Cases of `odd_files`: DICOM files.

One image is written with every depth, order, codec and table, so that each file is to
show the very same grey levels or colours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from medmodel.benchmark.odd_files import Case
from medmodel.imaging import images

Array = npt.NDArray[Any]
Write = Callable[[], bytes]

FOUND = {
    # file -> height, width, channels, frames, darkest and brightest level, mean of all
    "dicom_3_frames_first_black.dcm": (64, 96, 1, 3, 0, 255, 128),
    "dicom_lut_sequences_with_empty_items.dcm": (64, 96, 1, 1, 0, 255, 128),
    "dicom_modality_lut_12_bits.dcm": (64, 96, 1, 1, 0, 255, 128),
    "dicom_non_square_ImagerPixelSpacing.dcm": (128, 96, 1, 1, 0, 255, 128),
    "dicom_non_square_PixelSpacing.dcm": (128, 96, 1, 1, 0, 255, 128),
    "dicom_palette_says_8_bits_data_16.dcm": (64, 96, 3, 1, 0, 255, 85),
    "dicom_rescale_elements_empty.dcm": (64, 96, 1, 1, 0, 255, 128),
    "dicom_signed_pixels_padding_written_as_US.dcm": (64, 96, 1, 1, 0, 255, 114),
    "dicom_voi_lut_says_16_entries_12.dcm": (64, 96, 1, 1, 0, 252, 126),
}
SYNTAXES = {
    ImplicitVRLittleEndian: "<",
    ExplicitVRLittleEndian: "<",
    DeflatedExplicitVRLittleEndian: "<",
    ExplicitVRBigEndian: ">",
}
_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_WINDOW = {"WindowCenter": 2040, "WindowWidth": 4080, "VOILUTFunction": "LINEAR_EXACT"}
"""Shows values of 12 bits that are 16 times the grey levels as these."""


def cases(folder: Path) -> Iterator[Case]:
    """Files of `found`, and what is drawn here."""
    for name, expected in FOUND.items():
        yield Case(name, partial(_summary, folder / name), expected)
    yield from drawn_cases()


def drawn_cases() -> Iterator[Case]:
    """Variants of one image that are to show the same, and what is to be refused."""
    grey = _draw()
    for kind in (
        _order_cases,
        _codec_cases,
        _table_cases,
        _padding_cases,
        _empty_cases,
        _spacing_cases,
        _frame_cases,
        _colour_cases,
        _refused_cases,
    ):
        yield from kind(grey)


def dataset(pixels: Array, **elements: Any) -> Dataset:
    """One image, (height, width) or (height, width, 3), and further elements."""
    colour, bits = pixels.ndim == 3, 8 * pixels.dtype.itemsize
    image = Dataset()
    facts: dict[str, Any] = {
        "SOPClassUID": _CLASS,
        "SOPInstanceUID": "1.2.3",
        "Modality": "OT",
        "PatientID": "nobody",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": elements.get("BitsStored", bits) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"PlanarConfiguration": 0} if colour else {}),
    }
    for keyword, value in {**facts, **elements}.items():
        setattr(image, keyword, value)
    content = pixels.tobytes()
    image.PixelData = content + b"\0" * (len(content) % 2)
    image["PixelData"].VR = "OW" if bits > 8 else "OB"
    return image


def file_bytes(image: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The dataset as a file, whatever pydicom knows of the transfer syntax."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = UID(_CLASS)
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    if syntax in SYNTAXES:
        buffer = BytesIO()
        image.file_meta = meta
        image.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()
    file = DicomBytesIO(b"\0" * 128 + b"DICM")
    file.seek(132)
    file.is_little_endian, file.is_implicit_VR = True, False
    write_file_meta_info(file, meta)
    write_dataset(file, image)
    return bytes(file.getvalue())


def _draw() -> Array:
    """Grey levels of a ramp with noise, black and white among them; uint8 (48, 40)."""
    ramp = np.add.outer(np.arange(48) * 2, np.arange(40) * 3)
    noise = np.random.default_rng(0).integers(0, 32, ramp.shape)
    grey = (ramp + noise).clip(0, 255).astype(np.uint8)
    grey[0, :2] = 0, 255
    return grey


def _same(name: str, write: Write, expected: Array, tolerance: int = 0) -> Case:
    return Case(name, partial(_compared, write, expected, tolerance), "the same")


def _compared(write: Write, expected: Array, tolerance: int) -> str:
    pixels = images.decode(write(), "drawn").pixels
    expected = expected[..., None] if expected.ndim == 2 else expected
    if pixels.shape != expected.shape:
        return f"{pixels.shape} instead of {expected.shape}"
    off = int(np.abs(pixels.astype(int) - expected).max())
    return "the same" if off <= tolerance else f"off by {off}"


def _summary(path: Path) -> tuple[int, ...]:
    decoded = images.decode(path)
    pixels = decoded.pixels
    extremes = int(pixels.min()), int(pixels.max()), round(float(pixels.mean()))
    return *pixels.shape, decoded.frames, *extremes


def _order_cases(grey: Array) -> Iterator[Case]:
    """Depth, byte order and where in its cell a value lies."""
    wide = grey.astype(int) * 16
    for syntax, order in SYNTAXES.items():
        for name, cells, high, signed in (
            ("12 bits", wide, 11, 0),
            ("12 bits under an overlay", wide | 0xA000, 11, 0),
            ("12 bits in the upper ones", wide << 4, 15, 0),
            ("12 bits, high bit by mistake", wide | 3, 15, 0),
            ("12 bits, signed", wide - 2040 & 0xFFF, 11, 1),
            ("12 bits, signed and extended", wide - 2040 & 0xFFFF, 11, 1),
        ):
            facts: dict[str, Any] = {"BitsStored": 12, "PixelRepresentation": signed}
            facts |= _WINDOW | {"WindowCenter": 0 if signed else 2040}
            image = dataset(cells.astype(f"{order}u2"), **facts)
            image.HighBit = high
            yield _same(f"{name}, {syntax.name}", _write(image, syntax), grey)
        for bits in (8, 16):
            cells = grey.astype(f"{order}u{bits // 8}")
            scale = {"RescaleSlope": 16, "RescaleIntercept": 0}
            image = dataset(cells, **_WINDOW, **scale)
            yield _same(f"{bits} bits, {syntax.name}", _write(image, syntax), grey)
        planes = dataset(np.stack([grey, 255 - grey, grey // 2], -1))
        colours = np.frombuffer(planes.PixelData, np.uint8).reshape(48, 40, 3)
        yield _same(f"RGB, {syntax.name}", _write(planes, syntax), colours)
        planes = dataset(colours, PlanarConfiguration=1)
        planes.PixelData = colours.transpose(2, 0, 1).tobytes()
        yield _same(f"RGB in planes, {syntax.name}", _write(planes, syntax), colours)


def _codec_cases(grey: Array) -> Iterator[Case]:
    """Frames compressed without loss, and JPEG of 12 bits."""
    encode: dict[str, Callable[[Array], bytes | bytearray]] = {
        "80": imagecodecs.jpegls_encode,
        "90": partial(imagecodecs.jpeg2k_encode, level=0, codecformat="j2k"),
        "110": partial(imagecodecs.jpegxl_encode, lossless=True),
        "112": partial(imagecodecs.jpegxl_encode, lossless=True),
        "201": imagecodecs.htj2k_encode,
        "203": imagecodecs.htj2k_encode,
    }
    wide = grey.astype("<u2") * 16
    for number, encoder in encode.items():
        for bits, values in ((12, wide), (16, wide), (8, grey)):
            scale = {"RescaleSlope": 1 if bits > 8 else 16, "RescaleIntercept": 0}
            image = dataset(values, BitsStored=bits, **_WINDOW, **scale)
            write = _compressed(image, number, encoder(values))
            yield _same(f"{bits} bits, transfer syntax {number}", write, grey)
    jpeg = partial(imagecodecs.jpeg8_encode, level=99, bitspersample=12)
    image = dataset(wide, BitsStored=12, **_WINDOW)
    yield _same("JPEG of 12 bits", _compressed(image, "51", jpeg(wide)), grey, 2)
    smooth = np.add.outer(np.arange(48), np.arange(40)).astype("<u2") * 45
    colours = np.stack([smooth, 4000 - smooth, smooth // 2], -1)
    expected = images.decode(file_bytes(dataset(colours, BitsStored=12))).pixels
    for kind in ("RGB", "YBR_FULL_422"):
        facts = {"BitsStored": 12, "PhotometricInterpretation": kind}
        write = _compressed(dataset(colours, **facts), "51", jpeg(colours))
        yield _same(f"JPEG of 12 bits in colour, said to be {kind}", write, expected, 4)


def _table_cases(grey: Array) -> Iterator[Case]:
    """VOI LUTs, modality LUTs and palettes of every depth."""
    wide = grey.astype("<u2") * 16
    levels = (np.arange(4096) // 16).astype(int)
    for said, factor in (
        (8, 1),
        (16, 1),
        (12, 16),
        (16, 16),
        (8, 16),
        (16, 257),
        (0, 16),
    ):
        for kind in ("OW", "US", "SS"):
            table = _table([4096, 0, said], levels * factor, kind)
            image = dataset(wide, BitsStored=12, VOILUTSequence=[Dataset(), table])
            name = f"VOI LUT of {said} bits, factor {factor}, {kind}"
            # Of 12 bits, 4095 is white, and the largest entry is 4080.
            yield _same(name, _write(image), grey, int(said == 12))
    identity = _table([4096, 0, 12], np.arange(4096), "OW")
    for name, items in {
        "modality LUT": [identity],
        "modality LUT after an empty one": [Dataset(), identity],
        "modality LUT without entries": [_table([4096, 0, 12], [], "OW")],
    }.items():
        image = dataset(wide, ModalityLUTSequence=items, **_WINDOW)
        yield _same(name, _write(image), grey)
    signed = dataset((wide.astype(int) - 2040).astype("<i2"))
    signed.VOILUTSequence = [_table([4096, 2**16 - 2040, 8], levels, "OW")]
    yield _same("VOI LUT from below 0, written as unsigned", _write(signed), grey)
    colours = np.stack([grey, 255 - grey, grey // 2], -1)
    palette = np.stack([np.arange(256), np.arange(256)[::-1], np.arange(256) // 2])
    for said, factor, kind in (
        *((8, 1, "u1"), (8, 1, "<u2"), (16, 1, "<u2"), (16, 256, "<u2")),
        *((16, 257, "<u2"), (8, 257, "<u2"), (8, 256, "<u2")),
    ):
        for places in (grey, grey.astype("<u2")):
            image = dataset(places, PhotometricInterpretation="PALETTE COLOR")
            for colour, entries in zip(("Red", "Green", "Blue"), palette, strict=True):
                name = f"{colour}PaletteColorLookupTable"
                setattr(image, f"{name}Descriptor", [256, 0, said])
                setattr(image, f"{name}Data", (entries * factor).astype(kind).tobytes())
            name = f"palette of {said} bits, factor {factor}, {kind}, {places.dtype}"
            yield _same(name, _write(image), colours)


def _padding_cases(grey: Array) -> Iterator[Case]:
    """Padding written as signed and unsigned, against either kind of pixels."""
    wide = grey.astype(int) * 16 - 1000
    expected = grey.copy()
    expected[:3] = 0
    for kind, bits, padding, written in (
        *(("<i2", 16, -2000, ("US", 63536)), ("<i2", 16, -2000, ("SS", -2000))),
        *(("<i2", 13, -2000, ("US", 63536)), ("<i2", 13, -2000, ("US", 6192))),
        *(("<u2", 16, 63536, ("SS", -2000)), ("<u2", 16, 63536, ("US", 63536))),
    ):
        values = wide if kind == "<i2" else wide + 1000
        values[:3] = padding
        shown = {**_WINDOW, "WindowCenter": 1040 if kind == "<i2" else 2040}
        image = dataset(values.astype(kind), BitsStored=bits, **shown)
        image.add_new("PixelPaddingValue", *written)
        image.PhotometricInterpretation = "MONOCHROME1"
        inverted = np.where(np.arange(48)[:, None] < 3, 0, 255 - expected)
        name = f"padding {padding} of {bits} bits as {written[0]} {written[1]}"
        yield _same(name, _write(image), inverted)


def _empty_cases(grey: Array) -> Iterator[Case]:
    """Elements that are there but empty, or of which the first values are."""
    image = partial(dataset, grey.astype("<u2") * 16)
    empty = [
        *("RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "PixelSpacing"),
        *("PixelAspectRatio", "ImagerPixelSpacing", "WindowCenterWidthExplanation"),
        *("BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
        *("NumberOfFrames", "PhotometricInterpretation", "PixelPaddingRangeLimit"),
    ]
    for keyword in empty:
        write = _write(_with_bytes(image(**_WINDOW), {keyword: b""}))
        yield _same(f"{keyword} is empty", write, grey)
    write = _write(_with_bytes(image(**_WINDOW), dict.fromkeys(empty, b"")))
    yield _same("all of these are empty", write, grey)
    for center, width in (
        (b"\\2040 ", b"0\\4080"),
        (b"9\\2040", b"0\\4080"),
        (b"2040", b"4080\0\0"),
    ):
        asked = {"WindowCenter": center, "WindowWidth": width}
        write = _write(_with_bytes(image(**_WINDOW), asked))
        yield _same(f"window {center!r} / {width!r}", write, grey)
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        for items in ([], [Dataset()], [Dataset(), Dataset()]):
            write = _write(image(**_WINDOW, **{keyword: items}))
            yield _same(f"{keyword} of {len(items)} empty items", write, grey)


def _spacing_cases(grey: Array) -> Iterator[Case]:
    """Pixels that are not square, and spacings that cannot be."""
    keywords = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    shapes = {b"2\\1 ": (96, 40), b"1\\2 ": (48, 80), b"0.5\\0.5 ": (48, 40)}
    nonsense = (
        b"0\\1 ",
        b"-1\\2",
        b"2 ",
        b"2\\1\\1 ",
        b"a\\b ",
        b"nan\\1 ",
        b"1\\1000",
    )
    for keyword in (*keywords, "PixelAspectRatio"):
        for written, shape in {**shapes, **dict.fromkeys(nonsense, (48, 40))}.items():
            if keyword == "PixelAspectRatio" and written not in (b"2\\1 ", b"1\\2 "):
                continue
            image = _with_bytes(dataset(grey), {keyword: written})
            result = partial(_shape, _write(image))
            yield Case(f"{keyword} {written!r}", result, (*shape, 1))


def _frame_cases(grey: Array) -> Iterator[Case]:
    """Blank frames first, and windows and rescales of single frames."""
    stack = np.stack([grey * 0, grey * 0, grey]).astype("<u2") * 16
    image = dataset(stack[0], NumberOfFrames=3, **_WINDOW)
    image.PixelData = stack.tobytes()
    yield _same("two blank frames first", _write(image), grey)
    half = dataset((grey.astype("<u2") * 8), NumberOfFrames=1)
    for place in ("Shared", "PerFrame"):
        group, scale, view = Dataset(), Dataset(), Dataset()
        scale.RescaleSlope, scale.RescaleIntercept = 2, 0
        for keyword, value in _WINDOW.items():
            setattr(view, keyword, value)
        group.PixelValueTransformationSequence = [scale]
        group.FrameVOILUTSequence = [view]
        setattr(half, f"{place}FunctionalGroupsSequence", [group])
        yield _same(f"{place} functional groups", _write(half), grey)


def _colour_cases(grey: Array) -> Iterator[Case]:
    """Luminance and differences of colour, grey so that all agree on what is right."""
    neutral = np.full((48, 40, 3), 128, np.uint8)
    neutral[..., 0] = grey
    flat = neutral.reshape(-1, 6)
    expected = np.repeat(grey[..., None], 1, axis=-1)
    for kind, content in {
        "YBR_FULL": neutral.tobytes(),
        "YBR_FULL_422": flat[:, [0, 3, 1, 2]].tobytes(),
    }.items():
        image = dataset(neutral, PhotometricInterpretation=kind)
        image.PixelData = content
        shown = np.repeat(expected, 3, axis=-1)
        yield _same(kind, _write(image), shown)
    image = dataset(neutral, PhotometricInterpretation="YBR_FULL_422")
    yield _same("YBR_FULL_422 that is not halved", _write(image), shown)


def _refused_cases(grey: Array) -> Iterator[Case]:
    for kind in ("CMYK", "ARGB", "HSV", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420"):
        samples = 4 if kind in ("CMYK", "ARGB") else 3
        image = dataset(np.repeat(grey[..., None], 3, axis=-1))
        image.PhotometricInterpretation, image.SamplesPerPixel = kind, samples
        image.PixelData = grey.tobytes() * samples
        result = partial(_shape, _write(image))
        yield Case(kind, result, re.compile(f"photometric interpretation is {kind}"))
    for keyword in ("Rows", "BitsAllocated"):
        image = _with_bytes(dataset(grey), {keyword: b""})
        result = partial(_shape, _write(image))
        yield Case(f"{keyword} is empty", result, re.compile(rf"\({keyword}\)"))
    for number, name in (
        ("80", "JPEG-LS"),
        ("110", "JPEG XL"),
        ("51", "JPEG Extended"),
    ):
        result = partial(_shape, _compressed(dataset(grey), number, b"damaged!"))
        yield Case(f"damaged {name}", result, re.compile(rf"pixel data \({name}"))


def _shape(write: Write) -> tuple[int, ...]:
    return images.decode(write(), "drawn").pixels.shape


def _write(image: Dataset, syntax: str = ExplicitVRLittleEndian) -> Write:
    content = file_bytes(image, syntax)
    return lambda: content


def _compressed(image: Dataset, number: str, frame: bytes | bytearray) -> Write:
    image.PixelData = encapsulate([bytes(frame)])
    image["PixelData"].VR, image["PixelData"].is_undefined_length = "OB", True
    return _write(image, f"1.2.840.10008.1.2.4.{number}")


def _with_bytes(image: Dataset, contents: dict[str, bytes]) -> Dataset:
    """The dataset with elements that hold these very bytes."""
    for keyword, content in contents.items():
        tag = BaseTag(tag_for_keyword(keyword) or 0)
        size, kind = len(content), dictionary_VR(tag)
        kind = "US" if kind == "US or SS" else kind
        image[tag] = RawDataElement(tag, kind, size, content, 0, False, True)
    return image


def _table(descriptor: list[int], entries: Any, kind: str) -> Dataset:
    """An item of a sequence of lookup tables, its entries as bytes or numbers."""
    item, words = Dataset(), np.asarray(entries).astype("<u2")
    item.add_new("LUTDescriptor", "US", descriptor)
    if kind == "OW":
        item.add_new("LUTData", "OW", words.tobytes())
    else:
        item.add_new(
            "LUTData", kind, words.view("<i2" if kind == "SS" else "<u2").tolist()
        )
    return item
