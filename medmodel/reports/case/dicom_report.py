"""A case's report as DICOM: structured report (TID 1500) and Encapsulated PDF.

Both belong to the study of the image that was read, and say that they are neither
complete nor verified: a model is no physician. Reference: PS3.3 A.35.3 (Comprehensive
SR), A.45 (Encapsulated PDF).
"""

from __future__ import annotations

import copy
import io
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medmodel import __version__
from medmodel.core.processes import sandbox
from medmodel.imaging import untrusted
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.untrusted import DataFile
from medmodel.reports.case.dicom_content import (
    DicomFacts,
    ReportedShape,
    measurement_report,
)
from medmodel.reports.case.dicom_source import COPIED, NAME, reported_image

if TYPE_CHECKING:
    from pydicom import Dataset

DESCRIPTION = "Model report, not for clinical use"
_REMOVED = ("PatientIdentityRemoved", "DeidentificationMethod")


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
    image = reported_image(data, name, given.identified)
    # The library copies patient and study of the classes alone that it knows.
    evidence = copy.deepcopy(image)
    evidence.SOPClassUID = SecondaryCaptureImageStorage
    report = ComprehensiveSR(
        evidence=[evidence],
        content=measurement_report(image, frame, given),
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
    image = reported_image(data, name, given.identified)
    return {"file": _bytes(_document(image, pdf.encode("latin-1"), given))}


def _document(image: Dataset, pdf: bytes, facts: DicomFacts) -> Dataset:
    """Encapsulated PDF (PS3.3 A.45.1)."""
    from pydicom import Dataset
    from pydicom.uid import EncapsulatedPDFStorage, generate_uid

    made = datetime.fromtimestamp(facts.created)
    document = Dataset()
    document.SpecificCharacterSet = "ISO_IR 192"
    document.SOPClassUID = EncapsulatedPDFStorage
    document.SOPInstanceUID = generate_uid()
    for keyword in (*COPIED, *_REMOVED):
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
