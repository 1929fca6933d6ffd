"""What the values of a DICOM image measure: Hounsfield units, SUV, activity.

The standardised uptake value by body weight follows the vendor-neutral steps that the
Quantitative Imaging Biomarkers Alliance published for FDG-PET/CT (QIBA profile 1.05,
appendix G), for files of PS3.3 C.8.9 (PET Series, PET Isotope, PET Image).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from medmodel.imaging.dicom.elements import (
    DamagedElement,
    items,
    levels,
    number,
    rescale,
    text,
)

HOUNSFIELD = "HU"
SUV = "SUV (body weight)"
ACTIVITY = "Bq/mL"


class ValueUnit(NamedTuple):
    """What values are multiplied by, and the unit that they then have; "" for none."""

    factor: float = 1.0
    unit: str = ""


def value_unit(dataset: Dataset, frame: int) -> ValueUnit:
    """Unit of a frame's values after the modality transformation.

    Args:
        dataset: The file.
        frame: From 0.
    """
    modality = text(dataset, "Modality")
    try:
        if modality == "CT" and _is_hounsfield(dataset, frame):
            return ValueUnit(unit=HOUNSFIELD)
        if modality == "PT":
            return _uptake(dataset)
    except (DamagedElement, ValueError, OverflowError):
        pass  # what cannot be read is as if not said
    return ValueUnit()


def _is_hounsfield(dataset: Dataset, frame: int) -> bool:
    """By Rescale Type, which may be absent in CT: PS3.3 C.8.2.1.1.3."""
    group = "PixelValueTransformationSequence"
    if rescale(dataset, frame) is None:
        return False
    types = [text(level, "RescaleType") for level in levels(dataset, frame, group)]
    return next(filter(None, types), "HU") == "HU"


def _uptake(dataset: Dataset) -> ValueUnit:
    units = text(dataset, "Units")
    if units == "GML" and text(dataset, "SUVType") in ("", "BW"):
        return ValueUnit(unit=SUV)
    if units != "BQML":
        return ValueUnit()
    factor = _grams_per_becquerel(dataset)
    return ValueUnit(unit=ACTIVITY) if factor is None else ValueUnit(factor, SUV)


def _grams_per_becquerel(dataset: Dataset) -> float | None:
    """Body weight by the dose that is left at the time that values are corrected to."""
    corrected = dataset.get("CorrectedImage") or []
    corrections = [corrected] if isinstance(corrected, str) else list(corrected)
    if not {"ATTN", "DECY"} <= {str(word).strip().upper() for word in corrections}:
        return None
    drugs = items(dataset, "RadiopharmaceuticalInformationSequence")
    weight = number(dataset, "PatientWeight") or 0.0
    if len(drugs) != 1 or weight <= 0:
        return None
    dose = number(drugs[0], "RadionuclideTotalDose") or 0.0
    half_life = number(drugs[0], "RadionuclideHalfLife") or 0.0
    if dose <= 0 or half_life <= 0:
        return None
    to = text(dataset, "DecayCorrection")
    elapsed = timedelta() if to == "ADMIN" else None
    if to == "START":
        elapsed = _uptake_time(dataset, drugs[0])
    if elapsed is None:
        return None
    left = dose * 0.5 ** (elapsed.total_seconds() / half_life)
    return 1000 * weight / left if left > 0 else None


def _uptake_time(dataset: Dataset, drug: Dataset) -> timedelta | None:
    """From the injection to the start of the scan; None where that is not told."""
    scan = _moment(dataset, "Series")
    acquired = _moment(dataset, "Acquisition")
    # A series that was made anew later has the time of its making.
    if scan is None or (acquired is not None and scan > acquired):
        return None
    injected = drug.get("RadiopharmaceuticalStartDateTime")
    if injected:
        start = datetime.combine(DT(injected).date(), DT(injected).time())
    else:
        time = drug.get("RadiopharmaceuticalStartTime")
        if not time:
            return None
        start = datetime.combine(scan.date(), TM(time))
        if start > scan:  # it was given before midnight
            start -= timedelta(days=1)
    return scan - start if start <= scan else None


def _moment(dataset: Dataset, of: str) -> datetime | None:
    date, time = dataset.get(f"{of}Date"), dataset.get(f"{of}Time")
    if not date or not time:
        return None
    return datetime.combine(DA(date), TM(time))
