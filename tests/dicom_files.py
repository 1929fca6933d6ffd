"""Small DICOM files, drawn for tests."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"


def dicom_dataset(pixels: npt.NDArray[Any], **elements: Any) -> Dataset:
    """A dataset with these stored values; elements may be added or changed.

    Args:
        pixels: (height, width), (height, width, 3) or, with NumberOfFrames given,
            one dimension more in front.
        **elements: By keyword; None leaves one out.
    """
    dataset = Dataset()
    shape = pixels.shape[1:] if "NumberOfFrames" in elements else pixels.shape
    bits = 8 * pixels.dtype.itemsize
    colour = len(shape) == 3
    facts: dict[str, Any] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": "1.2.3.4.5",
        "Modality": "OT",
        "PatientName": "Tester^Tilda",
        "PatientID": "number-4711",
        "Rows": shape[0],
        "Columns": shape[1],
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    if colour:
        facts["PlanarConfiguration"] = 0
    for keyword, value in {**facts, **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    content = pixels.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def dicom_bytes(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The dataset as a file, with preamble and file meta information."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CT)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3.4.5")
    dataset.file_meta = meta
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def encapsulated_file(dataset: Dataset, syntax: str, *frames: bytes) -> bytes:
    """A file of compressed frames, whatever pydicom knows of the transfer syntax."""
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = UID(CT)
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    file = DicomBytesIO(b"\0" * 128 + b"DICM")
    file.seek(132)
    file.is_little_endian, file.is_implicit_VR = True, False
    write_file_meta_info(file, meta)
    write_dataset(file, dataset)
    return file.getvalue()


def dicom_file(pixels: npt.NDArray[Any], **elements: Any) -> bytes:
    """A file with these stored values, see `dicom_dataset`."""
    return dicom_bytes(dicom_dataset(pixels, **elements))


def ramp(dtype: str = "<i2", start: int = 0, step: int = 1) -> npt.NDArray[Any]:
    """Values start, start + step, ... in 4 rows of 4."""
    return (start + step * np.arange(16).reshape(4, 4)).astype(dtype)


def ct_slice(label: int, patient: int, **elements: Any) -> bytes:
    """A CT slice: noise in air, tissue in the middle, denser for the second class."""
    rng = np.random.default_rng([label, patient])
    pixels = rng.normal(-1000, 5, (64, 64))
    pixels[16:48, 16:48] = rng.normal(20 + 120 * label, 15, (32, 32))
    return dicom_file(pixels.astype("<i2"), Modality="CT", **elements)
