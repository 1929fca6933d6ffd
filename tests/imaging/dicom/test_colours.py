"""Colours of DICOM files: RGB, luminance and palettes, and what is refused by name.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medmodel.core.errors import ImageError
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file, ramp
from tests.imaging.dicom.test_reading import read


def test_rgb_ignores_windows() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    found = read(dicom_file(pixels, WindowCenter=1, WindowWidth=2))
    assert (found["pixels"] == pixels).all()
    assert found["values"] is None and found["window"] is None


def test_planar_configuration() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    dataset = dicom_dataset(pixels, PlanarConfiguration=1)
    dataset.PixelData = pixels.transpose(2, 0, 1).tobytes()
    assert (read(dicom_bytes(dataset))["pixels"] == pixels).all()


def test_ybr_full() -> None:
    # Y 128 without colour is grey; full red is Y 76, Cb 85, Cr 255 (PS3.3 C.7.6.3.1.2)
    pixels = np.array([[[128, 128, 128], [76, 85, 255]]], np.uint8)
    found = read(dicom_file(pixels, PhotometricInterpretation="YBR_FULL"))
    assert found["pixels"][0, 0].tolist() == [128, 128, 128]
    assert np.abs(found["pixels"][0, 1].astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize("used", [12, 16])
def test_sixteen_bit_rgb_is_shown_by_its_own_range(used: int) -> None:
    pixels = np.array([[[0, 2048, 4095], [4095, 0, 0]]], "<u2")
    found = read(dicom_file(pixels, BitsStored=used, HighBit=used - 1))
    assert found["pixels"][0, 0].tolist() == [0, 128, 255]


def test_rgb_of_fewer_bits() -> None:
    pixels = np.array([[[0, 32, 63], [63, 0, 0]]], np.uint8)
    found = read(dicom_file(pixels, BitsStored=6, HighBit=5))
    assert found["pixels"][0, 0].tolist() == [0, 130, 255]


def halved(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Two pixels share their colours: PS3.3 C.7.6.3.1.2, YBR_FULL_422."""
    flat = pixels.reshape(-1, 6)
    return flat[:, [0, 3, 1, 2]].tobytes()


@pytest.mark.parametrize("frame", [0, 1])
@pytest.mark.parametrize(
    ("kind", "black", "white"), [("YBR_FULL_422", 0, 255), ("YBR_PARTIAL_422", 16, 235)]
)
def test_colours_shared_by_two_pixels(
    kind: str, black: int, white: int, frame: int
) -> None:
    grey = np.full((2, 4, 4, 3), 128, np.uint8)
    grey[..., 0] = white
    grey[:, 1:, :, 0] = black
    facts = {"PhotometricInterpretation": kind, "NumberOfFrames": 2}
    for whole in (False, True):  # also where only the name is wrong
        dataset = dicom_dataset(grey, **facts)
        if not whole:
            dataset.PixelData = halved(grey)
        pixels = read(dicom_bytes(dataset), frame=frame)["pixels"]
        assert (pixels[0] == 255).all() and (pixels[1:] == 0).all()


def test_colours_of_video_range() -> None:
    """Full red of ITU-R BT.601 is Y 81, Cb 90, Cr 240."""
    pixels = np.array([[[81, 90, 240], [16, 128, 128]]], np.uint8)
    dataset = dicom_dataset(pixels, PhotometricInterpretation="YBR_PARTIAL_422")
    found = read(dicom_bytes(dataset))["pixels"]
    assert np.abs(found[0].astype(int) - [[255, 0, 0], [0, 0, 0]]).max() <= 2


def test_ybr_of_sixteen_bits() -> None:
    pixels = np.array([[[128, 128, 128], [76, 85, 255]]], "<u2") * 257
    facts = {"PhotometricInterpretation": "YBR_FULL"}
    found = read(dicom_file(pixels, **facts))["pixels"].astype(int)
    assert np.abs(found[0] - [[128, 128, 128], [254, 0, 0]]).max() <= 2


@pytest.mark.parametrize(
    ("kind", "samples", "sentence"),
    [
        ("CMYK", 4, "x.dcm cannot be shown: its photometric interpretation is CMYK."),
        ("ARGB", 4, "x.dcm cannot be shown: its photometric interpretation is ARGB."),
        ("HSV", 3, "x.dcm cannot be shown: its photometric interpretation is HSV."),
        (
            "YBR_ICT",
            3,
            "x.dcm cannot be shown: its photometric interpretation is YBR_I",
        ),
        (
            "YBR_RCT",
            3,
            "x.dcm cannot be shown: its photometric interpretation is YBR_R",
        ),
        (
            "YBR_PARTIAL_420",
            3,
            "x.dcm cannot be shown: its photometric interpretation i",
        ),
        (
            "TILDA",
            3,
            "x.dcm cannot be shown: its photometric interpretation is unknown.",
        ),
        (
            "MONOCHROME2",
            3,
            "x.dcm cannot be read: its header says MONOCHROME2 with 3 sa",
        ),
        (
            "PALETTE COLOR",
            3,
            "x.dcm cannot be read: its header says PALETTE COLOR with ",
        ),
        (
            "RGB",
            1,
            "x.dcm cannot be read: its header says RGB with 1 samples per pixel.",
        ),
        (
            "MONOCHROME2",
            2,
            "x.dcm stores 2 samples of 8 bits per pixel, which cannot be",
        ),
    ],
)
def test_what_is_not_offered_is_named(kind: str, samples: int, sentence: str) -> None:
    dataset = dicom_dataset(ramp("u1"), PhotometricInterpretation=kind)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = samples, 0
    dataset.PixelData = bytes(range(16)) * samples
    with pytest.raises(ImageError) as caught:
        read(dicom_bytes(dataset))
    assert str(caught.value).startswith(sentence)


def test_photometric_interpretation_in_small_letters() -> None:
    data = dicom_file(ramp("u1"), PhotometricInterpretation="MONOCHROME1")
    assert read(data.replace(b"MONOCHROME1", b"monochrome1"))["inverted"]


def test_palette() -> None:
    pixels = np.array([[0, 1], [2, 0]], np.uint8)
    facts: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, entries in {
        "Red": [0, 255, 9],
        "Green": [0, 0, 8],
        "Blue": [1, 0, 7],
    }.items():
        name = f"{colour}PaletteColorLookupTable"
        facts[f"{name}Descriptor"] = [3, 0, 16]
        facts[f"{name}Data"] = np.array(entries, "<u2").tobytes()
    found = read(dicom_file(pixels, **facts))["pixels"]
    # 16-bit tables whose entries use only 8 bits are taken for 8-bit ones
    assert found.reshape(4, 3).tolist() == [
        [0, 0, 1],
        [255, 0, 0],
        [9, 8, 7],
        [0, 0, 1],
    ]


# Frames
