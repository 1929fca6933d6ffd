"""Small data sets whose files hold several pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image

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


def draw_series(folder: Path) -> Path:
    """Two classes of eight volumes; two of `dark` are series of three and of five."""
    random = np.random.default_rng(2)
    for label in ("dark", "light"):
        place = folder / label
        place.mkdir(parents=True)
        for number in range(8):
            shape = (32, 30, 6, 3 + 2 * number) if number < 2 else (32, 30, 6)
            shape = shape if label == "dark" else shape[:3]
            values = random.normal(500, 90, shape).astype(np.float32)
            image = nibabel.Nifti1Image(values, np.eye(4))
            (place / f"{number}.nii").write_bytes(image.to_bytes())
    return folder


def draw_stacks(folder: Path, count: int = 1) -> Path:
    """Two classes: TIFFs of five pages, GIFs of four frames, PNGs, `count` of each."""
    random = np.random.default_rng(1)
    for label in ("dark", "light"):
        place = folder / label
        place.mkdir(parents=True)
        for number in range(count):
            values = random.integers(0, 250, (10, 24, 24), np.uint8)
            page, *pages = [Image.fromarray(value) for value in values]
            all_of: dict[str, Any] = {"save_all": True, "append_images": pages[:4]}
            page.save(place / f"stack{number}.tif", **all_of)
            all_of["append_images"] = pages[5:8]
            pages[4].save(place / f"loop{number}.gif", **all_of)
            pages[8].save(place / f"one{number}.png")
    return folder
