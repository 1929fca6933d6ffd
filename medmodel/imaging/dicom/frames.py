"""How many frames of a DICOM file are there, whatever NumberOfFrames says.

Files are cut, or say more than was ever written: the frames that are whole can be
shown, the others are told. The pixel data is measured, not decoded.
"""

from __future__ import annotations

import itertools
import struct
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from medmodel.imaging.codecs import DAMAGED, is_native, transfer_syntax
from medmodel.imaging.dicom.elements import DamagedElement, number

SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
"""What ends compressed pixel data, and is lost where a file is cut: PS3.5 A.4."""
_ITEM = 0xE000FFFE
_ITEM_HEAD = struct.Struct("<LL")
_END_OF_IMAGE = b"\xff\xd9"
_ENDING = tuple(
    # JPEG, JPEG-LS and JPEG 2000: PS3.6 A.1. All end with the same marker.
    f"1.2.840.10008.1.2.4.{n}"
    for n in (50, 51, 53, 55, 57, 70, 80, 81, 90, 91, 92, 93, 201, 202, 203)
)


def declared_frames(dataset: Dataset) -> int | None:
    """NumberOfFrames; 1 where it is absent, None where it is empty or no count."""
    if "NumberOfFrames" not in dataset:
        return 1
    try:
        count = number(dataset, "NumberOfFrames")
    except DamagedElement:
        return None
    return int(count) if count and count >= 1 and count % 1 == 0 else None


def keep_whole_frames(dataset: Dataset) -> int:
    """Cuts pixel data, and NumberOfFrames, to the frames that are whole.

    Where none is whole, the first one is left, of which decoders may make something.

    Args:
        dataset: With a header that is complete but for NumberOfFrames.

    Returns:
        The number of frames.
    """
    declared = declared_frames(dataset)
    frames = declared or 1
    if declared != 1:
        if is_native(transfer_syntax(dataset)):
            frames = _keep_whole_native(dataset, declared)
        elif "PixelData" in dataset:
            frames = _keep_whole_encapsulated(dataset, declared)
    if "NumberOfFrames" in dataset:
        # A new element: the old one may be that of other files, or no number.
        tag = tag_for_keyword("NumberOfFrames") or 0
        dataset.add_new(tag, dictionary_VR(tag), frames)
    return frames


def _keep_whole_native(dataset: Dataset, declared: int | None) -> int:
    keywords = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    keyword = next(keyword for keyword in keywords if keyword in dataset)
    content = dataset[keyword].value or b""
    pixels = int(dataset.Rows) * int(dataset.Columns)
    bits = max(pixels * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated), 1)
    if dataset.PhotometricInterpretation in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        halved = bits * 2 // 3  # PS3.3 C.7.6.3.1.2: two pixels share their colours
        bits = bits if 8 * len(content) >= bits * (declared or 1) else halved
    whole = 8 * len(content) // bits
    frames = max(min(whole, declared or whole), 1)
    if declared and whole < declared:
        dataset[keyword].value = content[: -(-bits * frames // 8)]
    return frames


def _keep_whole_encapsulated(dataset: Dataset, declared: int | None) -> int:
    content = dataset.PixelData
    offsets, lengths = (
        dataset.get(f"ExtendedOffsetTable{name}") for name in ("", "Lengths")
    )
    ends = _item_ends(content)
    if not ends:
        return declared or 1
    content = content[: ends[-1]]
    syntax = transfer_syntax(dataset)
    items = (content[start + 8 : end] for start, end in itertools.pairwise(ends))
    # A frame may lie in several items, of which the last one ends it.
    ending = sum(_is_whole(item, syntax) for item in items) or 1
    extended: Any = (offsets, lengths) if offsets and lengths else None
    count = min(declared or ending, ending)
    whole: list[bool] = []
    try:
        for coded in generate_frames(
            content, number_of_frames=count, extended_offsets=extended
        ):
            whole.append(_is_whole(coded, syntax))
    except DAMAGED:
        pass  # what came before is there
    whole = whole[: declared or len(whole)]
    while whole and not whole[-1]:
        whole.pop()
    frames = max(len(whole), 1)
    if declared and frames < declared:
        dataset.PixelData = content
    return frames


def _item_ends(content: bytes) -> list[int]:
    """Where each item ends that is whole, that of the offset table first."""
    ends, at = [], 0
    while at + _ITEM_HEAD.size <= len(content):
        tag, length = _ITEM_HEAD.unpack_from(content, at)
        at += _ITEM_HEAD.size + length
        if tag != _ITEM or at > len(content):
            break
        ends.append(at)
    while len(ends) > 2 and ends[-1] - ends[-2] == _ITEM_HEAD.size:
        ends.pop()  # an empty item, in which no frame was written
    return ends


def _is_whole(coded: bytes, syntax: str) -> bool:
    if syntax in _ENDING:
        return _END_OF_IMAGE in coded.rstrip(b"\0")[-10:]
    return bool(coded)
