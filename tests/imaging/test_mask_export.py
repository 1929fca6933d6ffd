"""Masks that are saved and read again by readers that nobody here wrote."""

from __future__ import annotations

import gzip
import io
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from highdicom.seg import Segmentation, segread
from PIL import Image

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging import mask_export, untrusted
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.dicom import segmentation
from medmodel.imaging.mask_values import read
from tests.dicom_files import dicom_bytes, dicom_dataset

MASK = np.zeros((16, 20), np.uint8)
MASK[3:7, 4:9], MASK[9:14, 11:17] = 1, 255
NAMES = [(1, "nodule"), (255, "effusion")]


def source(**elements: Any) -> bytes:
    pixels = np.arange(320, dtype="<i2").reshape(16, 20)
    facts: dict[str, Any] = {
        "Modality": "CT",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "FrameOfReferenceUID": "1.2.3.9",
        "PixelSpacing": [0.5, 0.5],
        "SliceThickness": 2.0,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 0],
        "StudyDate": "20200101",
        "StudyTime": "101010",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "AccessionNumber": "",
        "StudyID": "1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "PatientPosition": "HFS",
    }
    return dicom_bytes(dicom_dataset(pixels, **{**facts, **elements}))


def written(
    data: bytes, mask: np.ndarray = MASK, names: list[tuple[int, str]] = NAMES
) -> bytes:
    """Without the sandbox, whose process takes a second to start."""
    options = DecodeOptions()._asdict()
    packed, algorithm = mask_export.packed(mask), ["unet_lite0", "1.0"]
    answer = segmentation.read_segmentation_file(
        data, "a.dcm", None, packed, names, options, algorithm
    )
    return bytes(answer["file"])


def test_a_png_holds_the_values() -> None:
    saved = Image.open(io.BytesIO(mask_export.png_mask(MASK)))
    assert np.array_equal(np.asarray(saved), MASK)


def test_a_nifti_of_an_image_is_read_as_its_mask() -> None:
    file = mask_export.nifti_mask(MASK, (0.5, 0.5))
    assert np.array_equal(read(file, "a.nii.gz", "axial", -1)["values"], MASK)
    volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(file))
    assert volume.header.get_zooms() == (0.5, 0.5, 1.0)
    assert volume.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_a_nifti_of_a_volume_lies_on_its_grid(axis: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((10, 12, 14)).astype(np.float32)
    affine = np.array([[0, -1.5, 0, 9], [1, 0, 0, 3], [0, 0, 2.5, -7], [0, 0, 0, 1.0]])
    volume = nibabel.Nifti1Image(values, affine)
    labels = nibabel.Nifti1Image((values > 0.7).astype(np.uint8), affine)
    mask = read(labels.to_bytes(), "a.nii", axis, 5)["values"]  # type: ignore[arg-type]
    options = DecodeOptions("auto", 5, axis)._asdict()  # type: ignore[arg-type]
    file = mask_export.read_nifti_mask(
        volume.to_bytes(), "a.nii", None, mask_export.packed(mask), options
    )["file"]
    again = read(file, "a.nii.gz", axis, 5)["values"]  # type: ignore[arg-type]
    assert np.array_equal(again, mask)
    assert not read(file, "a.nii.gz", axis, 4)["values"].any()  # type: ignore[arg-type]
    saved = nibabel.Nifti1Image.from_bytes(gzip.decompress(file))
    turned = nibabel.as_closest_canonical(volume)
    assert saved.shape == turned.shape
    assert np.allclose(saved.affine, turned.affine)


def test_highdicom_reads_the_segmentation_of_its_source() -> None:
    file = written(source())
    read_again = segread(io.BytesIO(file))
    assert [
        s.segment_label for s in (read_again.get_segment_description(n) for n in (1, 2))
    ] == ["nodule", "effusion"]
    planes = read_again.get_pixels_by_source_instance(
        ["1.2.3.4.5"], combine_segments=True
    )
    assert np.array_equal(
        planes[0], np.array([0, 1, 2])[np.searchsorted([0, 1, 255], MASK)]
    )
    assert read_again.StudyInstanceUID == "1.2.3"
    assert read_again.PatientID == "number-4711"
    algorithm = read_again.get_segment_description(1).algorithm_identification
    assert algorithm is not None
    assert (algorithm.name, algorithm.version) == ("unet_lite0", "1.0")


def test_a_segmentation_is_a_mask_to_train_on() -> None:
    file = written(source())
    values = read(file, "a.dcm", "axial", -1)["values"]
    assert np.array_equal(values > 0, MASK > 0)
    assert set(np.unique(values)) == {0, 1, 2}


@pytest.mark.parametrize("missing", ["SliceThickness", "PixelSpacing"])
def test_a_projection_without_thickness_or_spacing_is_read_again(missing: str) -> None:
    facts: dict[str, Any] = {
        missing: None,
        "Modality": "CR",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "FrameOfReferenceUID": None,
        "ImageOrientationPatient": None,
        "ImagePositionPatient": None,
    }
    file = written(source(**facts))
    assert segread(io.BytesIO(file)).pixel_array.any()
    values = read(file, "a.dcm", "axial", -1)["values"]
    assert np.array_equal(values > 0, MASK > 0)


def test_a_single_segment_is_a_mask_to_train_on() -> None:
    options = DecodeOptions()._asdict()
    alone = np.where(MASK == 255, 255, 0).astype(np.uint8)
    answer = segmentation.read_segmentation_file(
        source(),
        "a.dcm",
        None,
        mask_export.packed(alone),
        [(255, "nodule")],
        options,
        ["unet", "1"],
    )
    # What all frames share stands in no frame's own groups.
    file = bytes(answer["file"])
    (group,) = pydicom.dcmread(io.BytesIO(file)).PerFrameFunctionalGroupsSequence
    assert "SegmentIdentificationSequence" not in group
    values = read(file, "a.dcm", "axial", -1)["values"]
    assert np.array_equal(values > 0, alone > 0)


def test_an_image_whose_pixels_are_no_squares_gets_its_own_size_back() -> None:
    wide = MASK.repeat(2, axis=1)  # as it is shown
    file = written(source(PixelSpacing=[0.5, 1.0]), wide)
    assert segread(io.BytesIO(file)).pixel_array.shape[1:] == MASK.shape
    # To be trained on it is as wide as the image is shown.
    assert np.array_equal(read(file, "a.dcm", "axial", -1)["values"] > 0, wide > 0)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("StudyInstanceUID", r"\(Study Instance UID\)"),
        ("SOPInstanceUID", r"\(SOP Instance UID\)"),
        ("Modality", r"\(Modality\)"),
        ("FrameOfReferenceUID", "Frame Of Reference UID"),
    ],
)
def test_what_the_source_lacks_is_said(missing: str, words: str) -> None:
    told = f"a.dcm lacks what a DICOM segmentation must say of its source.*{words}"
    with pytest.raises(ImageError, match=told):
        written(source(**{missing: None}))


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", None),
        ("PatientID", "one\\two"),
        ("PatientName", "Doe^John\\Roe^Jane"),
        ("PatientSex", "unknown"),
        ("StudyDate", "00000000"),
        ("StudyTime", None),
        ("AccessionNumber", None),
    ],
)
def test_what_may_be_empty_is_left_empty(keyword: str, value: str | None) -> None:
    read_again = segread(io.BytesIO(written(source(**{keyword: value}))))
    assert not read_again.get(keyword)
    assert read_again.StudyInstanceUID == "1.2.3" and read_again.pixel_array.any()


