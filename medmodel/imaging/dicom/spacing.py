"""What a DICOM file says of the size of its pixels in mm, and of whose millimetres.

PS3.3 10.7 (Basic Pixel Spacing Calibration Macro): millimetres of the patient where
Pixel Spacing stands, of the detector where only Imager Pixel Spacing does.
"""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from medmodel.imaging.dicom.elements import (
    DamagedElement,
    items,
    levels,
    number,
    pixel_size,
    stated_size,
    text,
)
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.imaging.measurement.spacing import Calibration, Region, Spacing

_PROJECTIONS = ("CR", "DX", "DR", "MG", "RF", "XA", "RG", "IO", "PX")
"""Modalities in which the patient's shadow is larger than the patient."""
_MOST_MAGNIFIED = 10
_ALIKE = 1e-3
"""Relative difference up to which two spacings are the same."""
_CENTIMETRES, _TWO_DIMENSIONS = 3, 1
"""Codes of PS3.3 C.8.5.5.1.15 (units) and C.8.5.5.1.1 (Region Spatial Format)."""


def calibration(dataset: Dataset, frame: int) -> Calibration:
    """How large the pixels of one frame are.

    A file with ultrasound regions is believed in these alone.

    Args:
        dataset: The file.
        frame: From 0.
    """
    ratio = pixel_size(dataset, frame)
    relative = PixelSize(ratio[0] / ratio[1], 1.0)
    if _region_items(dataset):
        return Calibration(Spacing("outside", relative), tuple(_regions(dataset)))
    patient = _spacing(dataset, frame, "PixelSpacing", "PixelMeasuresSequence")
    group = "FramePixelDataPropertiesSequence"
    detector = _spacing(dataset, frame, "ImagerPixelSpacing", group)
    if patient and not _is_detectors(dataset, patient, detector):
        is_projection = text(dataset, "Modality") in _PROJECTIONS
        is_calibrated = bool(text(dataset, "PixelSpacingCalibrationType")) or detector
        source: Any = (
            "uncalibrated" if is_projection and not is_calibrated else "pixel spacing"
        )
        return Calibration(Spacing(source, patient, in_mm=True))
    detector = detector or patient
    if detector is None:
        return Calibration(Spacing(size=relative))
    factor = _magnification(dataset)
    if factor is None:
        return Calibration(Spacing("detector", detector, in_mm=True))
    size = PixelSize(detector.row / factor, detector.column / factor)
    return Calibration(Spacing("magnification", size, in_mm=True))


def _is_detectors(
    dataset: Dataset, patient: PixelSize, detector: PixelSize | None
) -> bool:
    """Whether Pixel Spacing only repeats that of the detector: PS3.3 10.7.1.3."""
    if detector is None or text(dataset, "PixelSpacingCalibrationType"):
        return False
    pairs = zip(patient, detector, strict=True)
    return all(abs(one - other) <= _ALIKE * other for one, other in pairs)


def _spacing(
    dataset: Dataset, frame: int, keyword: str, group: str
) -> PixelSize | None:
    """Two numbers above 0, row spacing first: PS3.3 10.7.1.1."""
    size = stated_size(_levels(dataset, frame, group), keyword)
    return PixelSize(*size) if size else None


def _levels(dataset: Dataset, frame: int, group: str) -> list[Dataset]:
    try:
        return levels(dataset, frame, group)
    except DamagedElement:
        return [dataset]


def _magnification(dataset: Dataset) -> float | None:
    """Estimated Radiographic Magnification Factor, PS3.3 C.8.11.7."""
    factor = _number(dataset, "EstimatedRadiographicMagnificationFactor")
    return factor if factor is not None and 1 <= factor <= _MOST_MAGNIFIED else None


def _regions(dataset: Dataset) -> list[Region]:
    """Those in which both directions are lengths: PS3.3 C.8.5.5."""
    regions = []
    for item in _region_items(dataset):
        units = [_number(item, f"PhysicalUnits{way}Direction") for way in "XY"]
        kind = _number(item, "RegionSpatialFormat")
        if units != [_CENTIMETRES] * 2 or kind != _TWO_DIMENSIONS:
            continue
        deltas = [abs(_number(item, f"PhysicalDelta{way}") or 0.0) for way in "XY"]
        edges = [
            _number(item, f"RegionLocation{edge}")
            for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1")
        ]
        if min(deltas) <= 0 or None in edges:
            continue
        left, top, right, bottom = (int(edge or 0) for edge in edges)
        flags = int(_number(item, "RegionFlags") or 0)
        regions.append(
            Region(
                (left, top, right + 1, bottom + 1),
                PixelSize(10 * deltas[1], 10 * deltas[0]),
                high_priority=bool(flags & 1),
            )
        )
    return regions


def _region_items(dataset: Dataset) -> list[Dataset]:
    try:
        return items(dataset, "SequenceOfUltrasoundRegions")
    except DamagedElement:
        return []


def _number(dataset: Dataset, keyword: str) -> float | None:
    try:
        return number(dataset, keyword)
    except DamagedElement:
        return None
