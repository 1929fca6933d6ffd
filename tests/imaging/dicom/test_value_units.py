"""What DICOM values measure: HU, SUV, activity."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from medmodel.imaging.dicom.value_units import ValueUnit, value_unit
from tests.dicom_files import dicom_dataset, ramp

HALF_LIFE = 6586.2  # of fluorine-18, seconds
PET: dict[str, Any] = {
    "Modality": "PT",
    "Units": "BQML",
    "CorrectedImage": ["NORM", "ATTN", "DECY"],
    "DecayCorrection": "START",
    "PatientWeight": 70,
    "SeriesDate": "20200102",
    "SeriesTime": "120000",
    "AcquisitionDate": "20200102",
    "AcquisitionTime": "120000",
}
DRUG: dict[str, Any] = {
    "RadionuclideTotalDose": 350e6,
    "RadionuclideHalfLife": HALF_LIFE,
    "RadiopharmaceuticalStartTime": "110000",
}


def pet(drug: dict[str, Any] | None = None, **elements: Any) -> ValueUnit:
    """Unit of a PET image; None leaves an element out."""
    item = Dataset()
    for keyword, value in (DRUG | (drug or {})).items():
        if value is not None:
            setattr(item, keyword, value)
    facts = {"RadiopharmaceuticalInformationSequence": [item]} | PET | elements
    return value_unit(dicom_dataset(ramp(), **facts), 0)


def suv(factor: float) -> Any:
    return pytest.approx(factor), "SUV (body weight)"


# 70,000 g by what is left after an hour of 350 MBq.
AFTER_AN_HOUR = 70_000 / (350e6 * 0.5 ** (3600 / HALF_LIFE))
ACTIVITY = ValueUnit(1.0, "Bq/mL")


@pytest.mark.parametrize(
    ("elements", "unit"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": -1024}, "HU"),
        ({"RescaleSlope": 1, "RescaleType": "HU"}, "HU"),
        ({"RescaleSlope": 1, "RescaleType": "US"}, ""),
        ({"RescaleSlope": 1, "RescaleType": "Z_EFF"}, ""),
        ({}, ""),
    ],
)
def test_hounsfield_units_are_those_of_rescaled_ct(
    elements: dict[str, Any], unit: str
) -> None:
    dataset = dicom_dataset(ramp(), Modality="CT", **elements)
    assert value_unit(dataset, 0) == ValueUnit(1.0, unit)
    dataset.Modality = "MR"
    assert value_unit(dataset, 0) == ValueUnit()


def test_the_uptake_value_by_hand() -> None:
    assert pet() == suv(AFTER_AN_HOUR)
    assert pet(DecayCorrection="ADMIN") == suv(70_000 / 350e6)
    moment: dict[str, Any] = {"RadiopharmaceuticalStartTime": None}
    moment["RadiopharmaceuticalStartDateTime"] = "20200102110000"
    assert pet(moment) == suv(AFTER_AN_HOUR)


def test_an_injection_before_midnight() -> None:
    night = {
        "SeriesTime": "003000",
        "AcquisitionTime": "003000",
    }
    assert pet({"RadiopharmaceuticalStartTime": "233000"}, **night) == suv(
        AFTER_AN_HOUR
    )


def test_values_that_are_uptake_values_already() -> None:
    grams: dict[str, Any] = {"Units": "GML"}
    assert pet(**grams) == ValueUnit(1.0, "SUV (body weight)")
    assert pet(**grams, SUVType="BW").unit == "SUV (body weight)"
    assert pet(**grams, SUVType="LBM") == ValueUnit()
    assert pet(Units="CNTS") == ValueUnit()


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientWeight": None},
        {"PatientWeight": 0},
        {"CorrectedImage": ["NORM", "DECY"]},
        {"CorrectedImage": "ATTN"},
        {"CorrectedImage": None},
        {"DecayCorrection": "NONE"},
        {"DecayCorrection": None},
        {"SeriesTime": None},
        {"SeriesDate": None},
        # The series was made anew after the scan.
        {"SeriesTime": "150000"},
        {"RadiopharmaceuticalInformationSequence": []},
        {"RadiopharmaceuticalInformationSequence": [Dataset(), Dataset()]},
    ],
)
def test_where_the_header_does_not_allow_it_values_stay_activity(
    elements: dict[str, Any],
) -> None:
    assert pet(**elements) == ACTIVITY


@pytest.mark.parametrize(
    "drug",
    [
        {"RadionuclideTotalDose": None},
        {"RadionuclideTotalDose": 0},
        {"RadionuclideHalfLife": None},
        {"RadionuclideHalfLife": 0},
        {"RadiopharmaceuticalStartTime": None},
        {"RadiopharmaceuticalStartDateTime": "20200103110000"},  # after the scan
    ],
)
def test_where_the_dose_is_not_told_values_stay_activity(drug: dict[str, Any]) -> None:
    assert pet(drug) == ACTIVITY


def test_two_doses_are_not_one() -> None:
    item = Dataset()
    item.RadionuclideTotalDose = 350e6
    items = [item, item]
    assert pet(RadiopharmaceuticalInformationSequence=items) == ACTIVITY
