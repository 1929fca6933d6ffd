"""A case's report as DICOM: structured report (TID 1500) and Encapsulated PDF.

Both belong to the study of the image that was read, and say that they are neither
complete nor verified: a model is no physician. Reference: PS3.16 TID 1500 (measurement
report), TID 1501, TID 1410, TID 4019 (algorithm identification); PS3.3 A.35.3
(Comprehensive SR), A.45 (Encapsulated PDF).
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel import __version__
from medmodel.core import sandbox
from medmodel.core.errors import ImageError
from medmodel.imaging import untrusted
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.dicom.value_units import ACTIVITY, HOUNSFIELD, SUV
from medmodel.imaging.untrusted import DataFile
from medmodel.language import N_, _

if TYPE_CHECKING:
    from pydicom import Dataset

SCHEME = "99MEDMODEL"
"""Coding scheme of what no standard has a code for."""
NAME = "MedModel"
DESCRIPTION = "Model report, not for clinical use"
_IDENTIFYING = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyID", "StudyDate", "StudyTime", "AccessionNumber")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
PATIENT = {
    "PatientName": N_("Patient's name"),
    "PatientID": N_("Patient ID"),
    "PatientBirthDate": N_("Date of birth"),
    "PatientSex": N_("Sex"),
    "StudyDate": N_("Study date"),
    "AccessionNumber": N_("Accession number"),
}
"""Element -> what a report on paper calls it."""
SINGLE_FRAME = tuple(f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("1", "2", "4", "7"))
"""CR, CT, MR and secondary capture: a reference may name no frame of theirs, even where
a file has several."""
NO_IMAGES = ("1.2.840.10008.5.1.4.1.1.481.2",)
"""RT Dose: has pixels, but no reference in a report may call it an image."""
_PHYSICIAN = ("ReferringPhysicianName",)
_REMOVED = ("PatientIdentityRemoved", "DeidentificationMethod")
_LONGEST_MEANING = 64
UNITS = {
    "px": ("{pixels}", "pixels"),
    "mm": ("mm", "millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "deg": ("deg", "degree"),
    "1": ("1", "no units"),
    HOUNSFIELD: ("[hnsf'U]", "Hounsfield unit"),
    SUV: ("g/ml{SUVbw}", "Standardized Uptake Value body weight"),
    ACTIVITY: ("Bq/ml", "Becquerels/milliliter"),
}
"""Unit of a number -> its code in UCUM and what that means; any other has none."""


@dataclass(frozen=True)
class ReportedShape:
    """What was drawn on the image, and its numbers.

    Args:
        name: What its owner calls it.
        kind: line, ellipse, polygon or angle.
        points: As in `shapes.Shape`, in pixels of the image as it is shown.
        numbers: Name of a number -> value and unit, a key of `UNITS`.
    """

    name: str
    kind: str
    points: Sequence[Sequence[float]]
    numbers: dict[str, tuple[float, str]]


@dataclass(frozen=True)
class DicomFacts:
    """What a report says as DICOM.

    Args:
        model: What the model is called.
        model_hash: SHA-256 of its file, hexadecimal.
        predicted: The predicted class; "" where it is withheld.
        scores: Class -> probability, from 0 to 1.
        shapes: What was measured.
        shown_size: Width and height of the image as it is shown, in pixels.
        text: What the reader wrote; "" for nothing.
        created: Seconds since 1970.
        identified: Whether patient and study are named, and the image is referred to
            as an archive knows it; else all of them stay empty or are made anew.
    """

    model: str
    model_hash: str
    predicted: str
    scores: dict[str, float]
    shapes: Sequence[ReportedShape]
    shown_size: Sequence[int]
    text: str
    created: float
    identified: bool = False


def structured_report(
    source: DataFile | bytes, name: str, frame: int, facts: DicomFacts
) -> bytes:
    """Comprehensive SR after TID 1500, as a DICOM file.

    Args:
        source: The DICOM file that was read.
        name: What to call it in messages.
        frame: Which of its frames, from 0; -1 for a file of one.
        facts: What it says.

    Raises:
        ImageError: The source cannot be read or is no DICOM image.
    """
    return _made("write_report", source, name, frame=frame, facts=asdict(facts))


def encapsulated_pdf(
    source: DataFile | bytes, name: str, pdf: bytes, facts: DicomFacts
) -> bytes:
    """The PDF as a DICOM file of the image's study.

    Args:
        source: As in `structured_report`, like `name` and what it raises.
        name: What to call it in messages.
        pdf: The file.
        facts: Whether it is identified, and when it was made.
    """
    text = pdf.decode("latin-1")
    return _made("write_pdf", source, name, pdf=text, facts=asdict(facts))


def _made(function: str, source: DataFile | bytes, name: str, **given: Any) -> bytes:
    options = DecodeOptions()._asdict()
    answer = untrusted.ask(
        f"{__name__}:{function}",
        source,
        name,
        sandbox.SECONDS,  # the first one loads the library
        options=options,
        **given,
    )
    return bytes(answer["file"])


def write_report(
    data: bytes,
    name: str,
    file: tuple[str, str] | None,
    options: dict[str, Any],
    frame: int,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """What the sandbox runs for `structured_report`: the file.

    Raises:
        ImageError: The source is no DICOM image that a report can be about.
    """
    from highdicom.sr import ComprehensiveSR
    from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

    data, _options = untrusted.content(data, file, options)
    shapes = [ReportedShape(**shape) for shape in facts["shapes"]]
    given = DicomFacts(**facts | {"shapes": shapes})
    image = _evidence(data, name, given.identified)
    # The library copies patient and study of the classes alone that it knows.
    evidence = copy.deepcopy(image)
    evidence.SOPClassUID = SecondaryCaptureImageStorage
    report = ComprehensiveSR(
        evidence=[evidence],
        content=_content(image, frame, given),
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=NAME,
        manufacturer_model_name=NAME,
        software_versions=__version__,
        series_description=DESCRIPTION,
        is_complete=False,
        is_final=False,
        is_verified=False,
    )
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    reference = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    reference.ReferencedSOPClassUID = image.SOPClassUID
    report.SpecificCharacterSet = "ISO_IR 192"
    return {"file": _bytes(report)}


def write_pdf(
    data: bytes,
    name: str,
    file: tuple[str, str] | None,
    options: dict[str, Any],
    pdf: str,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """What the sandbox runs for `encapsulated_pdf`: the file."""
    data, _options = untrusted.content(data, file, options)
    given = DicomFacts(**facts)
    image = _evidence(data, name, given.identified)
    return {"file": _bytes(_document(image, pdf.encode("latin-1"), given))}


def patient_rows(source: DataFile | bytes, name: str) -> list[tuple[str, str]]:
    """What a report on paper says of patient and study; empty values are left out.

    Takes the arguments of `structured_report` and raises what it raises.
    """
    answer = untrusted.ask(
        f"{__name__}:read_patient",
        source,
        name,
        sandbox.SECONDS,
        options=DecodeOptions()._asdict(),
    )
    values = answer["patient"]
    return [(_(title), values[k]) for k, title in PATIENT.items() if values[k]]


def read_patient(
    data: bytes, name: str, file: tuple[str, str] | None, options: dict[str, Any]
) -> dict[str, Any]:
    """What the sandbox runs for `patient_rows`."""
    data, _options = untrusted.content(data, file, options)
    image = _evidence(data, name, identified=True)
    return {"patient": {k: str(image.get(k) or "") for k in PATIENT}}


def _evidence(data: bytes, name: str, identified: bool) -> Dataset:
    """Patient, study and image of the source: what a report refers to."""
    from pydicom import Dataset, dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import UID, generate_uid

    try:
        header = dcmread(io.BytesIO(data), stop_before_pixels=True, force=False)
        rows, columns = int(header.Rows), int(header.Columns)
        sop_class = UID(str(header.SOPClassUID))
    except (InvalidDicomError, AttributeError, EOFError, TypeError, ValueError):
        sop_class, rows, columns = UID(""), 0, 0
    if not sop_class.is_valid or sop_class in NO_IMAGES or not rows or not columns:
        raise ImageError(
            _(
                "{name} is no image that a DICOM report can refer to (SOP class, "
                "rows, columns): download the PDF.",
                name=name,
            )
        )
    image = Dataset()
    image.SOPClassUID, image.Rows, image.Columns = sop_class, rows, columns
    frames = stored_text(header, "NumberOfFrames")
    image.NumberOfFrames = int(frames) if frames.isdecimal() else 1
    clean = stored_text(header, "BurnedInAnnotation") == "NO"
    image.BurnedInAnnotation = "NO" if clean else "YES"
    for keyword in (*_IDENTIFYING, *_STUDY, *_PHYSICIAN):
        value = conforming(header, keyword) if identified else ""
        setattr(image, keyword, value)
    for keyword in _UIDS:
        uid = UID(stored_text(header, keyword) if identified else "")
        setattr(image, keyword, uid if uid.is_valid else generate_uid())
    if not identified:
        image.PatientIdentityRemoved = "YES"
        image.DeidentificationMethod = f"{NAME}: patient and study left out"
    return image


def stored_text(header: Dataset, keyword: str) -> str:
    """An element's value as it is stored; "" where it is absent or no value."""
    try:
        value = header.get(keyword)
    except (TypeError, ValueError):  # such as 1A as a number of frames
        return ""
    return "" if value is None else str(value).strip()


