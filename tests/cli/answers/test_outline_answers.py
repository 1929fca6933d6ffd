"""`medmodel predict` with a segmentation: outlines counted and written as masks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmodel import predictor
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.segmented_run import STRANGE, BrightOutliner, write_segmented_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_masked_folder(tmp_path / "data" / "discs")
    return write_segmented_run(folder, copies=1)


@pytest.fixture
def outliner(monkeypatch: pytest.MonkeyPatch) -> BrightOutliner:
    """In place of the predictor's process."""
    stub = BrightOutliner()
    monkeypatch.setattr(predictor, "Predictor", lambda stderr: stub)
    return stub


def image_of(run: Run) -> Path:
    """A test image with a disc."""
    return Path(run.config.dataset) / "images" / "p05.png"


@pytest.mark.usefixtures("outliner")
def test_predict_counts_and_writes_the_mask(
    run: Run, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    values = json_of("predict", run.id, image_of(run), "--masks", tmp_path)
    (image,) = values["images"]
    mask = np.asarray(Image.open(image["mask"]))
    assert Path(image["mask"]) == tmp_path / "p05.png_mask.png"
    assert set(np.unique(mask)) == {0, 255}
    assert image["pixels"] == {"lesion": int((mask == 255).sum())}
    assert image["regions"]["lesion"] >= 1
    assert (image["unlike_training"], image["withheld"]) == (False, None)


@pytest.mark.usefixtures("outliner")
def test_masks_of_images_of_one_name_do_not_replace_each_other(
    run: Run, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    names = "one/a.png", "two/a.png", "three/A.png", "four/a.png_2"
    images = [tmp_path / name for name in names]
    for image in images:
        image.parent.mkdir()
        shutil.copyfile(image_of(run), image)
    answers = json_of("predict", run.id, *images, "--masks", tmp_path)["images"]
    written = [Path(answer["mask"]).name for answer in answers]
    assert written == [
        "a.png_mask.png",
        "a.png_2_mask.png",
        "A.png_3_mask.png",
        "a.png_2_2_mask.png",
    ]
    assert all((tmp_path / name).exists() for name in written)


def test_predict_holds_back_on_strangers(
    run: Run, outliner: BrightOutliner, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    outliner.ood = STRANGE
    image = image_of(run)
    (answer,) = json_of("predict", run.id, image, "--masks", tmp_path)["images"]
    assert answer["unlike_training"] is True
    assert (answer["pixels"], answer["mask"]) == (None, None)
    assert "do not rely on its outlines" in answer["withheld"]
    assert not list(tmp_path.glob("*_mask.png"))
    (answer,) = json_of("predict", run.id, image, "--anyway")["images"]
    assert answer["pixels"]["lesion"] > 0


@pytest.mark.usefixtures("outliner")
def test_predict_names_what_cannot_be_read(
    run: Run, invoke: Invoke, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    result = invoke("predict", run.id, broken, image_of(run), status=1)
    assert "broken.png" in result.stderr
    assert "pixels in" in result.stdout
