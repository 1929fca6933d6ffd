"""Files that hold fewer frames than their header says, or do not say how many."""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from medmodel.core.errors import ImageError
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.dicom import reading
from medmodel.imaging.privacy.redaction import black_out_regions
from tests.dicom_files import dicom_bytes, dicom_dataset, encapsulated_file

SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)


def frames_of(kind: str, count: int = 3) -> npt.NDArray[Any]:
    """Frames of 6 × 6 pixels whose first value is the frame's number, times 20."""
    shape = (count, 6, 6, 3) if kind == "RGB" else (count, 6, 6)
    stack = np.random.default_rng(1).integers(1, 200, shape)
    stack.reshape(count, -1)[:, 0] = 20 * np.arange(count)
    return stack.astype("<u2" if kind == "u2" else np.uint8)


def cut(kind: str, syntax: str, pixels: float, declared: object = 3) -> bytes:
    """A file that declares 3 frames and holds so many pixels of them."""
    stack = frames_of(kind)
    dataset = dicom_dataset(stack, NumberOfFrames=declared)
    if kind == "bit":
        for keyword, value in {"Allocated": 1, "Stored": 1}.items():
            setattr(dataset, f"Bits{keyword}", value)
        dataset.HighBit = 0
        bits = (stack > 100).ravel()[: int(pixels * 36)]
        content = np.packbits(bits, bitorder="little").tobytes()
    else:
        big = syntax == ExplicitVRBigEndian and kind == "u2"
        content = stack.astype(">u2" if big else stack.dtype).tobytes()
        content = content[: int(pixels * stack[0].nbytes)]
    dataset.PixelData = content
    return dicom_bytes(dataset, syntax)


def read(data: bytes, frame: int = -1, **options: Any) -> DecodedImage:
    return DecodedImage(**reading.read(data, "x.dcm", frame=frame, **options))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", ["u1", "u2", "RGB", "bit"])
@pytest.mark.parametrize(("pixels", "whole"), [(2.5, 2), (2, 2), (1.2, 1), (1, 1)])
def test_the_frames_that_are_there(
    kind: str, syntax: str, pixels: float, whole: int
) -> None:
    data, complete = cut(kind, syntax, pixels), cut(kind, syntax, 3)
    assert read(complete).frames == 3 and not read(complete).frames_text
    for number in range(whole):
        answer, expected = read(data, number), read(complete, number)
        assert (answer.pixels == expected.pixels).all()
        assert (answer.frames, answer.missing_frames) == (whole, 3 - whole)
    assert read(data).frames_text == f"{whole} of 3 frames are in the file"
    with pytest.raises(ImageError, match=f"has no frame {whole + 1}: it has {whole}"):
        read(data, whole)


@pytest.mark.parametrize("kind", ["u1", "u2", "RGB", "bit"])
def test_a_file_without_one_whole_frame_is_refused(kind: str) -> None:
    with pytest.raises(ImageError, match=r"pixel data .* is damaged or incomplete"):
        read(cut(kind, ExplicitVRLittleEndian, 0.9))


def test_a_window_does_not_hide_that_frames_are_missing() -> None:
    data = cut("u2", ExplicitVRLittleEndian, 2)
    assert read(data, window=(50, 100)).frames_text


def test_the_next_frame_of_the_same_file_says_it_too() -> None:
    data = cut("u2", ExplicitVRLittleEndian, 2)
    assert [read(data, n).missing_frames for n in (0, 1, 0)] == [1, 1, 1]


@pytest.mark.parametrize("declared", [b"0 ", b"", b"many", b"-3", b"2.5 "])
def test_a_number_that_is_none_is_that_of_the_frames(declared: bytes) -> None:
    data = cut("u1", ExplicitVRLittleEndian, 3, 777)
    start = data.index(b"\x28\0\x08\0IS")
    element = b"\x28\0\x08\0IS" + struct.pack("<H", len(declared)) + declared
    data = data[:start] + element + data[start + 12 :]
    assert read(data).frames == 3 and not read(data).frames_text
    assert (read(data, 2).pixels == read(cut("u1", SYNTAXES[1], 3), 2).pixels).all()


def test_without_a_number_a_file_has_one_frame() -> None:
    dataset = dicom_dataset(frames_of("u1"), NumberOfFrames=3)
    del dataset.NumberOfFrames
    answer = read(dicom_bytes(dataset))
    assert (answer.frames, answer.missing_frames) == (1, 0)


def test_two_pixels_that_share_their_colours() -> None:
    """One and a half frames of it have as many bytes as one of three samples each."""
    stack = frames_of("u1", 3).reshape(3, -1)
    content = np.concatenate([stack, stack[:, ::-1]], axis=1)
    facts = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"}
    shown = []
    for share in (3, 1.5):
        dataset = dicom_dataset(frames_of("u1"), NumberOfFrames=3, **facts)
        dataset.PlanarConfiguration = 0
        dataset.PixelData = content.tobytes()[: int(share * 72)]
        shown.append(read(dicom_bytes(dataset), 0))
    assert (shown[0].pixels == shown[1].pixels).all()
    assert shown[1].frames_text == "1 of 3 frames are in the file"


# Compressed