def conforming(header: Dataset, keyword: str) -> str:
    """An element's value where a new file may have it; else "".

    Dates and times as before DICOM 3.0 (`1997.04.24`, `14:04:38`) are written as now.
    """
    from pydicom import config
    from pydicom.datadict import dictionary_VR
    from pydicom.valuerep import validate_value

    value, kind = stored_text(header, keyword), dictionary_VR(keyword)
    value = value.replace(".", "") if kind == "DA" else value
    value = value.replace(":", "") if kind == "TM" else value
    try:
        if kind == "DA" and value:
            datetime.strptime(value, "%Y%m%d")
        elif kind == "TM" and value:
            datetime.strptime(value.partition(".")[0].ljust(6, "0")[:6], "%H%M%S")
        validate_value(kind, value, config.RAISE)
    except ValueError:
        return ""
    return "" if keyword == "PatientSex" and value not in ("M", "F", "O") else value


def _content(image: Dataset, frame: int, facts: DicomFacts) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device,
                observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                    uid=_uid(facts.model_hash),
                    name=_short(facts.model),
                    manufacturer_name=NAME,
                    model_name=NAME,
                ),
            )
        ),
        procedure_reported=_code("procedure", "Reading of one image by a model"),
        imaging_measurements=_groups(image, frame, facts),
        title=codes.DCM.ImagingMeasurementReport,
    )


