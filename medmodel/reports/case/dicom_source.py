"""Patient, study and image that a DICOM report refers to.

Of the source's header only what a new file may have is taken: values that conform
(PS3.5 6.2), and of patient and study only what the owner asks for.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging import untrusted
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.dicom.conforming import COPIED, conforming, stored_text
from medmodel.imaging.untrusted import DataFile
from medmodel.language import N_, _

if TYPE_CHECKING:
    from pydicom import Dataset

NAME = "MedModel"
"""Who made the report."""
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
NO_IMAGES = ("1.2.840.10008.5.1.4.1.1.481.2",)
"""RT Dose: has pixels, but no reference in a report may call it an image."""


def patient_rows(source: DataFile | bytes, name: str) -> list[tuple[str, str]]:
    """What a report on paper says of patient and study; empty values are left out.

    Args:
        source: The DICOM file that was read.
        name: What to call it in messages.

    Raises:
        ImageError: The source cannot be read or is no DICOM image.
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
    image = reported_image(data, name, identified=True)
    return {"patient": {k: str(image.get(k) or "") for k in PATIENT}}


def reported_image(data: bytes, name: str, identified: bool) -> Dataset:
    """Patient, study and image of the source: what a report refers to.

    Args:
        data: The DICOM file.
        name: What to call it in messages.
        identified: Whether patient and study are named; else their elements are empty
            and the UIDs new.

    Raises:
        ImageError: It is no DICOM image that a report can be about.
    """
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
    for keyword in COPIED:
        value = conforming(header, keyword) if identified else ""
        setattr(image, keyword, value)
    for keyword in _UIDS:
        uid = UID(stored_text(header, keyword) if identified else "")
        setattr(image, keyword, uid if uid.is_valid else generate_uid())
    if not identified:
        image.PatientIdentityRemoved = "YES"
        image.DeidentificationMethod = f"{NAME}: patient and study left out"
    return image