def compressed(syntax: str) -> list[bytes]:
    stack = frames_of("u1")
    if syntax == RLELossless:
        dataset = dicom_dataset(stack, NumberOfFrames=3)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress(syntax)
        return list(generate_frames(dataset.PixelData, number_of_frames=3))
    name = "jpeg8" if syntax == JPEGBaseline8Bit else "jpegls"
    coded = [getattr(imagecodecs, f"{name}_encode")(frame) for frame in stack]
    return [frame + b"\0" * (len(frame) % 2) for frame in coded]


def in_items(syntax: str, frames: list[bytes], offsets: str, declared: int) -> bytes:
    dataset = dicom_dataset(frames_of("u1"), NumberOfFrames=declared)
    file = encapsulated_file(dataset, syntax, *frames)
    if offsets == "basic":
        return file
    dataset.PixelData = encapsulate(frames, has_bot=False)
    if offsets == "extended":
        content, table, lengths = encapsulate_extended(frames)
        dataset.PixelData, dataset.ExtendedOffsetTable = content, table
        dataset.ExtendedOffsetTableLengths = lengths
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    return dicom_bytes(dataset, syntax)


@pytest.mark.parametrize("offsets", ["basic", "none", "extended"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGBaseline8Bit, JPEGLSLossless])
def test_compressed_frames_that_are_there(syntax: str, offsets: str) -> None:
    frames = compressed(syntax)
    complete = in_items(syntax, frames, offsets, 3)
    assert read(complete).frames == 3 and not read(complete).frames_text
    for data, whole in (
        (in_items(syntax, frames[:2], offsets, 3), 2),
        (in_items(syntax, frames[:1], offsets, 3), 1),
        (in_items(syntax, frames, offsets, 5), 3),
        (complete[:-8], 3),  # without its end
        (complete[: -8 - len(frames[2]) // 2], 2),  # half a frame
        (complete[: -8 - len(frames[2])], 2),
        (complete[: -12 - len(frames[2])], 2),  # half an item's head
        (complete[: -16 - len(frames[2]) - len(frames[1]) // 2], 1),
    ):
        answers = [read(data, number) for number in range(whole)]
        declared = 5 if whole == 3 and data is not complete[:-8] else 3
        assert {answer.frames for answer in answers} == {whole}
        assert answers[0].missing_frames in (3 - whole, declared - whole)
        for number, answer in enumerate(answers):
            assert (answer.pixels == read(complete, number).pixels).all()
        with pytest.raises(ImageError, match=f"it has {whole}"):
            read(data, whole)


@pytest.mark.parametrize("offsets", ["basic", "none", "extended"])
def test_a_frame_without_its_end_is_not_whole(offsets: str) -> None:
    frames = compressed(JPEGBaseline8Bit)
    frames[2] = frames[2][: len(frames[2]) // 4 * 2]
    assert read(in_items(JPEGBaseline8Bit, frames, offsets, 3)).frames == 2


def test_an_empty_item_is_no_frame() -> None:
    dataset = dicom_dataset(frames_of("u1"), NumberOfFrames=3)
    empty = b"\xfe\xff\x00\xe0\0\0\0\0"
    dataset.PixelData = encapsulate(compressed(RLELossless)[:2], has_bot=False) + empty
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    assert read(dicom_bytes(dataset, RLELossless)).frames == 2


def test_frames_in_several_pieces() -> None:
    frames = compressed(JPEGLSLossless)
    dataset = dicom_dataset(frames_of("u1"), NumberOfFrames=3)
    for has_bot in (True, False):
        dataset.PixelData = encapsulate(
            frames[:2], fragments_per_frame=2, has_bot=has_bot
        )
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        answer = read(dicom_bytes(dataset, JPEGLSLossless), 1)
        assert answer.frames_text == "2 of 3 frames are in the file"
        assert (answer.pixels[..., 0] == frames_of("u1")[1]).mean() > 0.5
    cut_off = dicom_bytes(dataset, JPEGLSLossless)[: -8 - len(frames[1]) // 4]
    assert read(cut_off).frames == 1


def test_one_compressed_frame_that_was_cut_is_called_damaged() -> None:
    frames = compressed(RLELossless)[:1]
    data = in_items(RLELossless, frames, "basic", 1)
    with pytest.raises(ImageError, match=r"pixel data .* is damaged or incomplete"):
        read(data[: -8 - len(frames[0]) // 2])


def test_number_of_compressed_frames_that_is_none() -> None:
    for offsets in ("basic", "none", "extended"):
        data = in_items(JPEGLSLossless, compressed(JPEGLSLossless), offsets, 0)
        assert (read(data).frames, read(data).missing_frames) == (3, 0)


@pytest.mark.parametrize("kind", ["u1", "u2", "RGB"])
def test_regions_of_the_frames_that_are_there_become_black(kind: str) -> None:
    data = cut(kind, ExplicitVRLittleEndian, 2.5)
    dataset = reading.parse(data, "x.dcm")
    black_out_regions(dataset, "x.dcm", [[0, 0, 2, 2]])
    answer = read(dicom_bytes(dataset), 1)
    assert (answer.frames, answer.missing_frames) == (2, 0)
    assert len(dataset.PixelData) == 2 * frames_of(kind)[0].nbytes
    shown = answer.pixels.reshape(6, 6, -1)
    assert (shown[:2, :2] == shown.min()).all() and shown.max() > 100