def _groups(image: Dataset, frame: int, facts: DicomFacts) -> list[Any]:
    """The model's answer about the whole image, then each shape."""
    from highdicom import sr

    multiple = image.NumberOfFrames > 1 and image.SOPClassUID not in SINGLE_FRAME
    frames = [max(frame, 0) + 1] if multiple else None
    algorithm = sr.AlgorithmIdentification(
        name=_short(facts.model),
        version=__version__,
        parameters=[f"SHA-256 of the model: {facts.model_hash}"],
    )
    source = sr.SourceImageForMeasurementGroup(
        image.SOPClassUID, image.SOPInstanceUID, frames
    )
    answer = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking("Whole image"),
        source_images=[source],
        algorithm_id=algorithm,
        measurements=[
            sr.Measurement(_code("score", _short(f"Model score: {c}")), p, _unit("1"))
            for c, p in facts.scores.items()
        ],
        qualitative_evaluations=_evaluations(facts),
    )
    if facts.text:
        answer[0].ContentSequence.append(
            sr.TextContentItem(
                name=_code("text", "Reader's text"),
                value=facts.text,
                relationship_type=sr.RelationshipTypeValues.CONTAINS,
            )
        )
    shapes = [
        _shape_group(image, frames, each, facts.shown_size) for each in facts.shapes
    ]
    return [answer, *shapes]


def _evaluations(facts: DicomFacts) -> list[Any]:
    from highdicom import sr

    if not facts.predicted:
        return []
    predicted = _code("evaluation", "Predicted class")
    return [sr.QualitativeEvaluation(predicted, _code("class", facts.predicted))]


def _shape_group(
    image: Dataset,
    frames: list[int] | None,
    shape: ReportedShape,
    shown_size: Sequence[int],
) -> Any:
    """A shape's numbers, each inferred from its place on the image."""
    from highdicom import sr

    source = sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frames)
    # As it is shown an image may be larger, so that its pixels are square.
    points = graphic_data(shape) * ((image.Columns, image.Rows) / np.array(shown_size))
    graphic_type = "ELLIPSE" if shape.kind == "ellipse" else "POLYLINE"
    place = sr.CoordinatesForMeasurement(graphic_type, points, source)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(shape.name),
        source_images=[
            sr.SourceImageForMeasurementGroup(
                image.SOPClassUID, image.SOPInstanceUID, frames
            )
        ],
        measurements=[
            sr.Measurement(
                name=NUMBERS[number](),
                value=float(f"{value:.6g}"),
                unit=_unit(unit),
                referenced_coordinates=[place],
            )
            for number, (value, unit) in shape.numbers.items()
        ],
    )


