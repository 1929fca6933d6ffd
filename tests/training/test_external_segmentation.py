"""A segmentation tested on another folder's images and masks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.core.errors import DataError
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation import external_validation
from medmodel.networks.unet import build_unet
from medmodel.runs import queue, run_index
from medmodel.runs.copies import copies_of
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts, RunStatus
from medmodel.runs.tables.segmentation import read_segmentation
from medmodel.runs.tables.split import read_split
from medmodel.training import external_run
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.segmented_run import write_segmented_run


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    run = write_segmented_run(draw_masked_folder(tmp_path / "data" / "own"))
    preprocessing = Preprocessing(32, colour="grey")
    net = build_unet("compact_unet", preprocessing, 2)
    net.get_layer("probabilities").bias.assign([0.0, 0.0])
    net.save(run.model_path)
    names = ["background", "lesion"]
    run.write_model_facts(ModelFacts(names, preprocessing, [], 9, [0, 255]))
    return run


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Other images, whose masks hold 1 in place of 255."""
    folder = draw_masked_folder(tmp_path / "data" / "there", images=5, seed=4)
    for path in (folder / "masks").iterdir():
        mask = np.asarray(Image.open(path)) // 255
        Image.fromarray(mask).save(path)
    return folder


def outcome_of(model: Run, folder: Path) -> Run:
    run = external_validation.submit(model, folder, {}, RunStore())
    with StatusWriter(run) as reporter:
        assert external_run.test(run, reporter) is RunStatus.DONE
        reporter.close(state=RunStatus.DONE)
    return run


def test_every_image_there_is_outlined(model: Run, there: Path) -> None:
    run = outcome_of(model, there)
    table = read_segmentation(run)
    assert list(table["path"]) == [f"images/p0{n}.png" for n in range(5)]
    assert set(table["split"]) == {"test"}
    assert list(table["area"] > 0) == [False, True, True, True, False]
    assert run.model_path.read_bytes() == model.model_path.read_bytes()
    assert set(read_split(run)["split"]) == {"test"}
    entry = {e.run.id: e for e in run_index.entries(RunStore())}[run.id]
    assert entry.test_of == model.id
    assert entry.test_dice == pytest.approx(table["dice"].mean())
    assert entry.test_images == 3
    assert entry.test_accuracy is None


def test_copies_of_the_models_own_images_are_counted(model: Run, there: Path) -> None:
    own = Path(model.config.dataset)
    for kind in ("images", "masks"):
        shutil.copyfile(own / kind / "p01.png", there / kind / "p09.png")
    mask = np.asarray(Image.open(there / "masks" / "p09.png")) // 255
    Image.fromarray(mask).save(there / "masks" / "p09.png")
    run = outcome_of(model, there)
    copies = copies_of(run)
    assert (copies.images, copies.external) == (6, True)
    assert copies.identical == frozenset({"images/p09.png"})


def test_a_folder_without_masks_is_refused(model: Run, tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "classes")
    with pytest.raises(DataError, match="classes has no image with a segmentation m"):
        external_validation.submit(model, folder, {}, RunStore())
    assert len(RunStore().list()) == 1


@pytest.mark.parametrize(
    ("own", "values", "matched"),
    [
        ([0, 255], [255], [0, 255]),
        ([0, 255], [1], [0, 1]),
        ([0, 1, 2], [2], [0, 1, 2]),
        ([0, 3, 7], [3, 7], [0, 3, 7]),
    ],
)
def test_values_there_are_those_here_or_the_only_one(
    own: list[int], values: list[int], matched: list[int]
) -> None:
    assert external_validation.matching_values(own, values, Path("a")) == matched


@pytest.mark.parametrize(
    ("own", "values"), [([0, 255], [1, 2]), ([0, 1, 2], [1, 3]), ([0, 1, 2], [5])]
)
def test_values_that_are_no_class_are_named(own: list[int], values: list[int]) -> None:
    with pytest.raises(DataError, match="The masks of a hold the values .*outlines"):
        external_validation.matching_values(own, values, Path("a"))
