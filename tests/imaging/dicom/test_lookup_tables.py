"""Lookup tables of every depth and order, against values worked out by hand.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from medmodel.core.errors import ImageError
from medmodel.imaging.dicom import reading
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file, ramp


def read(data: bytes, **arguments: Any) -> dict[str, Any]:
    return reading.read(data, "x.dcm", **arguments)


def item(descriptor: Any, data: Any, kind: str = "OW") -> Dataset:
    table = Dataset()
    if descriptor is not None:
        signed = any(number < 0 for number in descriptor)
        table.add_new("LUTDescriptor", "SS" if signed else "US", descriptor)
    if data is not None:
        table.add_new("LUTData", kind, data)
    table.LUTExplanation = "usual"
    return table


def words(*entries: int, order: str = "<") -> bytes:
    return np.array(entries, f"{order}u2").tobytes()


def packed(*entries: int) -> bytes:
    return bytes(entries) + b"\0" * (len(entries) % 2)


EIGHT = [0, 1, 3, 7, 15, 63, 127, 255]
TWELVE = [0, 10, 100, 500, 1000, 2000, 3000, 4095]
SIXTEEN = [0, 10, 100, 500, 1000, 2000, 40000, 65535]

VOI: dict[str, tuple[Any, Any, str, list[int], int]] = {
    # descriptor, data, its kind, entries, the entry that is white
    "8 in bytes": ([8, 0, 8], packed(*EIGHT), "OW", EIGHT, 255),
    "8 in words": ([8, 0, 8], words(*EIGHT), "OW", EIGHT, 255),
    "8 in words as numbers": ([8, 0, 8], EIGHT, "US", EIGHT, 255),
    "8 in bytes as numbers": (
        [8, 0, 8],
        np.frombuffer(packed(*EIGHT), "<u2").tolist(),
        "US",
        EIGHT,
        255,
    ),
    "odd number of bytes": ([7, 0, 8], packed(*EIGHT[1:]), "OW", EIGHT[1:], 255),
    "16 said, 8 used": ([8, 0, 16], words(*EIGHT), "OW", EIGHT, 255),
    "16 said, 12 used": ([8, 0, 16], words(*TWELVE), "OW", TWELVE, 4095),
    "14 said, 12 used": ([8, 0, 14], TWELVE, "US", TWELVE, 4095),
    "12 of 16": ([8, 0, 12], words(*TWELVE), "OW", TWELVE, 4095),
    "8 said, 12 used": ([8, 0, 8], words(*TWELVE), "OW", TWELVE, 4095),
    "8 said, 16 used": ([8, 0, 8], words(*SIXTEEN), "OW", SIXTEEN, 65535),
    "16": ([8, 0, 16], words(*SIXTEEN), "OW", SIXTEEN, 65535),
    "16 as signed": (
        [8, 0, 16],
        np.array(SIXTEEN, "<u2").view("<i2").tolist(),
        "SS",
        SIXTEEN,
        65535,
    ),
    "0 bits": ([8, 0, 0], words(*TWELVE), "OW", TWELVE, 4095),
    "not up to white": (
        [4, 0, 8],
        words(0, 50, 100, 200),
        "OW",
        [0, 50, 100, 200],
        255,
    ),
    "fewer than said": ([9, 0, 12], words(*TWELVE), "OW", TWELVE, 4095),
    "more than said": ([3, 0, 12], words(*TWELVE), "OW", TWELVE[:3], 100),
    "falling": ([8, 0, 8], words(*EIGHT[::-1]), "OW", EIGHT[::-1], 255),
}


@pytest.mark.parametrize("kind", VOI)
def test_voi_lut_of_every_depth(kind: str) -> None:
    descriptor, data, representation, entries, white = VOI[kind]
    table = item(descriptor, data, representation)
    dataset = dicom_dataset(ramp("<u2"), VOILUTSequence=[table])
    answer = read(dicom_bytes(dataset))
    if representation == "OW":
        implicit = read(dicom_bytes(dataset, ImplicitVRLittleEndian))
        assert (implicit["pixels"] == answer["pixels"]).all()
    expected = [entries[min(n, len(entries) - 1)] * 255 / white for n in range(16)]
    assert answer["pixels"].ravel().tolist() == [int(e + 0.5) for e in expected]
    assert answer["window"] is None and answer["seen"] == "as the file asks"


def test_voi_lut_of_a_big_endian_file() -> None:
    for data in (words(*TWELVE, order=">"), words(*EIGHT, order=">")):
        table = item([8, 0, 12], data)
        dataset = dicom_dataset(ramp(">i2"), VOILUTSequence=[table])
        pixels = read(dicom_bytes(dataset, ExplicitVRBigEndian))["pixels"].ravel()
        white = max(np.frombuffer(data, ">u2"))
        expected = np.frombuffer(data, ">u2")[:3] * (255 / white)
        assert pixels[:3].tolist() == [int(e + 0.5) for e in expected]
        assert pixels.max() == 255


def test_no_entries_means_all_of_16_bits() -> None:
    entries = np.arange(65536)[::-1]
    pixels = np.linspace(0, 65535, 64).reshape(8, 8).astype("<u2")
    table = item([0, 0, 16], words(*entries))
    shown = read(dicom_file(pixels, VOILUTSequence=[table]))["pixels"]
    assert (
        shown[..., 0] == ((65535 - pixels.astype(float)) / 257 + 0.5).astype(int)
    ).all()


@pytest.mark.parametrize(
    ("kind", "start", "first"),
    [
        ("<i2", -4, -4),
        ("<i2", -4, 65532),  # the same, written as unsigned
        ("<u2", 40000, 40000),
        ("<u2", 40000, 40000 - 65536),  # the same, written as signed
        ("<u2", 3, 3),
        ("<i2", 3, 3),
    ],
)
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_first_value_mapped_signed_or_not(
    kind: str, start: int, first: int, keyword: str
) -> None:
    table = item([8, first, 12], words(*TWELVE))
    data = dicom_file(ramp(kind, start), **{keyword: [table]})
    answer = read(data, values=True, window=None)
    if keyword == "ModalityLUTSequence":
        assert answer["values"].ravel()[:8].tolist() == TWELVE
    else:
        expected = [int(entry / 4095 * 255 + 0.5) for entry in TWELVE]
        assert answer["pixels"].ravel()[:8].tolist() == expected


def test_values_are_negative_only_after_the_rescale() -> None:
    """The table is for Hounsfield units, its first value written as unsigned."""
    table = item([2048, 65536 - 1024, 8], words(*(n // 8 for n in range(2048))))
    facts: dict[str, Any] = {"RescaleSlope": 1, "RescaleIntercept": -1024}
    data = dicom_file(ramp("<u2", 0, 128), VOILUTSequence=[table], **facts)
    assert read(data)["pixels"].ravel().tolist() == [16 * n for n in range(16)]


USELESS: dict[str, Dataset] = {
    "empty": Dataset(),
    "without entries": item([8, 0, 12], None),
    "without a descriptor": item(None, words(*TWELVE)),
    "with empty entries": item([8, 0, 12], b""),
    "of equal entries": item([4, 0, 12], words(7, 7, 7, 7)),
    "of one entry": item([1, 0, 12], words(5)),
    "of zeros": item([4, 0, 12], words(0, 0, 0, 0)),
}


@pytest.mark.parametrize("kind", USELESS)
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_the_first_table_that_works(kind: str, keyword: str) -> None:
    useless, good = USELESS[kind], item([16, 0, 12], words(*range(0, 4096, 273)))
    plain = read(dicom_file(ramp("<u2")), values=True)
    alone = read(dicom_file(ramp("<u2"), **{keyword: [useless]}), values=True)
    assert (alone["pixels"] == plain["pixels"]).all()
    assert (alone["values"] == plain["values"]).all()
    second = read(dicom_file(ramp("<u2"), **{keyword: [useless, good]}), values=True)
    first = read(dicom_file(ramp("<u2"), **{keyword: [good, useless]}), values=True)
    assert (second["pixels"] == first["pixels"]).all()
    assert (second["values"] == first["values"]).all()
    changed = "pixels" if keyword == "VOILUTSequence" else "values"
    assert not (second[changed] == plain[changed]).all()


def test_a_useless_modality_lut_leaves_the_rescale() -> None:
    data = dicom_file(
        ramp("<u2"),
        ModalityLUTSequence=[Dataset()],
        RescaleSlope=2,
        RescaleIntercept=-5,
    )
    assert read(data, values=True)["values"].ravel()[:3].tolist() == [-5, -3, -1]


def test_a_table_beside_all_values_gives_way_to_the_window() -> None:
    table = item([4, 1000, 8], words(0, 100, 200, 255))
    facts: dict[str, Any] = {"VOILUTSequence": [table]}
    asked = {"WindowCenter": 8, "WindowWidth": 17}
    assert read(dicom_file(ramp("<u2"), **facts, **asked))["window"][:2] == (8, 17)
    answer = read(dicom_file(ramp("<u2"), **facts))
    assert answer["pixels"].max() == 255 and answer["seen"] == "by its own range"


@pytest.mark.parametrize(
    ("bits", "entries", "stored"),
    [
        (12, TWELVE, words(*TWELVE)),
        (16, SIXTEEN, words(*SIXTEEN)),
        (8, EIGHT, words(*EIGHT)),
        (8, EIGHT, packed(*EIGHT)),
        (16, TWELVE, words(*TWELVE)),
        (10, TWELVE, words(*TWELVE)),
    ],
)
def test_modality_lut_of_every_depth(
    bits: int, entries: list[int], stored: bytes
) -> None:
    data = dicom_file(ramp("<u2"), ModalityLUTSequence=[item([8, 0, bits], stored)])
    values = read(data, values=True)["values"].ravel().tolist()
    assert values == entries + [entries[-1]] * 8


def test_padding_does_not_tell_whether_a_table_is_signed() -> None:
    pixels = np.tile(ramp("<i2", 40).astype("<i2"), (20, 20))
    pixels[0, 0] = -2000
    table = item([80, 0, 12], words(*range(0, 80 * 40, 40)))
    facts: dict[str, Any] = {"ModalityLUTSequence": [table], "PixelPaddingValue": -2000}
    whole = read(dicom_file(pixels, **facts), values=True)
    quick = read(dicom_file(pixels, **facts))
    assert np.isnan(whole["values"][0, 0]) and whole["values"][0, 1] == 41 * 40
    assert (whole["pixels"] == quick["pixels"]).all()


# Palettes: PS3.3 C.7.9


def palette(
    entries: npt.NDArray[Any], bits: int, first: int = 0, **changes: Any
) -> dict[str, Any]:
    """Elements of a palette, (entries, 3)."""
    facts: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        name = f"{colour}PaletteColorLookupTable"
        facts[f"{name}Descriptor"] = [len(entries) % 65536, first, bits]
        content = np.ascontiguousarray(entries[:, channel]).tobytes()
        facts[f"{name}Data"] = content + b"\0" * (len(content) % 2)
    return facts | changes


RAMP = np.stack([np.arange(256), np.arange(256)[::-1], np.arange(256) // 2], axis=1)


@pytest.mark.parametrize(
    ("entries", "bits"),
    [
        (RAMP.astype("u1"), 8),
        (RAMP.astype("<u2"), 8),
        (RAMP.astype("<u2"), 16),
        ((RAMP * 256).astype("<u2"), 16),
        ((RAMP * 257).astype("<u2"), 16),
        ((RAMP * 256).astype("<u2"), 8),
        ((RAMP * 257).astype("<u2"), 8),
    ],
)
@pytest.mark.parametrize("kind", ["u1", "<u2"])
def test_palettes_of_every_depth(
    entries: npt.NDArray[Any], bits: int, kind: str
) -> None:
    places = np.arange(256).reshape(16, 16).astype(kind)
    pixels = read(dicom_file(places, **palette(entries, bits)))["pixels"]
    assert (pixels.reshape(256, 3) == RAMP).all()


def test_palette_of_12_bits() -> None:
    entries = np.array([[0, 4095, 1000], [4095, 0, 2000], [2048, 2048, 0]], "<u2")
    places = np.array([[0, 1], [2, 9]], np.uint8)
    for bits in (12, 16):
        pixels = read(dicom_file(places, **palette(entries, bits)))["pixels"]
        full = 4095 if bits == 12 else 65535
        expected = (entries * (255 / full)).round()
        assert pixels[0, 0].tolist() == expected[0].tolist()
        assert pixels[1, 1].tolist() == expected[2].tolist()  # beyond: the last


def test_palette_whose_first_place_is_not_0() -> None:
    places = np.arange(16).reshape(4, 4)
    below = dicom_file(places.astype("u1"), **palette(RAMP.astype("u1"), 8, 10))
    assert read(below)["pixels"].reshape(16, 3)[:, 0].tolist() == [0] * 11 + [
        *range(1, 6)
    ]
    many = RAMP.repeat(4, axis=0).astype("u1")  # more than 256 of 8 bits
    high = dicom_file((places * 50).astype("<u2"), **palette(many, 8))
    assert read(high)["pixels"][..., 0].ravel().tolist() == [
        n * 50 // 4 for n in range(16)
    ]


def test_segmented_palette() -> None:
    """PS3.3 C.7.9.2: three entries, then a line of four up to 15, in each colour."""
    segments = words(0, 3, 1, 2, 3, 1, 4, 15)
    facts = palette(np.zeros((7, 3), "<u2"), 16)
    for colour in ("Red", "Green", "Blue"):
        del facts[f"{colour}PaletteColorLookupTableData"]
        facts[f"Segmented{colour}PaletteColorLookupTableData"] = segments
    pixels = read(dicom_file(ramp("u1"), **facts))["pixels"]
    assert pixels[..., 0].ravel().tolist() == [1, 2, 3, 6, 9, 12, *[15] * 10]


def test_palette_of_a_big_endian_file() -> None:
    places = np.arange(256).reshape(16, 16).astype(">u2")
    for entries in (RAMP.astype(">u2"), (RAMP * 257).astype(">u2")):
        dataset = dicom_dataset(places, **palette(entries, 16))
        pixels = read(dicom_bytes(dataset, ExplicitVRBigEndian))["pixels"]
        assert (pixels.reshape(256, 3) == RAMP).all()


def test_colours_beside_grey_levels() -> None:
    """PS3.3 C.7.6.19: from the first value mapped on colours, below grey levels."""
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    facts = palette(colours, 8, first=13, PhotometricInterpretation="MONOCHROME2")
    asked: dict[str, Any] = {"WindowCenter": 7, "WindowWidth": 13}
    for where in ("COLOR", "MIXED"):
        dataset = dicom_dataset(ramp("<u2"), PixelPresentation=where, **asked, **facts)
        answer = read(dicom_bytes(dataset), values=True)
        pixels = answer["pixels"].reshape(16, 3)
        assert pixels[13:].tolist() == colours.tolist()
        plain = read(dicom_file(ramp("<u2"), **asked))["pixels"].reshape(16, 1)
        assert (pixels[:13] == plain[:13]).all()
        assert answer["values"] is None and answer["window"] is None
    grey = read(dicom_file(ramp("<u2"), PixelPresentation="MONOCHROME", **facts))
    assert grey["pixels"].shape == (4, 4, 1)
    without = read(dicom_file(ramp("<u2"), PixelPresentation="COLOR"))
    assert without["pixels"].shape == (4, 4, 1)


def test_colours_alone_and_above_a_single_grey_level() -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    facts = palette(colours, 8, first=2, PhotometricInterpretation="MONOCHROME2")
    facts["PixelPresentation"] = "COLOR"
    shown = read(dicom_file(np.array([[2, 3], [4, 9]], "<u2"), **facts))["pixels"]
    assert shown.reshape(4, 3).tolist() == [*colours.tolist(), [0, 0, 255]]
    shown = read(dicom_file(np.array([[1, 1], [4, 3]], "<u2"), **facts))["pixels"]
    assert shown.reshape(4, 3).tolist() == [[0] * 3] * 2 + [[0, 0, 255], [0, 255, 0]]


@pytest.mark.parametrize("missing", ["Descriptor", "Data"])
def test_without_a_palette_it_is_damaged(missing: str) -> None:
    facts = palette(RAMP.astype("u1"), 8)
    facts[f"GreenPaletteColorLookupTable{missing}"] = None
    with pytest.raises(ImageError, match="GreenPaletteColorLookupTableData"):
        read(dicom_file(ramp("u1"), **facts))
