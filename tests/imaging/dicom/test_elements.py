"""Headers as they are met: empty, of several values, in functional groups, odd.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medmodel.core.errors import ImageError
from medmodel.imaging.dicom import reading
from medmodel.imaging.dicom.elements import padding_mask
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file, ramp

PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)


def read(data: bytes, **arguments: Any) -> dict[str, Any]:
    return reading.read(data, "x.dcm", **arguments)


def as_written(texts: dict[str, bytes], syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A file in which elements hold these very bytes."""
    dataset = dicom_dataset(ramp("<u2"))
    for keyword, content in texts.items():
        tag = BaseTag(tag_for_keyword(keyword) or 0)
        kind = dictionary_VR(tag)
        dataset[tag] = RawDataElement(
            tag, kind, len(content), content, 0, syntax == ImplicitVRLittleEndian, True
        )
    return dicom_bytes(dataset, syntax)


# Empty is absent

OPTIONAL = [
    "BitsStored",
    "HighBit",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PixelAspectRatio",
    "PixelPaddingRangeLimit",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "SamplesPerPixel",
    "VOILUTFunction",
    "WindowCenter",
    "WindowCenterWidthExplanation",
    "WindowWidth",
]
SEQUENCES = [
    "ModalityLUTSequence",
    "VOILUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize("keyword", OPTIONAL)
def test_empty_is_absent(keyword: str, syntax: str) -> None:
    plain = read(as_written({}, syntax), values=True)
    empty = read(as_written({keyword: b""}, syntax), values=True)
    dataset = dicom_dataset(ramp("<u2"))
    if keyword in dataset:
        delattr(dataset, keyword)
    absent = read(dicom_bytes(dataset, syntax), values=True)
    for answer in (empty, absent):
        assert (answer["pixels"] == plain["pixels"]).all()
        assert (answer["values"] == plain["values"]).all()
        assert answer["window"] == plain["window"] and answer["frames"] == 1


@pytest.mark.parametrize("keyword", SEQUENCES)
@pytest.mark.parametrize("items", [[], [Dataset()], [Dataset(), Dataset()]])
def test_empty_sequences_are_absent(keyword: str, items: list[Dataset]) -> None:
    plain = read(dicom_file(ramp("<u2")))
    answer = read(dicom_file(ramp("<u2"), **{keyword: Sequence(items)}))
    assert (answer["pixels"] == plain["pixels"]).all()


@pytest.mark.parametrize("syntax", PLAIN)
def test_all_at_once_empty(syntax: str) -> None:
    data = as_written(dict.fromkeys(OPTIONAL, b""), syntax)
    assert (read(data)["pixels"] == read(as_written({}))["pixels"]).all()


@pytest.mark.parametrize(
    ("texts", "window"),
    [
        ({"WindowCenter": b"\\8 ", "WindowWidth": b"4\\6 "}, (8, 6)),
        ({"WindowCenter": b"3\\8 ", "WindowWidth": b"0\\6 "}, (8, 6)),
        ({"WindowCenter": b"3\\8 ", "WindowWidth": b"-1\\6"}, (8, 6)),
        ({"WindowCenter": b"3\\8\\9 ", "WindowWidth": b"6 "}, (3, 6)),
        ({"WindowCenter": b"8 ", "WindowWidth": b"0 "}, None),
        ({"WindowCenter": b"8 ", "WindowWidth": b"0\\0 "}, None),
        ({"WindowCenter": b"8 ", "WindowWidth": b""}, None),
        ({"WindowCenter": b"8 ", "WindowWidth": b"  "}, None),
        ({"WindowCenter": b"\\ ", "WindowWidth": b"\\ "}, None),
        ({"WindowCenter": b"many", "WindowWidth": b"6 "}, None),
        ({"WindowCenter": b"nan ", "WindowWidth": b"6 "}, None),
        ({"WindowCenter": b"8 ", "WindowWidth": b"inf "}, None),
        ({"WindowCenter": b"7,5 ", "WindowWidth": b"6,5 "}, (7.5, 6.5)),
        ({"WindowCenter": b"8 ", "WindowWidth": b"6\0"}, (8, 6)),
    ],
)
@pytest.mark.parametrize("syntax", PLAIN)
def test_the_first_window_that_is_valid(
    texts: dict[str, bytes], window: tuple[float, float] | None, syntax: str
) -> None:
    answer = read(as_written(texts, syntax))
    if window is None:
        assert answer["seen"] == "by its own range" and answer["pixels"].max() == 255
    else:
        assert answer["window"][:2] == window and answer["seen"] == "as the file asks"


@pytest.mark.parametrize(
    ("slope", "intercept", "first"),
    [
        (b"", b"-1024 ", [-1024, -1023]),
        (b"2 ", b"", [0, 2]),
        (b"0 ", b"5 ", [5, 6]),
        (b"-1", b"3 ", [3, 2]),
        (b"2\\9 ", b"1\\8 ", [1, 3]),
        (b"nan ", b"1 ", [1, 2]),
    ],
)
def test_rescale_half_said(slope: bytes, intercept: bytes, first: list[float]) -> None:
    data = as_written({"RescaleSlope": slope, "RescaleIntercept": intercept})
    assert read(data, values=True)["values"].ravel()[:2].tolist() == first


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_rescale_that_cannot_be_read_is_named(keyword: str) -> None:
    """Without it values would be wrong; of what stands there nothing is told."""
    with pytest.raises(
        ImageError, match=rf"damaged or incomplete \({keyword}\)\."
    ) as e:
        read(as_written({keyword: b"Tilda "}))
    assert "Tilda" not in str(e.value)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_a_size_that_is_missing_is_named(keyword: str) -> None:
    with pytest.raises(ImageError, match=rf"incomplete \({keyword}\)"):
        read(as_written({keyword: b""}))


# Functional groups


def group(keyword: str, **elements: Any) -> Dataset:
    item, place = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    setattr(place, keyword, Sequence([item]))
    return place


def frames(shared: list[Dataset], by_frame: list[Dataset], **elements: Any) -> bytes:
    return dicom_file(
        np.stack([ramp("<u2"), ramp("<u2"), ramp("<u2")]),
        NumberOfFrames=3,
        SharedFunctionalGroupsSequence=Sequence(shared),
        PerFrameFunctionalGroupsSequence=Sequence(by_frame),
        **elements,
    )


def test_windows_and_rescales_of_frames_come_before_shared_ones() -> None:
    values = "PixelValueTransformationSequence"
    shared = group(values, RescaleSlope=2, RescaleIntercept=1)
    own = group(values, RescaleSlope=3, RescaleIntercept=5)
    empty = group(values, RescaleSlope=None, RescaleIntercept=None)
    data = frames([shared], [own, empty, Dataset()], RescaleSlope=9)
    second = [read(data, frame=n, values=True)["values"].ravel()[1] for n in range(3)]
    assert second == [8, 3, 3]


def test_windows_of_frames() -> None:
    view = "FrameVOILUTSequence"
    shared = group(view, WindowCenter=4, WindowWidth=5)
    own = group(view, WindowCenter=[0, 9], WindowWidth=[0, 6])
    odd = group(view, WindowCenter=7, WindowWidth=0)
    half = group(view, WindowCenter=7, WindowWidth=None)
    data = frames([shared], [own, odd, half], WindowCenter=1, WindowWidth=2)
    windows = [read(data, frame=n)["window"] for n in range(3)]
    assert [tuple(w[:2]) for w in windows] == [(9, 6), (4, 5), (4, 5)]
    # With no group that says one, the file's own.
    plain = frames([Dataset()], [], WindowCenter=1, WindowWidth=2)
    assert read(plain, frame=2)["window"][:2] == (1, 2)


def test_voi_lut_of_a_frame() -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [2, 7, 8])
    table.add_new("LUTData", "OW", np.array([0, 255], "<u2").tobytes())
    own = group("FrameVOILUTSequence", VOILUTSequence=Sequence([table]))
    data = frames([], [Dataset(), own], WindowCenter=8, WindowWidth=17)
    assert read(data, frame=0)["window"][:2] == (8, 17)
    answer = read(data, frame=1)
    assert answer["window"] is None
    assert answer["pixels"].ravel().tolist() == [0] * 8 + [255] * 8


