"""How large a DICOM pixel is, and in whose millimetres: PS3.3 10.7 and C.8.5.5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medmodel.imaging.dicom.spacing import calibration
from medmodel.imaging.measurement.shapes import PixelSize, Shape
from medmodel.imaging.measurement.spacing import Spacing
from tests.dicom_files import dicom_dataset, ramp

UNKNOWN = Spacing()


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def spacing(frame: int = 0, **elements: Any) -> Spacing:
    return calibration(dicom_dataset(ramp(), **elements), frame).whole


def region(**elements: Any) -> Dataset:
    usual = {
        "RegionSpatialFormat": 1,
        "RegionFlags": 1,
        "RegionLocationMinX0": 0,
        "RegionLocationMinY0": 0,
        "RegionLocationMaxX1": 9,
        "RegionLocationMaxY1": 19,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.01,
        "PhysicalDeltaY": 0.02,
    }
    facts = {k: v for k, v in (usual | elements).items() if v is not None}
    return item(**facts)


def test_pixel_spacing_is_rows_first() -> None:
    expected = Spacing("pixel spacing", PixelSize(0.7, 0.5), in_mm=True)
    assert spacing(PixelSpacing=[0.7, 0.5], Modality="CT") == expected


def test_without_any_there_are_only_pixels() -> None:
    assert spacing() == UNKNOWN
    # The film's pixels are not those of the patient.
    film = spacing(NominalScannedPixelSpacing=[0.1, 0.1])
    assert film == UNKNOWN
    oblong = spacing(PixelAspectRatio=["2", "1"])
    assert oblong == Spacing("none", PixelSize(2, 1))


@pytest.mark.parametrize(
    "written", [[0, 0], [-1, -1], [0.5], [1, 0], [1, 1000], [0.5, 0.5, 0.5], []]
)
def test_what_cannot_be_a_spacing_is_none(written: list[float]) -> None:
    assert spacing(PixelSpacing=written) == UNKNOWN


def test_a_spacing_that_is_no_number_is_none() -> None:
    dataset = dicom_dataset(ramp())
    dataset.add_new("PixelSpacing", "LO", ["wide", "high"])
    assert calibration(dataset, 0).whole == UNKNOWN


def test_imager_spacing_is_of_the_detector() -> None:
    expected = Spacing("detector", PixelSize(0.2, 0.1), in_mm=True)
    assert spacing(ImagerPixelSpacing=[0.2, 0.1], Modality="DX") == expected
    # Pixel Spacing that only repeats it says nothing of the patient.
    both: dict[str, Any] = {
        "ImagerPixelSpacing": [0.2, 0.1],
        "PixelSpacing": [0.2, 0.1],
    }
    assert spacing(**both, Modality="DX") == expected
    assert spacing(**both | {"PixelSpacing": [0.20001, 0.1]}) == expected
    another = spacing(**both | {"PixelSpacing": [0.2004, 0.1]})
    assert another.source == "pixel spacing"
    # Unless it was calibrated, or is another.
    calibrated = spacing(**both, Modality="DX", PixelSpacingCalibrationType="FIDUCIAL")
    assert calibrated == Spacing("pixel spacing", PixelSize(0.2, 0.1), in_mm=True)
    other = spacing(**both | {"PixelSpacing": [0.16, 0.08]}, Modality="DX")
    assert other == Spacing("pixel spacing", PixelSize(0.16, 0.08), in_mm=True)


def test_the_estimated_magnification_leads_back_to_the_patient() -> None:
    elements: dict[str, Any] = {"ImagerPixelSpacing": [0.2, 0.1], "Modality": "MG"}

    def magnified(factor: float) -> Spacing:
        name = "EstimatedRadiographicMagnificationFactor"
        return spacing(**elements | {name: factor})

    estimated = magnified(1.25)
    assert estimated.source == "magnification" and estimated.in_mm
    assert estimated.size == pytest.approx(PixelSize(0.16, 0.08))
    for impossible in (0, 0.5, -1, 11):
        assert magnified(impossible).source == "detector"
    for possible in (1, 10):
        assert magnified(possible).source == "magnification"


def test_a_projection_says_how_it_was_calibrated_or_not() -> None:
    plain = spacing(PixelSpacing=[0.2, 0.2], Modality="CR")
    assert plain == Spacing("uncalibrated", PixelSize(0.2, 0.2), in_mm=True)
    how = spacing(
        PixelSpacing=[0.2, 0.2],
        Modality="CR",
        PixelSpacingCalibrationType="GEOMETRY",
    )
    assert how.source == "pixel spacing"


def test_functional_groups_count_first_and_frame_by_frame() -> None:
    dataset = dicom_dataset(np.stack([ramp()] * 3), NumberOfFrames=3)
    dataset.PixelSpacing = [9, 9]
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=[3, 3])])
    dataset.SharedFunctionalGroupsSequence = [shared]
    second = item(PixelMeasuresSequence=[item(PixelSpacing=[2, 1])])
    dataset.PerFrameFunctionalGroupsSequence = [Dataset(), second, Dataset()]
    sizes = [calibration(dataset, frame).whole.size for frame in range(3)]
    assert sizes == [PixelSize(3, 3), PixelSize(2, 1), PixelSize(3, 3)]


def test_an_ultrasound_region_is_in_centimetres_and_includes_its_last_pixel() -> None:
    dataset = dicom_dataset(ramp(), SequenceOfUltrasoundRegions=[region()])
    found = calibration(dataset, 0)
    inside, beyond = ((0, 0), (10, 20)), ((0, 0), (10.5, 20))
    assert found.of(Shape("line", inside)) == Spacing(
        "ultrasound", PixelSize(0.2, 0.1), in_mm=True
    )
    assert found.of(Shape("line", beyond)) == Spacing("outside")


def test_a_direction_is_no_length() -> None:
    dataset = dicom_dataset(
        ramp(), SequenceOfUltrasoundRegions=[region(PhysicalDeltaY=-0.02)]
    )
    (only,) = calibration(dataset, 0).regions
    assert only.size == PixelSize(0.2, 0.1)


@pytest.mark.parametrize(
    "elements",
    [
        {"PhysicalUnitsXDirection": 4},  # seconds: M-mode
        {"PhysicalUnitsYDirection": 7},  # cm/s: Doppler
        {"PhysicalUnitsXDirection": None},
        {"RegionSpatialFormat": 2},
        {"RegionSpatialFormat": None},
        {"PhysicalDeltaX": 0.0},
        {"PhysicalDeltaY": None},
        {"RegionLocationMaxX1": None},
    ],
)
def test_a_region_that_is_no_plane_of_lengths_does_not_count(
    elements: dict[str, Any],
) -> None:
    regions = [region(**elements)]
    # Nor does a spacing for the whole image, which holds a scale and text, too.
    dataset = dicom_dataset(
        ramp(), SequenceOfUltrasoundRegions=regions, PixelSpacing=[0.3, 0.3]
    )
    found = calibration(dataset, 0)
    assert found.regions == ()
    assert found.whole.source == "outside" and not found.whole.in_mm


def test_an_empty_sequence_of_regions_is_none() -> None:
    assert spacing(SequenceOfUltrasoundRegions=[], PixelSpacing=[3, 3]).in_mm


def test_priority_is_the_first_flag() -> None:
    regions = [region(RegionFlags=flags) for flags in (0, 1, 2, 3, None)]
    dataset = dicom_dataset(ramp(), SequenceOfUltrasoundRegions=regions)
    flags = [each.high_priority for each in calibration(dataset, 0).regions]
    assert flags == [False, True, False, True, False]
