"""DICOM Segmentation (SEG, PS3.3 A.51): writes a mask, and reads one as a mask.

By highdicom, which is slow to load: it is imported where it is used, in the sandbox.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from medmodel.core.errors import DECODER_ERRORS, ImageError
from medmodel.imaging import untrusted
from medmodel.imaging.dicom.conforming import COPIED, conforming, stored_text
from medmodel.imaging.dicom.reading import parse
from medmodel.imaging.mask_export import resized, unpacked
from medmodel.imaging.mask_values import Mask
from medmodel.imaging.scaling import isotropic_size
from medmodel.language import _

STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
"""Segmentation Storage, PS3.4 B.5."""
_STORAGES = (STORAGE, "1.2.840.10008.5.1.4.1.1.66.7")
"""And Label Map Segmentation Storage, whose pixels are the numbers of segments."""
_MANUFACTURER = "MedModel"
_NEEDED = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"),
    "Modality",
)
"""Of a source to be referred to (type 1)."""
_UTF8 = "ISO_IR 192"
"""Which has the letters of every class, whatever those of the source are."""


def read_segmentation_file(
    data: bytes,
    name: str,
    file: tuple[str, str] | None,
    mask: Sequence[Any],
    names: Sequence[tuple[int, str]],
    options: dict[str, Any],
    algorithm: Sequence[str],
) -> dict[str, Any]:
    """What the sandbox runs for `mask_export.dicom_segmentation`: `file`, the bytes."""
    data, chosen = untrusted.content(data, file, options)
    source = _conforming_source(data, name)
    frames = int(source.get("NumberOfFrames", 1) or 1)
    plane = resized(unpacked(mask), (int(source.Rows), int(source.Columns)))
    planes = np.zeros((frames, *plane.shape), np.uint8)
    planes[max(chosen.frame, 0)] = plane
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            written = _written(source, planes, names, algorithm)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise _lacking(name, error) from error
    return {"file": written}


def _conforming_source(data: bytes, name: str) -> Any:
    """The source, whose patient and study a new file may have.

    Elements that may be empty (type 2) are made so where they are missing or hold what
    no new file may; without a UID it cannot be referred to.

    Raises:
        ImageError: A UID or its modality is missing, or it is damaged.
    """
    from pydicom.datadict import dictionary_description

    source = parse(data, name)
    for keyword in _NEEDED:
        if not stored_text(source, keyword):
            raise _lacking(name, dictionary_description(keyword))
    for keyword in COPIED:
        setattr(source, keyword, conforming(source, keyword))
    return source


def _lacking(name: str, what: object) -> ImageError:
    return ImageError(
        _(
            "{name} lacks what a DICOM segmentation must say of its source ({reason}): "
            "save the mask as PNG or NIfTI instead.",
            name=name,
            reason=what,
        )
    )


def _written(
    source: Any,
    planes: Mask,
    names: Sequence[tuple[int, str]],
    algorithm: Sequence[str],
) -> bytes:
    import highdicom
    from highdicom.seg import Segmentation

    numbers = np.zeros(256, np.uint8)
    for number, (value, _label) in enumerate(names, start=1):
        numbers[value] = number
    segmentation = Segmentation(
        source_images=[source],
        pixel_array=numbers[planes],
        segmentation_type="BINARY",
        segment_descriptions=_descriptions(names, algorithm),
        series_instance_uid=highdicom.UID(),
        series_number=100,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_MANUFACTURER,
        manufacturer_model_name=_named(algorithm[0]),
        software_versions=_named(algorithm[1]),
        device_serial_number="1",
        specific_character_set=_UTF8,
    )
    # What lies in sequences of the source is still encoded by its own characters.
    segmentation.walk(lambda _dataset, _element: None)
    _drop_incomplete_measures(segmentation)
    buffer = io.BytesIO()
    segmentation.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _named(text: str) -> str:
    """A name as one value: a backslash would part two, and it has 64 letters."""
    return text.replace("\\", "/")[:64]


def _drop_incomplete_measures(segmentation: Any) -> None:
    """Leaves out pixel measures without a spacing or a thickness.

    A projection has no thickness: what its source says is taken over as it is, and
    readers, that of highdicom among them, refuse a file with only a part of it.
    """
    for groups in (
        *segmentation.get("SharedFunctionalGroupsSequence", []),
        *segmentation.PerFrameFunctionalGroupsSequence,
    ):
        for measures in groups.get("PixelMeasuresSequence", []):
            if not {"PixelSpacing", "SliceThickness"} <= set(measures.dir()):
                del groups.PixelMeasuresSequence
                break


def _descriptions(names: Sequence[tuple[int, str]], algorithm: Sequence[str]) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    # Whether it is a lesion nobody told: an abnormal structure is all that is known.
    kind = codes.SCT.MorphologicallyAbnormalStructure
    identification = AlgorithmIdentificationSequence(
        name=_named(algorithm[0]),
        family=codes.DCM.ArtificialIntelligence,
        version=_named(algorithm[1]),
    )
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=_named(label),
            segmented_property_category=kind,
            segmented_property_type=kind,
            algorithm_type="AUTOMATIC",
            algorithm_identification=identification,
        )
        for number, (_value, label) in enumerate(names, start=1)
    ]


def segment_numbers(data: bytes, name: str, frame: int = -1) -> Mask:
    """The segments of a DICOM SEG as a mask: each pixel's segment number.

    Args:
        data: The file.
        name: For messages.
        frame: Frame of the source, from 0; -1: all that is segmented is one image.

    Returns:
        uint8 (height, width), 0 where there is no segment; of segments that overlap
        the highest number. Pixels that are no squares are widened, as an image's are.

    Raises:
        ImageError: It is damaged, no segmentation, or of several images where one is
            meant.
    """
    from highdicom.seg import segread

    _check_kind(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            segmentation = segread(io.BytesIO(data))
        mask = _merged(segmentation, name, frame)
        height, width = _pixel_size(segmentation)
        across, down = isotropic_size(mask.shape[0], mask.shape[1], height, width)
        return resized(mask, (down, across))
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(
            _(
                "{name} cannot be read: this DICOM segmentation is damaged or "
                "incomplete. Export it again from its source.",
                name=name,
            )
        ) from error


def _check_kind(data: bytes, name: str) -> None:
    """Refuses a DICOM file that is no segmentation, such as an image.

    Raises:
        ImageError: It says so itself; of one that says nothing its reader judges.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(
                io.BytesIO(data), force=True, specific_tags=["SOPClassUID", "Modality"]
            )
        kind, modality = str(header.get("SOPClassUID", "")), header.get("Modality", "")
    except (*DECODER_ERRORS, InvalidDicomError):  # whoever reads it says how
        return
    if kind and kind not in _STORAGES:
        raise ImageError(
            _(
                "{name} is no mask: this DICOM file ({modality}) holds no "
                "segmentation. Save the mask as DICOM SEG, NIfTI or PNG.",
                name=name,
                modality=modality or kind,
            )
        )


