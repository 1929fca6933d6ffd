"""A segmentation from a folder of masks to a model, in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.config_problems import check_config
from medmodel.core.errors import ConfigError, DataError
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.datasets import Index, index_dataset
from medmodel.data.segmentation.prepared_masks import PreparedMasks
from medmodel.evaluation.ood.detector import FILE_NAME, OodDetector
from medmodel.inference import prediction
from medmodel.runs import run_index
from medmodel.runs.copies import copies_of, has_near_copies
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.cells import read_header
from medmodel.runs.tables.curves import read_history
from medmodel.runs.tables.segmentation import read_segmentation
from medmodel.runs.tables.split import read_split
from medmodel.training import segmentation, train
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.finished_run import create_ended
from tests.trained_run import trained


def settings(folder: Path, **changes: object) -> TrainConfig:
    tiny = {"size": 32, "epochs": 2, "precision": "float32", "colour": "grey"}
    tiny |= {"model": "compact_unet", "training": "scratch"}
    return config_for("segmentation", str(folder), **{**tiny, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_masked_folder(tmp_path / "data" / "discs")


def test_masks_are_learned_with_curves_of_loss_and_dice(folder: Path) -> None:
    run = trained(settings(folder))
    history = read_history(run)
    assert list(history["epoch"]) == [1, 2]
    assert {"loss", "dice", "val_loss", "val_dice"} < set(history)
    assert not {"accuracy", "val_accuracy"} & set(history)
    assert read_header(run.steps_path) == [*("time", "epoch", "step", "loss", "dice")]
    facts = run.model_facts
    assert facts.class_names == ["background", "lesion"]
    assert facts.mask_values == [0, 255]
    split = read_split(run)
    assert set(split["label"]) == {"background", "lesion"}
    assert set(split["split"]) == {"train", "val", "test"}
    entry = run_index.finished(RunStore(), segmentations=True)[0]
    assert entry.val_dice == history["val_dice"].iloc[entry.status.best_epoch - 1]
    assert entry.val_accuracy is None
    assert run_index.finished(RunStore()) == []
    loaded = prediction.load(run)
    assert loaded.model.output_shape == (None, 32, 32, 2)
    table = read_segmentation(run)
    judged = split[split["split"] != "train"]
    assert set(table["path"]) == set(judged["path"])
    assert set(table["class"]) == {"lesion"}
    with_disc = set(split.loc[split["label"] == "lesion", "path"])
    assert set(table.loc[table["area"] > 0, "path"]) == with_disc & set(table["path"])
    assert set(table.loc[table["area"] > 0, "area"]) <= set(range(140, 160))
    assert table["hd95_mm"].isna().all()
    detector = OodDetector.load(run.folder / FILE_NAME)
    assert detector.basis.training == int((split["split"] == "train").sum())
    assert detector.basis.validation == int((split["split"] == "val").sum())
    assert detector.grey == 1
    assert detector.smallest == 40
    assert has_near_copies(run)
    assert copies_of(run).images == int((split["split"] == "test").sum())


def test_a_stopped_run_is_tested_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_ended(settings(folder, epochs=50))
    stopped = property(lambda writer: run.model_path.exists())
    monkeypatch.setattr(StatusWriter, "stop_requested", stopped)
    with StatusWriter(run) as reporter:
        assert train.train(run, reporter) is RunStatus.STOPPED
    assert len(read_segmentation(run))
    assert (run.folder / FILE_NAME).exists()


def test_copies_of_an_image_are_one_patient_to_the_detector(folder: Path) -> None:
    index, _masks = segmentation.index_with_masks(index_dataset(folder))
    prepared = segmentation.prepare(index.folder, index.readable, Preprocessing(28))
    split = index.readable.assign(split="train", patient="")
    table = segmentation.with_splits(prepared, split).table
    assert list(table["digest"]) == list(split["digest"])


def test_a_data_set_of_masks_is_not_trained_as_classes(folder: Path) -> None:
    config = config_for("compact", str(folder))
    with pytest.raises(DataError, match="choose the recipe Segmentation"):
        trained(config)


def test_classes_without_masks_are_not_segmented(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "easy")
    with pytest.raises(DataError, match="easy has no image with a segmentation mask"):
        trained(settings(folder))


def test_classes_with_masks_can_be_segmented(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "lesions"
    for name in ("benign", "malignant"):
        draw_masked_folder(folder / name, images=3)
    index, masks = segmentation.index_with_masks(index_dataset(folder))
    assert len(index.readable) == len(masks) == 6


def test_the_recipe_wants_a_network_for_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match="a network for it: unet_lite0"):
        check_config(settings(folder, model="compact_resnet"))
    with pytest.raises(ConfigError, match="Frozen training needs"):
        check_config(replace(settings(folder), training="frozen"))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([255], ["background", "lesion"]),
        ([1, 2], ["background", "value 1", "value 2"]),
    ],
)
def test_classes_are_called_by_their_values(
    values: list[int], names: list[str]
) -> None:
    assert segmentation.class_names(values) == names


def test_images_are_labelled_by_what_their_masks_hold(folder: Path) -> None:
    index, masks = segmentation.index_with_masks(index_dataset(folder))
    prepared = segmentation.prepare(index.folder, index.readable, Preprocessing(28))
    pixels = np.zeros((12, 4, 4), np.uint8)
    pixels[1, 0, 0], pixels[2, 0, :2] = 7, (7, 9)
    names = segmentation.class_names([7, 9])
    labelled: Index = segmentation.labelled_by_masks(
        index, prepared, PreparedMasks(pixels, [7, 9]), names
    )
    assert list(labelled.readable["label"][:4]) == [
        *("background", "value 7", "value 7 + value 9", "background")
    ]
    assert len(masks) == 12


def test_the_compact_network_has_nothing_to_fine_tune(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no pretrained weights"):
        check_config(replace(settings(folder), training="fine_tune"))