# Square pixels: PS3.3 10.7.1.1, C.7.6.3.1.7

SPACINGS = ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"]


@pytest.mark.parametrize("keyword", [*SPACINGS, "PixelAspectRatio"])
@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize("colour", [False, True])
def test_pixels_become_square(keyword: str, syntax: str, colour: bool) -> None:
    pixels = np.arange(8 * 6).reshape(8, 6).astype(np.uint8)
    pixels = np.stack([pixels] * 3, -1) if colour else pixels
    for spacing, shape in (([2, 1], (16, 6)), ([1, 3], (8, 18)), ([5, 5], (8, 6))):
        dataset = dicom_dataset(pixels, **{keyword: spacing})
        answer = read(dicom_bytes(dataset, syntax), values=not colour)
        assert answer["pixels"].shape[:2] == shape
        if not colour:
            assert answer["values"].shape == shape
            assert abs(float(answer["values"].mean()) - pixels.mean()) < 0.01
            quick = read(dicom_bytes(dataset, syntax))
            assert (quick["pixels"] == answer["pixels"]).all()
        as_stored = read(dicom_bytes(dataset, syntax), square_pixels=False)
        assert as_stored["pixels"].shape[:2] == (8, 6)


@pytest.mark.parametrize(
    "written",
    [b"", b"0\\1 ", b"1\\0 ", b"-2\\1", b"2 ", b"2\\1\\1 ", b"a\\b ", b"nan\\1 "]
    + [b"inf\\1 ", b"1000\\1", b"1\\1000", b"\\1 ", b"2\\ "],
)
@pytest.mark.parametrize("keyword", SPACINGS)
def test_a_spacing_that_cannot_be_is_none(written: bytes, keyword: str) -> None:
    answer = read(as_written({keyword: written}))
    assert answer["pixels"].shape == (4, 4, 1)
    # The next element that says it counts.
    after = {**{keyword: written}, "PixelAspectRatio": b"2\\1 "}
    assert read(as_written(after))["pixels"].shape == (8, 4, 1)