def graphic_data(shape: ReportedShape) -> NDArray[np.float64]:
    """Points as PS3.3 C.18.6.1.2 wants them, shape `(points, 2)`, columns first.

    Of an ellipse both ends of its longer axis, then both of the shorter one; a polygon
    ends where it began.
    """
    points = np.array(shape.points, np.float64)
    if shape.kind == "polygon":
        return np.concatenate([points, points[:1]])
    if shape.kind != "ellipse":
        return points
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    across, down = (left + right) / 2, (top + bottom) / 2
    horizontal = [(left, down), (right, down)]
    vertical = [(across, top), (across, bottom)]
    wide = right - left >= bottom - top
    axes = horizontal + vertical if wide else vertical + horizontal
    return np.array(axes, np.float64)


def _document(image: Dataset, pdf: bytes, facts: DicomFacts) -> Dataset:
    """Encapsulated PDF (PS3.3 A.45.1)."""
    from pydicom import Dataset
    from pydicom.uid import EncapsulatedPDFStorage, generate_uid

    made = datetime.fromtimestamp(facts.created)
    document = Dataset()
    document.SpecificCharacterSet = "ISO_IR 192"
    document.SOPClassUID = EncapsulatedPDFStorage
    document.SOPInstanceUID = generate_uid()
    for keyword in (*_IDENTIFYING, *_STUDY, *_PHYSICIAN, *_REMOVED):
        if keyword in image:
            setattr(document, keyword, image[keyword].value)
    document.StudyInstanceUID = image.StudyInstanceUID
    document.SeriesInstanceUID = generate_uid()
    document.SeriesNumber = document.InstanceNumber = 1
    document.Modality = "DOC"
    document.SeriesDescription = DESCRIPTION
    document.Manufacturer = document.ManufacturerModelName = NAME
    document.SoftwareVersions = __version__
    document.ConversionType = "WSD"
    document.ContentDate = made.strftime("%Y%m%d")
    document.ContentTime = made.strftime("%H%M%S")
    document.AcquisitionDateTime = ""
    # The PDF shows the image, on which a name may stand.
    clean = image.BurnedInAnnotation == "NO" and not facts.identified
    document.BurnedInAnnotation = "NO" if clean else "YES"
    document.DocumentTitle = DESCRIPTION
    document.ConceptNameCodeSequence = []
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    document.EncapsulatedDocumentLength = len(pdf)
    return document


def _bytes(dataset: Dataset) -> bytes:
    from pydicom import FileMetaDataset, dcmwrite
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def _code(kind: str, meaning: str) -> Any:
    """A concept of ours; the same words always have the same code."""
    from highdicom.sr import CodedConcept

    digest = hashlib.blake2b(f"{kind} {meaning}".encode(), digest_size=6)
    return CodedConcept(digest.hexdigest().upper(), SCHEME, _short(meaning))


def _number(value: str, scheme: str, meaning: str) -> Callable[[], Any]:
    def concept() -> Any:
        from highdicom.sr import CodedConcept

        return CodedConcept(value, scheme, meaning)

    return concept


NUMBERS: dict[str, Callable[[], Any]] = {
    "length": _number("410668003", "SCT", "Length"),
    "perimeter": _number("131191004", "SCT", "Perimeter"),
    "longer_diameter": _number("103339001", "SCT", "Long axis"),
    "shorter_diameter": _number("103340004", "SCT", "Short axis"),
    "area": _number("42798000", "SCT", "Area"),
    "angle": _number("1483009", "SCT", "Angle"),
    "mean": _number("373098007", "SCT", "Mean"),
    "standard_deviation": _number("386136009", "SCT", "Standard Deviation"),
    "minimum": _number("255605001", "SCT", "Minimum"),
    "maximum": _number("56851009", "SCT", "Maximum"),
}
"""Number of a shape -> its concept."""


def _unit(unit: str) -> Any:
    from highdicom.sr import CodedConcept

    value, meaning = UNITS.get(unit, UNITS["1"])
    return CodedConcept(value, "UCUM", meaning)


def _tracking(name: str) -> Any:
    from highdicom.sr import TrackingIdentifier
    from pydicom.uid import generate_uid

    return TrackingIdentifier(uid=generate_uid(), identifier=_short(name))


def _uid(digest: str) -> str:
    """The same model always has the same UID."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[digest]))


def _short(text: str) -> str:
    """As a meaning or name in DICOM may be: 64 characters, one line, no backslash."""
    plain = "".join(c if c.isprintable() and c != "\\" else " " for c in text)
    return plain.strip()[:_LONGEST_MEANING] or "-"
