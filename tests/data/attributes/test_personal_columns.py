"""Columns that may tell who somebody is, by their names."""

from __future__ import annotations

import pytest

from medmodel.data.attributes.personal_columns import is_personal

PERSONAL = (
    "PatientID, IDNumber, exam_id, hospitalid, studyinstanceuid, SOPInstanceUID, MRN, "
    "medicalrecordnumber, Case No, pat. nr, accession, birthyear, YearOfBirth, "
    "Geburtsjahr, date de naissance, fecha, Acquisition Date, surname, Vorname, Nom, "
    "prénom, apellidos, initials, referring_physician, Radiologist, reader, phone2, "
    "E-Mail, emailaddress, PLZ, remarks, report, Unnamed: 0, index, имя, 患者编号, "
    "住院号, 出生日期, 主治医生, 电话, 이름, Pat #"
)
SHARED = (
    "sex, age, scanner, site, view, covid, thyroid, steroid, valid, number_of_lesions, "
    "body mass index, dosage, modality, hospital, manufacturer, smoking, 设备型号, "
    "性别, midline, Düne, update, contrast"
)


@pytest.mark.parametrize("name", PERSONAL.split(", "))
def test_identifiers_names_dates_and_free_text_are_personal(name: str) -> None:
    assert is_personal(name)


@pytest.mark.parametrize("name", SHARED.split(", "))
def test_what_images_share_is_not(name: str) -> None:
    assert not is_personal(name)
