"""The few elements of a DICOM file that make its image, past a hundred others.

To read every element of a header takes longer than all that is done to the image.
Here a file is walked through from length to length. Only plain files are: grey and not
compressed, every element known in length and in its place. Of others nothing is said,
pydicom reads them. To be called in the sandbox.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medmodel.imaging.codecs import DAMAGED


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(tag for k in keywords if (tag := tag_for_keyword(k)) is not None)


_META = _tags("MediaStorageSOPClassUID", "TransferSyntaxUID")
_REPEATED = _META | _tags(
    "SpecificCharacterSet",
    "SOPClassUID",
    "Modality",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelAspectRatio",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "RescaleIntercept",
    "RescaleSlope",
)
"""The same in many files: converted once."""
_OWN = _tags(
    "PatientID",
    "IssuerOfPatientID",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelData",
)
_BEYOND = _tags(
    # Tables, and elements of single frames; other kinds of pixels.
    "ModalityLUTSequence",
    "VOILUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelPresentation",
)
_MARK = 132
"""Where the file meta information begins: PS3.10 7.1."""
_BEGIN = b"DICM" + b"\2\0\0\0" + b"UL\4\0"
"""Its mark, and its first element, which tells the length of those that follow."""

# PS3.5 7.1.2: which lengths are written with 16, and which with 32 bits.
_SHORT = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_HEAD, _LENGTH = Struct("<HHL"), Struct("<L")

_Found = dict[int, tuple[bytes, bytes]]
"""Tag -> value representation, empty where the file does not say, and value."""


KEPT_BYTES = 150_000_000
"""Size of a file up to which its elements are kept for its next frame."""
_latest: list[tuple[bytes, Dataset, int | None]] = []


def kept_elements(data: bytes) -> tuple[Dataset, int | None] | None:
    """The elements of a file whose frame was read last; None if it was another file.

    Args:
        data: The file: the very same object, for to compare contents takes as long as
            to read them.

    Returns:
        The elements, and how many frames the file declares.
    """
    kept = [(elements, frames) for file, elements, frames in _latest if file is data]
    return kept[0] if kept else None


def keep_elements(data: bytes, dataset: Dataset, declared: int | None) -> None:
    """Keeps the elements of a file with several frames, and of no other."""
    _latest.clear()
    if len(data) <= KEPT_BYTES:
        _latest.append((data, dataset, declared))


def image_elements(data: bytes) -> Dataset | None:
    """What `reading.read` asks of a plain file; None where pydicom should read it.

    Args:
        data: A whole file.

    Returns:
        As `pydicom.dcmread`, but other elements are missing.
    """
    if not data.startswith(_BEGIN, _MARK - 4):
        return None
    try:
        at = _MARK + 12 + _LENGTH.unpack_from(data, _MARK + 8)[0]
        meta = _walk(data, _MARK, at, implicit=False)
        header = FileMetaDataset(_converted(meta, implicit=False))
        implicit = header.TransferSyntaxUID == ImplicitVRLittleEndian
        if not implicit and header.TransferSyntaxUID != ExplicitVRLittleEndian:
            return None
        if implicit and data[at + 4 : at + 6] in _SHORT | _LONG:
            return None  # explicit after all
        elements = _walk(data, at, len(data), implicit)
        if elements.keys() & _BEYOND:
            return None
        dataset = Dataset(_converted(elements, implicit))
        names = dataset.get("SpecificCharacterSet")
        encodings = convert_encodings(names) if names else default_encoding
        dataset.set_original_encoding(implicit, True, encodings)
        dataset.file_meta = header
        return dataset if _is_plain(dataset) else None
    except DAMAGED:
        return None  # pydicom will say so, or read it all the same


def _is_plain(dataset: Dataset) -> bool:
    return (
        dataset.SamplesPerPixel == 1
        and dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2")
        and dataset.get("NumberOfFrames") in (None, 1)
        and dataset.PixelRepresentation in (0, 1)
    )


def _walk(data: bytes, at: int, end: int, implicit: bool) -> _Found:
    """The elements between two positions.

    PS3.5 7.1: tag, value representation where it is explicit, length, value; tags rise.

    Raises:
        ValueError: It is not as plain as that.
        struct.error: The file ends too soon.
    """
    elements: _Found = {}
    before = -1
    while at < end:
        tag, representation, start, length = _element(data, at, implicit)
        if tag <= before:
            raise ValueError("elements out of order")
        if length == _UNDEFINED and tag in _OWN:
            raise ValueError("pixel data that is compressed")
        if length == _UNDEFINED:
            at = _past_sequence(data, start, implicit)
        else:
            at = start + length
        if at > end:
            raise ValueError("an element that ends elsewhere")
        if tag in _REPEATED or tag in _OWN or tag in _BEYOND:
            elements[tag] = representation, data[start:at]
        before = tag
    return elements


def _element(data: bytes, at: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, value representation, start and length of the value."""
    group, number, length = _HEAD.unpack_from(data, at)
    tag, start = group << 16 | number, at + 8
    if implicit or group == 0xFFFE:
        return tag, b"", start, length
    representation = data[at + 4 : start - 2]
    if representation in _SHORT:
        return tag, representation, start, length >> 16
    if representation not in _LONG:
        raise ValueError("an unknown value representation")
    return tag, representation, start + 4, _LENGTH.unpack_from(data, start)[0]


def _past_sequence(data: bytes, at: int, implicit: bool) -> int:
    """The position behind a sequence of undefined length: PS3.5 7.5."""
    while True:
        tag, _, at, length = _element(data, at, implicit)
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise ValueError("something between the items")
        end = None if length == _UNDEFINED else at + length
        at = _past_item(data, at, end, implicit)


def _past_item(data: bytes, at: int, end: int | None, implicit: bool) -> int:
    """The position behind an item; its elements are walked through as pydicom does.

    What lies in it is not needed, but where it is damaged pydicom may refuse the file.
    """
    while end is None or at < end:
        tag, _, at, length = _element(data, at, implicit)
        if tag == _ITEM_END and end is None:
            return at
        if tag >= _ITEM:
            raise ValueError("an item that ends elsewhere")
        at = _past_sequence(data, at, implicit) if length == _UNDEFINED else at + length
    if at > end:
        raise ValueError("an element that ends elsewhere")
    return at


def _converted(
    elements: _Found, implicit: bool
) -> dict[BaseTag, DataElement | RawDataElement]:
    return {
        BaseTag(tag): (_shared if tag in _REPEATED else _raw)(tag, vr, value, implicit)
        for tag, (vr, value) in elements.items()
    }


def _raw(
    tag: int, representation: bytes, value: bytes, implicit: bool
) -> RawDataElement:
    vr = representation.decode("ascii") or None
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, implicit, True)


@lru_cache(maxsize=1024)
def _shared(
    tag: int, representation: bytes, value: bytes, implicit: bool
) -> DataElement:
    """For reading only: the same element in all files that have this value."""
    return convert_raw_data_element(_raw(tag, representation, value, implicit))