def _macro(segmentation: Any, group: Any, keyword: str) -> Any:
    """A functional group of a frame; what all frames share stands but once.

    PS3.3 C.7.6.16: the shared groups and those of each frame complete each other.
    """
    shared = segmentation.get("SharedFunctionalGroupsSequence", None) or []
    for groups in (group, *shared):
        if groups.get(keyword, None):
            return groups[keyword].value
    return []


def _pixel_size(segmentation: Any) -> tuple[float, float]:
    """Height and width of a pixel; squares where it says nothing."""
    first = segmentation.PerFrameFunctionalGroupsSequence[0]
    for measures in _macro(segmentation, first, "PixelMeasuresSequence"):
        height, width = measures.get("PixelSpacing", (1, 1))
        return float(height), float(width)
    return 1.0, 1.0


def _merged(segmentation: Any, name: str, frame: int) -> Mask:
    shape = int(segmentation.Rows), int(segmentation.Columns)
    mask = np.zeros(shape, np.uint8)
    pixels = segmentation.pixel_array
    pixels = pixels.reshape(-1, *shape)
    sources: set[Any] = set()
    kind = str(segmentation.get("SegmentationType", "BINARY"))
    # Of a fractional one a pixel belongs to a segment from half of its maximum on.
    least = segmentation.get("MaximumFractionalValue", 1) / 2
    groups = segmentation.PerFrameFunctionalGroupsSequence
    for plane, group in zip(pixels, groups, strict=True):
        source = _source_of(_macro(segmentation, group, "DerivationImageSequence"))
        if frame >= 0 and source[1] not in (0, frame + 1):
            continue
        sources.add(source)
        if kind == "LABELMAP":
            mask = np.maximum(mask, plane.astype(np.uint8))
            continue
        segment = _macro(segmentation, group, "SegmentIdentificationSequence")[0]
        number = segment.ReferencedSegmentNumber
        mask = np.maximum(mask, np.where(plane >= least, number, 0).astype(np.uint8))
    if len(sources) > 1:
        raise ImageError(
            _(
                "{name} segments {count} images: save a segmentation of its own for "
                "each image.",
                name=name,
                count=len(sources),
            )
        )
    return mask


def _source_of(derivations: Any) -> tuple[str, int]:
    """UID and frame (0: not told) of the source of a frame."""
    for derivation in derivations:
        for source in derivation.get("SourceImageSequence", []):
            frames = source.get("ReferencedFrameNumber", 0)
            number = frames if isinstance(frames, int) else int(frames[0])
            return str(source.ReferencedSOPInstanceUID), number
    return "", 0