def test_the_patient_s_spacing_comes_before_the_detector_s() -> None:
    both = as_written({"PixelSpacing": b"1\\1 ", "ImagerPixelSpacing": b"2\\1 "})
    assert read(both)["pixels"].shape == (4, 4, 1)
    both = as_written({"PixelSpacing": b"1\\2 ", "PixelAspectRatio": b"2\\1 "})
    assert read(both)["pixels"].shape == (4, 8, 1)


def test_spacing_of_frames() -> None:
    shared = group("PixelMeasuresSequence", PixelSpacing=[2, 1])
    own = group("PixelMeasuresSequence", PixelSpacing=[1, 3])
    bad = group("PixelMeasuresSequence", PixelSpacing=[0, 3])
    data = frames([shared], [own, bad], PixelSpacing=[5, 1])
    shapes = [read(data, frame=n)["pixels"].shape[:2] for n in range(3)]
    assert shapes == [(4, 12), (8, 4), (8, 4)]
    xray = group("FramePixelDataPropertiesSequence", ImagerPixelSpacing=[2, 1])
    assert read(frames([xray], []))["pixels"].shape[:2] == (8, 4)


def test_padding_does_not_bleed_into_widened_images() -> None:
    pixels = np.full((8, 8), 1000, "<i2")
    pixels[:, 4:] = 1100
    pixels[0] = -2000
    facts: dict[str, Any] = {"PixelSpacing": [1, 2], "PixelPaddingValue": -2000}
    values = read(dicom_file(pixels, **facts), values=True)["values"]
    assert values.shape == (8, 16) and np.isnan(values[0]).all()
    assert values[1:].min() == 1000 and values[1:].max() == 1100


# Padding: PS3.3 C.7.5.1.1.2

