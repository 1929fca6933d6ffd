"""A copy of a DICOM file that does not tell whom it shows.

The Basic Application Level Confidentiality Profile of DICOM PS3.15 annex E, with the
option Retain Longitudinal Temporal Information with Modified Dates: all dates of one
patient go back by the same number of days. To be called in the sandbox (`scans` does
so).
"""

from __future__ import annotations

import datetime
import io
import re
import warnings
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import UID

from medmodel.core.errors import ImageError
from medmodel.core.pseudonyms import days_back, patient_pseudonym, uid_pseudonym
from medmodel.imaging.codecs import DAMAGED, transfer_syntax
from medmodel.imaging.dicom.reading import parse, patient
from medmodel.imaging.privacy.confidentiality import action
from medmodel.imaging.privacy.redaction import black_out_regions, text_regions
from medmodel.language import _

_TEXTS = {"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"}
# Elements of these kinds may repeat what has been removed elsewhere. Codes (CS), dates
# and numbers may equal it by chance.
_FREE_TEXTS = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT"}
_STANDARD_UIDS = "1.2.840.10008."
_SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
_NUMBERS = {"DS": "0", "IS": "0", "AS": "000Y", "TM": "000000"}
_BINARY = {"OB", "OW", "OD", "OF", "OL", "OV", "UN"}
_SHORTEST_TRACE = 4
_TEXT_IN_PICTURE = ("US", "IVUS", "ES", "XC", "OT", "SC", "DG", "IO", "PX", "OP")


class _Profile:
    """One file's replacements: the same value, the same stand-in."""

    def __init__(self, key: bytes, person: str) -> None:
        self.key = key
        self.pseudonym = patient_pseudonym(person, key) or "REMOVED"
        self.days = days_back(person, key)
        self.removed: set[str] = set()

    def apply(self, dataset: Dataset) -> None:
        """Goes through all elements, those of sequences included."""
        for tag in list(dataset.keys()):
            do, dated = action(tag), _dated(tag)
            if tag.element == 0 or (do in ("X", "X/Z") and not dated):
                self._remember(dataset, tag)
                del dataset[tag]
                continue
            try:
                element = dataset[tag]
            except DAMAGED:
                del dataset[tag]  # nobody can tell what it holds
                continue
            if dated:
                element.value = _each(element.value, self._shifted)
            elif element.VR == "SQ":
                if do and not do.endswith("U*"):
                    self._remember(dataset, tag)
                    element.value = []
                for item in element.value or []:
                    self.apply(item)
            elif do == "U":
                element.value = _each(element.value, self._uid)
            elif element.keyword in ("PatientName", "PatientID"):
                self._remember(dataset, tag)
                element.value = self.pseudonym
            elif do == "Z" or element.VR == "PN":
                self._remember(dataset, tag)
                element.value = None
            elif do:
                self._remember(dataset, tag)
                element.value = self._dummy(element.VR)

    def sweep(self, dataset: Dataset) -> None:
        """Empties what repeats a removed value in another place."""
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value or []:
                    self.sweep(item)
            elif element.VR in _FREE_TEXTS:
                text = _plain(str(element.value))
                if any(value in text for value in self.removed):
                    element.value = None

    def _remember(self, dataset: Dataset, tag: Any) -> None:
        try:
            element = dataset[tag]
        except DAMAGED:
            return  # it goes unread
        if element.VR == "SQ":
            for item in element.value or []:
                for inner in list(item.keys()):
                    self._remember(item, inner)
        elif element.VR in _FREE_TEXTS:
            values = element.value if element.VM > 1 else [element.value]
            for value in values or []:
                self.removed.update(_traces(str(value or ""), element.VR))

    def _uid(self, value: Any) -> str:
        text = str(value)
        if not text or text.startswith(_STANDARD_UIDS):
            return text
        return uid_pseudonym(text, self.key)

    def _shifted(self, value: Any) -> str:
        """A date (DA) or the date of a date and time (DT), `days` earlier.

        The time of day goes, as elements for times do: with it a visit is found
        again in the hospital's lists.
        """
        text = str(value).strip()
        digits = re.match(r"(\d{4})\.?(\d{2})\.?(\d{2})", text)
        if not digits:
            return ""
        try:
            day = datetime.date(*(int(part) for part in digits.groups()))
            earlier = day - datetime.timedelta(days=self.days)
        except (ValueError, OverflowError):
            return ""
        return earlier.strftime("%Y%m%d")

    def _dummy(self, vr: str) -> Any:
        if vr in _TEXTS:
            return "REMOVED"
        if vr == "UI":
            return uid_pseudonym("", self.key)
        if vr == "UR":
            return "http://removed.invalid"
        if vr in _BINARY:
            return b"\0\0"
        return _NUMBERS.get(vr, 0)


