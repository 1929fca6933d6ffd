"""A small data set of volumes and of DICOM files with several frames."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from tests.dicom_files import dicom_file


def draw_volumes(folder: Path, count: int) -> Path:
    """Two classes, in each `count` volumes and two DICOM files with four frames.

    Volumes have 16 x 20 x 12 voxels; the two slices at either end are empty. One of
    the DICOM files has a name like a sample's.
    """
    random = np.random.default_rng(0)
    for label, level in {"dark": 200, "light": 900}.items():
        place = folder / label
        place.mkdir(parents=True)
        for number in range(count):
            values = random.normal(level, 60, (16, 20, 12)).astype(np.float32)
            values[:4, :4] = 2000  # the same brightest place in all
            values[..., :2] = values[..., -2:] = 0
            image = nibabel.Nifti1Image(values, np.eye(4))
            (place / f"{number}.nii").write_bytes(image.to_bytes())
        for name in ("echo.dcm", "echo.dcm#frame=2"):
            frames = random.integers(0, level, (4, 16, 16), np.uint16)
            patient = {"PatientID": f"{label}-{name}", "NumberOfFrames": 4}
            (place / name).write_bytes(dicom_file(frames, **patient))
    return folder