PADDINGS: list[tuple[str, int, int, str, int]] = [
    # type of the pixels, bits stored, padding, how it is written, what is written
    ("<i2", 16, -2000, "US", 63536),
    ("<i2", 16, -2000, "SS", -2000),
    ("<i2", 12, -2000, "US", 63536),
    ("<i2", 12, -2000, "US", 4096 - 2000),
    ("<i2", 12, -2000, "SS", -2000),
    ("<i2", 16, -32768, "US", 32768),
    ("<i2", 12, 2000, "US", 2000),
    ("<u2", 16, 63536, "SS", -2000),
    ("<u2", 16, 63536, "US", 63536),
    ("<u2", 12, 4095, "US", 4095),
    ("<u2", 12, 0, "SS", 0),
    ("i1", 8, -100, "US", 65436),
    ("i1", 8, -100, "US", 156),
    ("i1", 8, -100, "SS", -100),
    ("u1", 8, 255, "SS", -1),
    ("u1", 8, 255, "US", 255),
]


@pytest.mark.parametrize(("kind", "bits", "padding", "written", "value"), PADDINGS)
@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize("large", [False, True])
def test_padding_written_as_signed_or_not(
    kind: str,
    bits: int,
    padding: int,
    written: str,
    value: int,
    syntax: str,
    large: bool,
) -> None:
    pixels = np.tile(ramp(kind, 40), (20, 20) if large else (1, 1))
    pixels[0, :2] = padding
    dataset = dicom_dataset(pixels, BitsStored=bits, HighBit=bits - 1)
    dataset.add_new("PixelPaddingValue", written, value)
    answer = read(dicom_bytes(dataset, syntax), values=True)
    assert np.isnan(answer["values"][0, :2]).all()
    assert np.isfinite(answer["values"]).sum() == pixels.size - 2
    assert (read(dicom_bytes(dataset, syntax))["pixels"] == answer["pixels"]).all()


@pytest.mark.parametrize(
    ("kind", "value", "limit", "padded"),
    [
        ("<i2", ("US", 63536), ("US", 63636), [-2000, -1950, -1900]),
        ("<i2", ("US", 63636), ("US", 63536), [-2000, -1950, -1900]),
        ("<i2", ("SS", -2000), ("US", 63636), [-2000, -1950, -1900]),
        ("<i2", ("US", 65533), ("US", 2), [-3, 0, 2]),
        ("<u2", ("SS", -2000), ("SS", -1900), [63536, 63636]),
        ("u1", ("US", 3), ("US", 250), [3, 100, 250]),
    ],
)
def test_padding_of_a_range(
    kind: str, value: tuple[str, int], limit: tuple[str, int], padded: list[int]
) -> None:
    dataset = Dataset()
    dataset.add_new("PixelPaddingValue", *value)
    dataset.add_new("PixelPaddingRangeLimit", *limit)
    edges = [padded[0] - 1, *padded, padded[-1] + 1]
    mask = padding_mask(np.array(edges, kind), dataset)
    assert mask is not None
    assert mask.tolist() == [False, *[True] * len(padded), False]


@given(st.integers(-(2**15), 2**15 - 1), st.sampled_from(["<i2", "<u2"]))
def test_the_same_16_bits_are_the_same_padding(value: int, kind: str) -> None:
    stored = np.array([value % 2**16], "<u2").view(kind)
    for representation, written in (("US", value % 2**16), ("SS", value)):
        dataset = Dataset()
        dataset.add_new("PixelPaddingValue", representation, written)
        mask = padding_mask(stored, dataset)
        assert mask is not None and mask.all()


def test_a_padding_that_is_no_value_of_the_pixels_pads_nothing() -> None:
    pixels = ramp("<u2", 4080)
    dataset = dicom_dataset(pixels, BitsStored=12, HighBit=11)
    dataset.add_new("PixelPaddingValue", "US", 65535)
    assert np.isfinite(read(dicom_bytes(dataset), values=True)["values"]).all()


def test_padding_beside_a_single_value_shows_nothing() -> None:
    pixels = np.full((4, 4), 7, "<i2")
    pixels[0] = -2000
    with pytest.raises(ImageError, match="all pixels have the value 7"):
        read(dicom_file(pixels, PixelPaddingValue=-2000))


def test_a_window_beside_all_values_but_padding() -> None:
    pixels = ramp("<i2", 1000)
    pixels[0, 0] = -2000
    facts: dict[str, Any] = {"WindowCenter": 100, "WindowWidth": 50}
    answer = read(dicom_file(pixels, PixelPaddingValue=-2000, **facts))
    assert answer["seen"] == "by its own range"
    assert len(np.unique(answer["pixels"])) > 10