@pytest.mark.filterwarnings("ignore")  # of pydicom on XYZ
@pytest.mark.parametrize(
    ("characters", "patient"),
    [
        (None, "Doe^John"),
        ("", "Doe^John"),
        ("XYZ", "Doe^John"),
        ("ISO_IR 101", "Żak^Łucja"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_keep_their_letters(characters: Any, patient: str) -> None:
    procedure = pydicom.Dataset()
    procedure.CodeMeaning = patient.partition("^")[0]
    file = written(
        source(
            SpecificCharacterSet=characters,
            PatientName=patient,
            ProcedureCodeSequence=[procedure],
        ),
        names=[(1, "结节"), (255, "a\\b")],
    )
    read_again = segread(io.BytesIO(file))
    labels = [each.SegmentLabel for each in read_again.SegmentSequence]
    assert labels == ["结节", "a/b"]
    assert read_again.PatientName == patient
    (code,) = read_again.ProcedureCodeSequence
    assert code.CodeMeaning == procedure.CodeMeaning


def test_a_source_without_file_meta_information() -> None:
    bare = io.BytesIO()
    dataset = pydicom.dcmread(io.BytesIO(source()))
    pydicom.dcmwrite(bare, pydicom.Dataset(dataset), implicit_vr=True)
    assert segread(io.BytesIO(written(bare.getvalue()))).pixel_array.any()


def test_a_dicom_file_has_time_to_load_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds: list[int] = []

    def ask(_function: str, *given: Any, **_arguments: Any) -> dict[str, bytes]:
        seconds.extend(given[2:])
        return {"file": b""}

    monkeypatch.setattr(untrusted, "ask", ask)
    names, options = dict(NAMES), DecodeOptions()
    mask_export.dicom_segmentation(MASK, names, b"", "a.dcm", options, ["unet", "1"])
    assert seconds == [sandbox.SECONDS]


def test_a_damaged_segmentation_is_said() -> None:
    with pytest.raises(ImageError, match="a.dcm cannot be read: this DICOM segmenta"):
        segmentation.segment_numbers(written(source())[:900], "a.dcm")


def test_an_image_in_place_of_a_segmentation_is_said() -> None:
    with pytest.raises(ImageError, match=r"a.dcm is no mask: this DICOM file \(CT\)"):
        segmentation.segment_numbers(source(), "a.dcm")


def another_kind(kind: str, planes: np.ndarray) -> bytes:
    """The segmentation of another type, by highdicom itself."""
    data = pydicom.dcmread(io.BytesIO(source()))
    made = Segmentation(
        [data],
        planes,
        kind,
        segmentation._descriptions(NAMES, ["unet", "1"]),
        series_instance_uid="1.2.3.8",
        series_number=2,
        sop_instance_uid="1.2.3.8.1",
        instance_number=1,
        manufacturer="Other",
        manufacturer_model_name="Other",
        software_versions="1",
        device_serial_number="1",
    )
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()


def test_half_of_a_fractional_segment_is_its_edge() -> None:
    shares = np.zeros((1, 16, 20, 2), np.float32)
    shares[0, 3:7, 4:9, 0], shares[0, 2, 4:9, 0] = 1.0, 0.3
    shares[0, 9:14, 11:17, 1], shares[0, 9:14, 17, 1] = 0.8, 0.49
    values = segmentation.segment_numbers(another_kind("FRACTIONAL", shares), "a.dcm")
    expected = np.array([0, 1, 2])[np.searchsorted([0, 1, 255], MASK)]
    assert np.array_equal(values, expected)


def test_a_label_map_holds_the_numbers_of_segments() -> None:
    numbers = np.array([0, 1, 2], np.uint8)[np.searchsorted([0, 1, 255], MASK)]
    file = another_kind("LABELMAP", numbers[None])
    assert np.array_equal(segmentation.segment_numbers(file, "a.dcm"), numbers)
