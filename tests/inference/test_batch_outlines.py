"""A batch of a segmentation: lines, masks, sizes of pixels; stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.batch import decoding, masks, results, table
from medmodel.batch.images import list_images
from medmodel.core.errors import Cancelled
from medmodel.core.job import UNATTENDED, Job
from medmodel.inference import batch_prediction
from medmodel.runs.run import Run
from tests.data.segmentation.masked_folder import draw_disc, draw_masked_folder
from tests.dicom_files import dicom_file
from tests.segmented_batch import outline_bright, work_off
from tests.segmented_run import write_segmented_run


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    folder = draw_masked_folder(tmp_path / "data" / "discs", images=5)
    run = write_segmented_run(folder)
    outline_bright(monkeypatch, run)
    return run


def test_images_are_outlined_and_masks_kept(model: Run, tmp_path: Path) -> None:
    folder = Path(model.config.dataset)
    (folder / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    disc = draw_disc((40, 30), (15, 20), 6).astype(np.uint8) * 200
    scan = dicom_file(disc, PixelSpacing=[0.5, 2.0], Modality="CT")
    (folder / "images" / "scan.dcm").write_bytes(scan)
    batch = work_off(model)
    rows: Any = results.described(batch, model).set_index("path")
    # Masks are no images; folders are no classes of pixels.
    assert len(rows) == 7 and set(rows["label"]) == {""}
    assert "broken.png" in rows.loc["images/broken.png", "problem"]
    assert np.isnan(rows.loc["images/broken.png", "pixels_lesion"])
    assert rows.loc["images/p00.png", "outlined"] == ""
    assert rows.loc["images/p01.png", "outlined"] == "lesion"
    assert 140 <= rows.loc["images/p01.png", "pixels_lesion"] <= 165
    assert np.isnan(rows.loc["images/p01.png", "area_mm2_lesion"])
    of_scan = rows.loc["images/scan.dcm"]
    assert of_scan["pixel_size_from"] == "pixel spacing"
    # Shown with square pixels: of 0.5 mm, as its rows are.
    assert of_scan["pixel_height_mm"] == pytest.approx(0.5)
    assert of_scan["area_mm2_lesion"] == pytest.approx(36 * np.pi, rel=0.1)
    places = rows.loc["images/p01.png", ["mask_start", "mask_bytes"]].astype(int)
    mask = masks.read(batch.folder, *places)
    assert (mask == 255).sum() == rows.loc["images/p01.png", "pixels_lesion"]
    assert not list(batch.folder.glob("*.part"))


def test_stopped_it_goes_on_where_it_was(
    model: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(model.config.dataset)
    images = list_images(folder, [])
    monkeypatch.setattr(decoding, "BLOCK", 4)
    monkeypatch.setattr(batch_prediction, "OUTLINED_AT_ONCE", 3)
    told: list[int] = []

    def work(name: str, job: Job) -> None:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        batch_prediction.predict_images(model, folder, images, place / table.FILE, job)

    work("whole", Job(lambda _phase, done, _total: told.append(done)))
    assert told == [0, 3, 4, 5]
    told.clear()
    with pytest.raises(Cancelled):
        job = Job(lambda _p, done, _t: told.append(done), lambda: max(told) >= 3)
        work("parts", job)
    assert len((tmp_path / "parts" / table.FILE).read_text().splitlines()) == 4
    # A mask without a line, as of a worker that is killed between the two.
    masks.append(tmp_path / "parts", [b"stray"])
    work("parts", UNATTENDED)
    whole, parts = (table.read(Run(tmp_path / name)) for name in ("whole", "parts"))
    assert whole.drop(columns="mask_start").equals(parts.drop(columns="mask_start"))
    assert kept_masks(tmp_path / "whole") == kept_masks(tmp_path / "parts")


def kept_masks(folder: Path) -> list[list[list[int]]]:
    """Of each line of a table."""
    places = table.read(Run(folder))[["mask_start", "mask_bytes"]].astype(int)
    return [masks.read(folder, *place).tolist() for place in places.to_numpy()]