def deidentify(
    data: bytes, name: str, key: str, black_out: list[list[int]]
) -> dict[str, Any]:
    """The copy, what may still identify somebody, and where text may be.

    Args:
        data: The file.
        name: For messages.
        key: Key of the workspace in hexadecimal digits.
        black_out: (left, top, right, bottom) of parts of the image to make black.

    Returns:
        `data`, `warnings` and `regions`, see `scans.Deidentified`.

    Raises:
        ImageError: The file is damaged, or the regions cannot be blacked out.
    """
    dataset = parse(data, name)
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            cautions = _cautions(dataset, bool(black_out))
            regions = text_regions(dataset)
            profile = _Profile(bytes.fromhex(key), patient(dataset))
            if black_out:
                black_out_regions(dataset, name, black_out)
            profile.apply(dataset)
            profile.sweep(dataset)
            _sign(dataset, bool(black_out))
            copy = _written(dataset)
        except DAMAGED as error:
            raise ImageError(
                _(
                    "{name} cannot be de-identified: its header is damaged. Export it "
                    "again from its source.",
                    name=name,
                )
            ) from error
    if any(value.encode() in copy.lower() for value in profile.removed):
        cautions.append(
            _(
                "A removed value still occurs in the pixel data, perhaps by "
                "chance, perhaps as a comment in a compressed image."
            )
        )
    return {"data": copy, "warnings": cautions, "regions": regions}


def _sign(dataset: Dataset, clean_pixels: bool) -> None:
    """Says what has been done: PS3.15 E.1.1 step 6, codes of PS3.16 CID 7050."""
    codes = [
        ("113100", "Basic Application Confidentiality Profile"),
        ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ]
    if clean_pixels:
        codes.append(("113101", "Clean Pixel Data Option"))
    items = []
    for value, meaning in codes:
        item = Dataset()
        item.CodeValue = value
        item.CodingSchemeDesignator = "DCM"
        item.CodeMeaning = meaning
        items.append(item)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "DICOM PS3.15 Basic Profile, modified dates"
    dataset.DeidentificationMethodCodeSequence = items
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"


def _written(dataset: FileDataset) -> bytes:
    syntax = transfer_syntax(dataset)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or _SECONDARY_CAPTURE
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or UID(
        uid_pseudonym("")
    )
    dataset.file_meta = meta
    if syntax.is_private or not syntax.is_transfer_syntax:
        return _written_unknown(dataset, meta)
    dataset.preamble = b"\0" * 128
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _written_unknown(dataset: FileDataset, meta: FileMetaDataset) -> bytes:
    """In a transfer syntax younger than pydicom, such as JPEG XL.

    All of them are Explicit VR Little Endian but for the pixel data: PS3.5 A.4.
    """
    file = DicomBytesIO(b"\0" * 128 + b"DICM")
    file.seek(0, io.SEEK_END)
    file.is_little_endian, file.is_implicit_VR = True, False
    write_file_meta_info(file, meta)
    write_dataset(file, dataset)
    return bytes(file.getvalue())


def _cautions(dataset: Dataset, blacked_out: bool) -> list[str]:
    """Sentences on what the profile for headers cannot remove."""
    sentences = []
    burned_in = str(dataset.get("BurnedInAnnotation") or "").upper()
    modality = str(dataset.get("Modality") or "")
    captured = "ConversionType" in dataset or "Secondary Capture" in str(
        UID(str(dataset.get("SOPClassUID") or "")).name
    )
    if "PixelData" in dataset and not blacked_out:
        if burned_in == "YES":
            sentences.append(_("The file says that text is burned into its image."))
        elif burned_in != "NO" and (captured or modality in _TEXT_IN_PICTURE):
            sentences.append(
                _(
                    "Images of this kind (ultrasound, secondary capture, photographs) "
                    "often show the patient's name: look, and black it out."
                )
            )
    if str(dataset.get("RecognizableVisualFeatures") or "").upper() == "YES":
        sentences.append(
            _("The file says that its image lets one recognise the patient.")
        )
    return sentences


def _dated(tag: BaseTag) -> bool:
    """Whether an element holds a date that is shifted; dates of birth are removed."""
    if tag.is_private or tag.group == 0x0010 or not dictionary_has_tag(tag):
        return False
    return dictionary_VR(tag) in ("DA", "DT")


def _each(value: Any, change: Any) -> Any:
    """`change` for one value or for each of several."""
    if value is None or isinstance(value, str):
        return change(value) if value else value
    if hasattr(value, "__iter__"):
        return [change(part) for part in value]
    return change(value)


def _traces(text: str, vr: str) -> set[str]:
    """What of a removed value would still tell in another place."""
    parts = {text}
    if vr == "PN":
        parts.update(re.split(r"[\^=]", text))
    return {p for part in parts if len(p := _plain(part)) >= _SHORTEST_TRACE}


def _plain(text: str) -> str:
    return " ".join(text.split()).strip("^ ").lower()
