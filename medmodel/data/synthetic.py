"""A small, plainly synthetic data set: chest-CT-like phantoms with known nodules.

For a first try on a fresh machine, and for tests that need ground truth. Everything is
drawn: no image comes from a person, and nothing learnt from them is of medical use.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from medmodel.core.environment import workspace_root
from medmodel.data.phantoms import (
    another_slice,
    draw_body,
    draw_phantom,
    draw_phantom_and_mask,
    place_lesions,
)
from medmodel.runs import trash

CLASSES = ("Ground glass", "No nodule", "One nodule", "Several nodules")
TRUTH = "truth.csv"
SAMPLE_NAME = "Sample CT phantoms"
SEGMENTATION_NAME = "Sample CT nodules with masks"
FINDINGS_NAME = "Sample CT with two findings"
FINDINGS = ("Nodule", "Ground glass")


def write_phantoms(
    folder: Path, patients_per_class: int = 30, slices: int = 4, seed: int = 0
) -> None:
    """Draws class folders of 224 x 224 grey PNG and truth.csv.

    truth.csv has one row per lesion: `path`, `patient`, `x_px`, `y_px` (centre, from
    the top left corner), `diameter_mm`, `mm_per_px`.

    Args:
        folder: To be filled; made when needed.
        patients_per_class: Every patient belongs to one class.
        slices: Images per patient.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(len(CLASSES) * patients_per_class) + 1
    rows: list[list[object]] = []
    for position, number in enumerate(numbers.tolist()):
        label = CLASSES[position % len(CLASSES)]
        (folder / label).mkdir(parents=True, exist_ok=True)
        patient = f"patient{number:03}"
        body = draw_body(rng)
        lesions = place_lesions(label, body, rng)
        for part in range(1, slices + 1):
            path = f"{label}/{patient}_slice{part}.png"
            shown = [another_slice(lesion, rng) for lesion in lesions]
            image = draw_phantom(body, shown, label == "Ground glass", rng)
            Image.fromarray(image).save(folder / path, compress_level=1)
            for lesion in shown:
                diameter_mm = lesion.diameter * body.mm_per_px
                place = [f"{v:.2f}" for v in (lesion.x, lesion.y, diameter_mm)]
                rows.append([path, patient, *place, f"{body.mm_per_px:.4f}"])
    with (folder / TRUTH).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        columns = ["path", "patient", "x_px", "y_px", "diameter_mm", "mm_per_px"]
        writer.writerows([columns, *sorted(rows, key=str)])


def write_masked_phantoms(
    folder: Path, patients: int = 90, slices: int = 2, seed: int = 0
) -> None:
    """Draws images and masks of nodules, 224 x 224 grey PNG of the same names.

    A third of the patients has no nodule, a third one, a third several. In a mask 255
    is a nodule and 0 is not.

    Args:
        folder: Gets the folders images and masks.
        patients: How many there are.
        slices: Images per patient.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, position in enumerate(rng.permutation(patients).tolist(), start=1):
        label = CLASSES[1 + position % 3]
        body = draw_body(rng)
        lesions = place_lesions(label, body, rng)
        for part in range(1, slices + 1):
            name = f"patient{number:03}_slice{part}.png"
            shown = [another_slice(lesion, rng) for lesion in lesions]
            image, mask = draw_phantom_and_mask(body, shown, False, rng)
            Image.fromarray(image).save(folder / "images" / name, compress_level=1)
            values = mask.astype(np.uint8) * 255
            Image.fromarray(values).save(folder / "masks" / name)


def write_findings_phantoms(
    folder: Path, patients: int = 120, slices: int = 2, seed: int = 0
) -> None:
    """Draws images of which each shows a nodule, ground glass, both or neither.

    findings.csv names them: `file`, `patient`, and a column of 0 and 1 for each of
    `FINDINGS`. Every combination is drawn for a quarter of the patients.

    Args:
        folder: Gets the folder images of 224 x 224 grey PNG, and the table.
        patients: How many there are.
        slices: Images per patient.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = [["file", "patient", *FINDINGS]]
    for number, position in enumerate(rng.permutation(patients).tolist(), start=1):
        nodule, ground_glass = position % 2, position // 2 % 2
        body = draw_body(rng)
        nodules = place_lesions("One nodule" if nodule else "No nodule", body, rng)
        hazy = "Ground glass" if ground_glass else "No nodule"
        patches = place_lesions(hazy, body, rng)
        for part in range(1, slices + 1):
            name = f"images/patient{number:03}_slice{part}.png"
            shown = [another_slice(lesion, rng) for lesion in nodules]
            hazes = [another_slice(lesion, rng) for lesion in patches]
            image, _mask = draw_phantom_and_mask(body, shown, False, rng, hazes)
            Image.fromarray(image).save(folder / name, compress_level=1)
            rows.append([name, f"patient{number:03}", nodule, ground_glass])
    with (folder / "findings.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def ensure_sample_dataset() -> Path:
    """The sample data set in the workspace, drawn on the first call.

    It appears whole or not at all; of several processes that draw it at once, the
    first one wins.
    """
    return _drawn_once(SAMPLE_NAME, write_phantoms)


def ensure_segmentation_sample() -> Path:
    """The sample data set with masks in the workspace, drawn on the first call."""
    return _drawn_once(SEGMENTATION_NAME, write_masked_phantoms)


def ensure_findings_sample() -> Path:
    """The sample data set with several findings, drawn on the first call."""
    return _drawn_once(FINDINGS_NAME, write_findings_phantoms)


def _drawn_once(name: str, draw: Callable[[Path], None]) -> Path:
    """A drawn data set of the workspace, see `ensure_sample_dataset`."""
    folder = workspace_root() / "datasets" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".drawing-", dir=folder.parent))
    try:
        draw(hidden)
        hidden.chmod(0o755)
        hidden.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return folder


def draw_sample_unless_deleted() -> None:
    """For the start of a server: what somebody moved to the trash stays there."""
    place = f"datasets/{SAMPLE_NAME}"
    if all(item.place != place for item in trash.discarded(workspace_root())):
        ensure_sample_dataset()
