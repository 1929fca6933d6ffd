"""A case as DICOM SR and Encapsulated PDF, opened by readers that are not ours."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import dictionary_VR

from medmodel.core.errors import ImageError
from medmodel.reports.case.dicom_content import DicomFacts, ReportedShape, graphic_data
from medmodel.reports.case.dicom_report import encapsulated_pdf, structured_report
from medmodel.reports.case.dicom_source import patient_rows
from tests.dicom_files import CT, dicom_bytes, dicom_dataset

HASH = "ab" * 32
SHAPES = (
    ReportedShape(
        "Line 1", "line", [(1, 2), (10, 20.5)], {"length": (12.345678, "mm")}
    ),
    ReportedShape(
        "结节",
        "ellipse",
        [(1, 2), (10, 20.5)],
        {
            "area": (130.8, "mm2"),
            "longer_diameter": (18.5, "mm"),
            "mean": (-12.5, "HU"),
            "minimum": (0, "grey levels"),
        },
    ),
    ReportedShape("P", "polygon", [(1, 2), (10, 20), (3, 30)], {"area": (9.5, "px")}),
    ReportedShape("A", "angle", [(1, 2), (10, 20), (3, 30)], {"angle": (45, "deg")}),
)
FACTS = DicomFacts(
    "Instant on nodules",
    HASH,
    "pneumonia",
    {"normal": 0.1, "pneumonia": 0.9},
    SHAPES,
    (60, 40),
    "Opacity in the right lower lobe.\nSecond line.",
    time.time(),
)
IDENTITY: dict[str, Any] = {
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "StudyDate": "20200102",
    "PatientBirthDate": "19700103",
    "PatientSex": "F",
    "AccessionNumber": "acc-77",
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "Wang^XiaoDong=王^小东",
    "ReferringPhysicianName": "Doe^Dora",
}


def source(**elements: Any) -> bytes:
    pixels = np.zeros((40, 60), np.int16)
    return dicom_bytes(dicom_dataset(pixels, **{**IDENTITY, **elements}))


def opened(report: bytes) -> Dataset:
    return dcmread(io.BytesIO(report))


def items(dataset: Dataset) -> list[Dataset]:
    """Every content item, whatever it lies in."""
    below = list(dataset.get("ContentSequence", []))
    return [each for item in below for each in (item, *items(item))]


def by_name(report: Dataset) -> dict[str, Dataset]:
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: item
        for item in items(report)
        if "ConceptNameCodeSequence" in item
    }


def checked(program: str, path: Path) -> str:
    """What an outside validator says; no error may be among it."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}: apt-get install dcmtk dicom3tools")
    done = subprocess.run(
        [program, str(path)], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Error" not in said and "E: " not in said, said
    return said


@pytest.mark.parametrize("identified", [False, True])
@pytest.mark.parametrize("program", ["dsrdump", "dciodvfy"])
def test_outside_readers_find_no_error(
    tmp_path: Path, program: str, identified: bool
) -> None:
    facts = replace(FACTS, identified=identified)
    path = tmp_path / "report.dcm"
    path.write_bytes(structured_report(source(), "x.dcm", -1, facts))
    said = checked(program, path)
    if program == "dsrdump":
        assert "Comprehensive SR" in said and '"Predicted class"' in said
        assert "UNVERIFIED" in said and "PRELIMINARY" in said
        return
    path.write_bytes(encapsulated_pdf(source(), "x.dcm", b"%PDF-1.4", facts))
    assert "EncapsulatedPDF" in checked(program, path)


def test_highdicom_reads_what_was_measured_and_predicted() -> None:
    from highdicom.sr import MeasurementReport, srread

    report = srread(io.BytesIO(structured_report(source(), "x.dcm", -1, FACTS)))
    assert isinstance(report.content, MeasurementReport)
    answer, *shapes = report.content.get_image_measurement_groups()
    scores = {m.name.meaning: m.value for m in answer.get_measurements()}
    assert scores == {"Model score: normal": 0.1, "Model score: pneumonia": 0.9}
    (said,) = answer.get_qualitative_evaluations()
    assert not isinstance(said.value, int | float)
    assert (said.name.meaning, said.value.meaning) == ("Predicted class", "pneumonia")
    numbers = [
        (m.name.meaning, m.value, m.unit.value)
        for shape in shapes
        for m in shape.get_measurements()
    ]
    assert numbers == [
        ("Length", pytest.approx(12.3457), "mm"),
        ("Area", 130.8, "mm2"),
        ("Long axis", 18.5, "mm"),
        ("Mean", -12.5, "[hnsf'U]"),
        ("Minimum", 0, "1"),
        ("Area", 9.5, "{pixels}"),
        ("Angle", 45, "deg"),
    ]
    assert [s.tracking_identifier for s in shapes] == ["Line 1", "结节", "P", "A"]


def test_a_tie_is_said_and_is_no_predicted_class() -> None:
    sentence = "No single predicted class: normal, pneumonia (50 % each)"
    tied = replace(FACTS, predicted="", tie=sentence)
    found = by_name(opened(structured_report(source(), "x.dcm", -1, tied)))
    assert found["No single predicted class"].TextValue == sentence
    assert "Predicted class" not in found
    alone = by_name(opened(structured_report(source(), "x.dcm", -1, FACTS)))
    assert "No single predicted class" not in alone


def test_the_model_is_named_by_its_hash_and_the_text_is_whole() -> None:
    found = by_name(opened(structured_report(source(), "x.dcm", -1, FACTS)))
    assert HASH in found["Algorithm Parameters"].TextValue
    assert found["Algorithm Name"].TextValue == FACTS.model
    assert found["Reader's text"].TextValue == FACTS.text
    assert found["Imaging Measurements"].ValueType == "CONTAINER"
    same = by_name(opened(structured_report(source(), "y.dcm", -1, FACTS)))
    other = replace(FACTS, model_hash="cd" * 32)
    another = by_name(opened(structured_report(source(), "y.dcm", -1, other)))
    uids = [f["Device Observer UID"].UID for f in (found, same, another)]
    assert uids[0] == uids[1] != uids[2]


@pytest.mark.parametrize("kind", ["report", "pdf"])
def test_nobody_is_named_unless_asked_for(kind: str) -> None:
    def made(identified: bool) -> bytes:
        facts = replace(FACTS, identified=identified)
        if kind == "report":
            return structured_report(source(), "x.dcm", -1, facts)
        return encapsulated_pdf(source(), "x.dcm", b"%PDF-1.4", facts)

    nobody = made(False)
    for secret in ("Wang", "小东", "number-4711", "19700103", "20200102", "acc-77"):
        assert secret.encode() not in nobody
    assert b"Doe" not in nobody and b"1.2.3.4" not in nobody
    header = opened(nobody)
    assert header.PatientIdentityRemoved == "YES" and header.StudyInstanceUID != "1.2.3"
    named = opened(made(True))
    assert str(named.PatientName) == IDENTITY["PatientName"]
    assert (named.PatientID, named.StudyInstanceUID) == ("number-4711", "1.2.3")
    assert (named.StudyDate, named.AccessionNumber) == ("20200102", "acc-77")
    assert "PatientIdentityRemoved" not in named


def test_it_refers_to_the_image_and_its_frame() -> None:
    facts = replace(FACTS, identified=True)
    pixels = np.zeros((3, 40, 60), np.int16)
    several, unlawful = (
        dicom_bytes(
            dicom_dataset(
                pixels, **{**IDENTITY, "NumberOfFrames": 3, "SOPClassUID": sop_class}
            )
        )
        for sop_class in ("1.2.840.10008.5.1.4.1.1.3.1", CT)
    )
    for data, frame, number in (
        (source(), -1, None),
        (several, 1, 2),
        (several, -1, 1),
        (unlawful, 1, None),
    ):
        report = opened(structured_report(data, "x.dcm", frame, facts))
        references = [
            item.ReferencedSOPSequence[0]
            for item in items(report)
            if item.ValueType == "IMAGE"
        ]
        assert {each.ReferencedSOPInstanceUID for each in references} == {"1.2.3.4.5"}
        assert {each.get("ReferencedFrameNumber") for each in references} == {number}


def test_a_withheld_prediction_and_no_text_are_not_there() -> None:
    facts = replace(FACTS, predicted="", scores={}, text="", shapes=())
    found = by_name(opened(structured_report(source(), "x.dcm", -1, facts)))
    assert "Predicted class" not in found and "Reader's text" not in found
    assert not [name for name in found if name.startswith("Model score")]


def test_names_of_any_length_and_kind() -> None:
    names = ["a" * 200, "x\\y\n", "  ", "肺炎" * 40]
    facts = replace(
        FACTS, model="m" * 99, predicted=names[0], scores=dict.fromkeys(names, 0.25)
    )
    report = opened(structured_report(source(), "x.dcm", -1, facts))
    found = by_name(report)
    assert found["Predicted class"].ConceptCodeSequence[0].CodeMeaning == "a" * 64
    scores = [i for i in items(report) if i.get("ValueType") == "NUM"][:4]
    codes = {i.ConceptNameCodeSequence[0].CodeValue for i in scores}
    assert len(codes) == 4 and all(len(code) <= 16 for code in codes)


@pytest.mark.parametrize(
    ("elements", "kept"),
    [
        ({"StudyTime": "14:04:38"}, ("StudyTime", "140438")),
        ({"StudyTime": "140438.25"}, ("StudyTime", "140438.25")),
        ({"StudyTime": "1404"}, ("StudyTime", "1404")),
        ({"StudyTime": "noon"}, ("StudyTime", "")),
        ({"StudyDate": "1997.04.24"}, ("StudyDate", "19970424")),
        ({"StudyDate": "00000000"}, ("StudyDate", "")),
        ({"PatientBirthDate": "19701332"}, ("PatientBirthDate", "")),
        ({"PatientSex": "ÄÐ"}, ("PatientSex", "")),
        ({"PatientID": "x" * 65}, ("PatientID", "")),
        ({"PatientID": "one\\two"}, ("PatientID", "")),
        ({"NumberOfFrames": "1A"}, ("PatientID", "number-4711")),
        ({"StudyInstanceUID": "1..2"}, ("PatientID", "number-4711")),
        # Retired ultrasound and private classes.
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6"}, ("PatientID", "number-4711")),
        ({"SOPClassUID": "2.25.21542543085743296"}, ("PatientID", "number-4711")),
    ],
    ids=str,
)
def test_headers_that_do_not_conform_make_reports_that_do(
    elements: dict[str, str], kept: tuple[str, str]
) -> None:
    facts = replace(FACTS, identified=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dicom_dataset(np.zeros((40, 60), np.int16), **IDENTITY)
        for keyword, value in elements.items():
            element = DataElement(
                keyword,
                dictionary_VR(keyword),
                value if keyword != "NumberOfFrames" else "1",
                validation_mode=config.IGNORE,
            )
            dataset[keyword] = element
        data = dicom_bytes(dataset)
    if "NumberOfFrames" in elements:
        data = data.replace(b"\x28\0\x08\0IS\x02\x001 ", b"\x28\0\x08\0IS\x02\x001A")
    report = opened(structured_report(data, "x.dcm", -1, facts))
    assert str(report.get(kept[0]) or "") == kept[1]
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    reference = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    wanted = elements.get("SOPClassUID", CT)
    assert reference.ReferencedSOPClassUID == wanted
    document = opened(encapsulated_pdf(data, "x.dcm", b"%PDF", facts))
    assert str(document.get(kept[0]) or "") == kept[1]


@pytest.mark.parametrize(
    "data",
    [
        *(b"no DICOM", source(SOPClassUID=None), source(Rows=None), b"\0" * 200),
        source(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2"),
    ],
    ids=["text", "no class", "no rows", "zeros", "dose"],
)
def test_what_is_no_image_is_told(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"x\.dcm is no image that a DICOM"):
        structured_report(data, "x.dcm", -1, FACTS)


def test_a_pdf_of_odd_length_is_whole() -> None:
    for pdf in (b"%PDF-1.4", b"%PDF-1.45"):
        document = opened(encapsulated_pdf(source(), "x.dcm", pdf, FACTS))
        length = document.EncapsulatedDocumentLength
        assert document.EncapsulatedDocument[:length] == pdf
        assert len(document.EncapsulatedDocument) % 2 == 0
    assert document.BurnedInAnnotation == "YES"
    clean = source(BurnedInAnnotation="NO")
    assert opened(encapsulated_pdf(clean, "x", pdf, FACTS)).BurnedInAnnotation == "NO"
    named = replace(FACTS, identified=True)
    assert opened(encapsulated_pdf(clean, "x", pdf, named)).BurnedInAnnotation == "YES"


def test_points_are_those_of_the_file_whatever_was_shown() -> None:
    facts = replace(FACTS, shown_size=(120, 160), shapes=SHAPES[:1])
    report = opened(structured_report(source(), "x.dcm", -1, facts))
    (place,) = [item for item in items(report) if item.ValueType == "SCOORD"]
    assert place.GraphicData == pytest.approx([0.5, 0.5, 5.0, 5.125])


def test_the_patient_on_paper() -> None:
    rows = dict(patient_rows(source(), "x.dcm"))
    assert rows["Patient's name"] == IDENTITY["PatientName"]
    assert rows["Study date"] == "20200102" and rows["Patient ID"] == "number-4711"
    assert "Sex" not in dict(patient_rows(source(PatientSex=None), "x.dcm"))


def test_an_ellipse_is_given_by_its_axes_and_a_polygon_closes() -> None:
    tall = ReportedShape("", "ellipse", [(10, 20), (4, 2)], {})
    assert graphic_data(tall).tolist() == [[7, 2], [7, 20], [4, 11], [10, 11]]
    wide = ReportedShape("", "ellipse", [(0, 0), (8, 2)], {})
    assert graphic_data(wide).tolist() == [[0, 1], [8, 1], [4, 0], [4, 2]]
    polygon = graphic_data(SHAPES[2])
    assert polygon[0].tolist() == polygon[-1].tolist() and len(polygon) == 4
