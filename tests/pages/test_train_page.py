"""The Train page: one press, or every setting, and wrong values told."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.config import config_for
from medmodel.core.processes import background
from medmodel.core.samples import Slicing
from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.settings.recipes import RECIPES
from medmodel.core.storage import write_json
from medmodel.data import curation, datasets, synthetic
from medmodel.data.curation import Action
from medmodel.data.synthetic import SAMPLE_NAME, SEGMENTATION_NAME
from medmodel.language import speaking
from medmodel.quality import indexing, report_store
from medmodel.runs import queue
from medmodel.runs.rate_tests.curve import RATES, RateTest
from medmodel.runs.rate_tests.job import rate_test_store
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.sweeps.sweep import list_sweeps
from pages._shared.training import encoder_choice
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.encoder_files import write_encoder
from tests.findings_folder import draw_findings_folder
from tests.pages.page import field, labels, open_page, press, said
from tests.volumes import draw_volumes


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)


def opened(**address: str) -> AppTest:
    return open_page("models/train.py", **address)


def train(app: AppTest) -> Run:
    before = {run.id for run in RunStore().list()}
    press(app, "Train")
    (made,) = (run for run in RunStore().list() if run.id not in before)
    return made


def test_while_the_sample_is_drawn_the_page_says_so() -> None:
    assert "sample data set" in opened().info[0].value


def test_one_press_trains_the_default_and_goes_to_the_run(class_folders: Path) -> None:
    app = opened()
    run = train(app)
    assert run.config == config_for("instant", str(class_folders))
    assert run.status.state is RunStatus.QUEUED
    assert app.query_params["run"] == run.id
    assert app.title[0].value == "Instant on easy"


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "segmentation"])
def test_every_recipe_starts_with_valid_settings(
    class_folders: Path, recipe: str
) -> None:
    app = opened()
    app.radio[0].set_value(recipe).run()
    assert train(app).config == config_for(recipe, str(class_folders))


def test_masks_are_trained_as_a_segmentation(tmp_path: Path) -> None:
    folder = draw_masked_folder(tmp_path / "data" / "discs")
    app = opened()
    assert app.radio[0].value == "segmentation"
    assert train(app).config == config_for("segmentation", str(folder))
    app = opened()
    app.radio[0].set_value("instant").run()
    assert any("masks and no classes" in m.value for m in app.markdown)
    assert next(b for b in app.button if b.label == "Train").disabled


def test_without_masks_the_drawn_ones_are_offered(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(folder: Path) -> None:
        draw_masked_folder(folder)

    monkeypatch.setattr(synthetic, "write_masked_phantoms", draw)
    app = opened()
    app.radio[0].set_value("segmentation").run()
    assert any("has no segmentation masks" in m.value for m in app.markdown)
    press(app, SEGMENTATION_NAME)
    run = train(app)
    assert run.config.recipe == "segmentation"
    assert Path(run.config.dataset).name == SEGMENTATION_NAME


def test_the_data_set_in_the_address_is_chosen(class_folders: Path) -> None:
    other = class_folders.parent / "another one"
    class_folders.rename(other)
    draw_class_folders(class_folders)
    assert train(opened(dataset=str(other))).config.dataset == str(other)


def test_a_folder_outside_the_allowed_ones_is_refused(class_folders: Path) -> None:
    app = opened(dataset="/etc")
    assert [w.icon for w in app.warning].count(":material/folder_off:") == 1
    # Another one is trained on only where somebody chose it.
    field(app, "Data set").select(class_folders).run()
    assert train(app).config.dataset == str(class_folders)


def few(app: AppTest) -> str:
    """What is said of too few images beside the button."""
    icon = ":material/warning:"
    return " ".join(w.value for w in app.warning if w.icon == icon).replace("\\", "")


def test_few_files_are_said_before_anybody_checked(class_folders: Path) -> None:
    assert few(opened()).startswith("Only 24 files: if each holds one image, too few")
    enough = draw_class_folders(class_folders.with_name("50"), images_per_class=25)
    assert not few(opened(dataset=str(enough)))


def test_patients_of_a_table_are_said_before_the_first_check(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "seen", images_per_class=6)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    rows = [f"{name},{name.split('/')[0]},p{n % 4}" for n, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["file,label,patient", *rows]))
    app = opened(dataset=str(folder))
    assert any("4 patients in 12 files, such as " in c.value for c in app.caption)
    assert not any("patient of its own" in c.value for c in app.caption)
    assert not any(re.search(r"\bp[0-3]\b", c.value) for c in app.caption)


def test_a_class_without_test_image_is_said_before_training(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "parted"
    for split, count in (("train", 30), ("val", 2), ("test", 30)):
        draw_class_folders(folder / split, images_per_class=count, seed=count)
    shutil.rmtree(folder / "test" / "light")
    before = few(opened(dataset=str(folder)))
    indexing.check_folder(folder)
    app = opened(dataset=str(folder))
    assert few(app) == before
    assert few(app) == (
        "No test image of light: sensitivity and AUC cannot be measured there, and "
        "are left out of the means."
    )
    assert not [b for b in app.button if b.label == "Train" and b.disabled]


def test_a_data_set_that_cannot_be_split_is_said_before_training(
    tmp_path: Path,
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "tiny", images_per_class=1)
    indexing.check_folder(folder)
    assert "is too small to be split" in few(opened(dataset=str(folder)))


def test_a_wrong_value_is_told_at_its_field_and_not_trained(
    class_folders: Path,
) -> None:
    app = opened()
    field(app, "Epochs").set_value(0).run()
    told = [
        m.value for m in app.markdown if "“Epochs at most” must lie between" in m.value
    ]
    assert len(told) == 1
    button = next(b for b in app.button if b.label == "Train")
    assert button.disabled
    assert any(r"look at\: epochs" in m.value for m in app.markdown)
    field(app, "Epochs").set_value(3).run()
    assert train(app).config.epochs == 3


def test_every_setting_is_trained_as_it_is_entered(class_folders: Path) -> None:
    """Values that are neither the recipe's nor alike; of fields that may be changed."""
    entered: dict[str, tuple[str, Any]] = {
        "Network": ("model", "document_cnn"),
        "Epochs": ("epochs", 7),
        "Stop early after (epochs)": ("patience", 3),
        "Class weights": ("class_weights", False),
        "Mixup (alpha)": ("mixup", 0.2),
        "Weight averaging (EMA decay)": ("ema", 0.99),
        "Test-time augmentation": ("test_time_flips", "both"),
        "TensorBoard events": ("tensorboard", True),
        "Optimiser": ("optimizer", "sgd"),
        "Learning rate": ("learning_rate", 0.02),
        "Batch size (images per step)": ("batch_size", 9),
        "Numerical precision": ("precision", "float32"),
        "Device": ("device", "cpu"),
        "Seed": ("seed", 11),
        "Size (pixels)": ("size", 64),
        "Images that are not square": ("fit", "crop"),
        "Colour": ("colour", "rgb"),
        "Validation fraction": ("val_fraction", 0.3),
        "Test fraction": ("test_fraction", 0.25),
        "Patient ID pattern (regular expression)": ("patient_pattern", "_(.)"),
    }
    changes: dict[str, tuple[str, Any]] = {
        "Shift (fraction of the side)": ("shift", 0.11),
        "Rotation (degrees)": ("rotation", 12.0),
        "Zoom (fraction)": ("zoom", 0.13),
        "Brightness (fraction of white)": ("brightness", 0.14),
        "Contrast (fraction)": ("contrast", 0.15),
        "Horizontal flip": ("flip_horizontal", True),
        "Vertical flip": ("flip_vertical", True),
        "Corrupted training images (share)": ("corruption", 0.5),
    }
    app = opened()
    app.radio[0].set_value("compact").run()
    assert "Enhancement" not in {box.label for box in app.selectbox}
    for label, (_, value) in {**entered, **changes}.items():
        kinds = (app.number_input, app.selectbox, app.text_input, app.toggle)
        widgets = [w for kind in (*kinds, app.slider) for w in kind]
        next(w for w in widgets if w.label == label).set_value(value)
    app.run()
    augmentation = Augmentation(**dict(changes.values()))
    settings = {**dict(entered.values()), "augmentation": augmentation}
    assert train(app).config == config_for("compact", str(class_folders), **settings)


def test_folds_are_one_run_each(class_folders: Path) -> None:
    app = opened()
    field(app, "Folds (cross-validation)").set_value(3).run()
    next(b for b in app.button if b.label == "Train 3 folds").click().run()
    assert not app.exception
    found = [run.config for run in RunStore().list()]
    assert sorted((c.fold, c.folds) for c in found) == [(1, 3), (2, 3), (3, 3)]
    assert len({c.seed for c in found}) == 1


def test_settings_of_an_earlier_run_are_the_start(class_folders: Path) -> None:
    earlier = RunStore().create(
        config_for("compact", str(class_folders), epochs=7, seed=5, name="first")
    )
    config = train(opened(like=earlier.id, dataset=str(class_folders))).config
    assert (config.recipe, config.epochs, config.seed) == ("compact", 7, 5)
    assert config.name == ""


def test_patients_found_by_a_pattern_are_counted(class_folders: Path) -> None:
    app = opened()
    label = "Patient ID pattern (regular expression)"
    field(app, label).set_value(r"(dark|light)_").run()
    assert any("2 patients in 24 files" in c.value for c in app.caption)
    field(app, label).set_value("(").run()
    assert any("Not a regular expression" in m.value for m in app.markdown)


def test_patients_are_counted_in_slices_and_from_headers(tmp_path: Path) -> None:
    """Files are counted only while nobody has looked into them."""
    folder = draw_volumes(tmp_path / "data" / "vols", count=4)
    label = "Patient ID pattern (regular expression)"
    app = opened(dataset=str(folder))
    assert any("Each of the 12 files counts as" in c.value for c in app.caption)
    slices = Slicing("every", step=3, frames="every", frame_step=2).to_json()
    curation.add(datasets.index_folder(folder), Action("slices", "", slicing=slices))
    indexing.check_folder(folder)
    app = opened(dataset=str(folder))
    # 8 volumes of three slices, each a patient; 4 DICOM files of two frames.
    assert any("12 patients in 32 images, such as " in c.value for c in app.caption)
    field(app, label).set_value("(dark|light)/[0-9]").run()
    assert any("6 patients in 32 images" in c.value for c in app.caption)


def test_patients_in_the_names_are_found_before_anything_is_opened(
    class_folders: Path,
) -> None:
    for name in ("dark", "light"):
        for path in sorted((class_folders / name).iterdir()):
            number = int(path.stem[-3:])
            path.rename(path.with_name(f"patient{number // 3:03}_{number}.png"))
    config = train(opened()).config
    assert "patient" in config.patient_pattern


def test_before_a_run_the_sample_comes_first_and_other_folders_after(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch, workspace: Path
) -> None:
    """Start says that the sample is ready, whatever MEDMODEL_DATA says."""
    monkeypatch.setenv("MEDMODEL_DATA", str(class_folders.parent))
    sample = draw_class_folders(workspace / "datasets" / SAMPLE_NAME)
    assert train(opened()).config.dataset == str(sample)


def test_folders_that_are_no_data_sets_are_not_offered(class_folders: Path) -> None:
    (class_folders.parent / "empty").mkdir()
    (class_folders.parent / "one class" / "dark").mkdir(parents=True)
    shutil.copy(next(class_folders.glob("dark/*")), class_folders.parent / "one class")
    box = next(b for b in opened().selectbox if b.label == "Data set")
    assert box.options == [class_folders.name]


def test_classes_are_counted_and_imbalance_is_said(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "even", images_per_class=12)
    said = " ".join(c.value for c in opened(dataset=str(folder)).caption)
    assert "Imbalanced" not in said and "Not checked yet" in said
    skewed = draw_class_folders(folder.with_name("skewed"), images_per_class=12)
    for path in sorted((skewed / "light").iterdir())[4:]:
        path.unlink()
    app = opened(dataset=str(skewed))
    table = app.dataframe[0].value
    assert table.to_numpy().tolist() == [["dark", 12], ["light", 4]]
    said = " ".join(c.value for c in app.caption)
    assert "dark has 3 times as many files as light. Class weights are on." in said
    field(app, "Class weights").set_value(False).run()
    said = " ".join(c.value for c in app.caption)
    assert "Class weights are off." in said


def test_a_leak_is_told_beside_the_button(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "leaking"
    for split in ("train", "val", "test"):
        draw_class_folders(folder / split, images_per_class=6, seed=0)
    indexing.check_folder(folder)
    report = report_store.load_report(folder)
    assert report is not None and report.level == "problem"
    app = opened(dataset=str(folder))
    assert any(w.icon == ":material/report:" for w in app.warning)
    assert list(app.dataframe[0].value)[1] == "Images"


def test_the_expected_time_comes_from_earlier_runs(class_folders: Path) -> None:
    def expected() -> str:
        return next(m.value for m in opened().markdown if "schedule" in m.value)

    assert "a guess before the first run" in expected()
    pilot = "trying-efficientnet_lite0"
    speeds = {pilot: 0.0, f"{pilot} start": 6600.0}
    RunStore().root.mkdir(parents=True, exist_ok=True)
    (RunStore().root / "speeds.json").write_text(json.dumps(speeds))
    assert "About **1 h 50 min**" in expected() and "earlier runs" in expected()


def test_a_folder_without_classes_is_told(class_folders: Path) -> None:
    empty = class_folders.parent / "empty"
    empty.mkdir()
    app = opened(dataset=str(empty))
    assert any("no two class folders" in m.value for m in app.markdown)
    assert next(b for b in app.button if b.label == "Train").disabled


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDMODEL_WEIGHTS", str(tmp_path / "weights"))
    encoder_choice.encoders_of.clear()
    return tmp_path / "weights"


def test_an_encoder_of_the_weights_folder_is_trained_on(
    class_folders: Path, weights: Path
) -> None:
    write_encoder(weights, "own", resize="crop")
    write_encoder(weights, "away").unlink()
    app = opened()
    choice = field(app, "Features from")
    assert choice.options == [
        "EfficientNet-Lite0, pretrained on ImageNet, offline",
        "EfficientNet-Lite0 and -Lite2 together, pretrained on ImageNet, offline",
        "OWN (weights folder, 32 px)",
    ]
    assert "The file away.onnx of the encoder AWAY is not in" in said(app)
    choice.set_value("own").run()
    config = train(app).config
    assert config == config_for(
        "instant", str(class_folders), model="encoder:own", fit="crop"
    )
    # Its settings lead back to it, and say so where it is gone.
    (run,) = RunStore().list()
    assert field(opened(like=run.id), "Features from").value == "own"
    for path in weights.iterdir():
        path.unlink()
    encoder_choice.encoders_of.clear()
    app = opened(like=run.id)
    assert "The encoder own of that run is not in the weights folder" in said(app)
    assert train(app).config.model == "efficientnet_lite0"


def test_what_is_wrong_with_an_encoder_is_kept_for_every_language(
    weights: Path,
) -> None:
    write_encoder(weights, "away").unlink()
    with speaking("zh_Hans"):
        (entry,) = encoder_choice.encoders_of(str(weights))
    assert entry.problem.startswith("The file away.onnx")


def test_other_recipes_ask_for_no_encoder(class_folders: Path, weights: Path) -> None:
    write_encoder(weights, "own")
    app = opened()
    app.radio[0].set_value("compact").run()
    assert "Features from" not in [box.label for box in app.selectbox]


def test_a_learning_rate_is_looked_for_and_taken(class_folders: Path) -> None:
    app = opened()
    assert "Find a learning rate" not in labels(app)
    app.radio[0].set_value("compact").run()
    field(app, "Epochs").set_value(7).run()
    press(app, "Find a learning rate")
    (test,) = rate_test_store().list()
    assert test.config.model == "compact_resnet"
    assert "Waiting for its turn." in said(app) and "Stop the search" in labels(app)
    losses = np.linspace(2, 1, 60).tolist()
    write_json(test.folder / "rates.json", RateTest(RATES[:60], losses, 0.00123))
    test.write_status(replace(test.status, state=RunStatus.DONE))
    app.run()
    assert "Suggested learning rate: **0.0012**" in said(app)
    press(app, "Use it")
    # Streamlit warns where a field has a first value and another one is set.
    assert not [w.value for w in app.warning if "default value" in w.value]
    config = train(app).config
    assert (config.learning_rate, config.epochs) == (0.0012, 7)


def test_what_a_search_ended_with_is_said(class_folders: Path) -> None:
    app = opened()
    app.radio[0].set_value("compact").run()
    press(app, "Find a learning rate")
    press(app, "Stop the search")
    (test,) = rate_test_store().list()
    assert test.status.state is RunStatus.STOPPED
    app.run()
    assert any("Stopped before it began" in error.value for error in app.error)
    test.write_status(replace(test.status, state=RunStatus.DONE))
    write_json(test.folder / "rates.json", RateTest(RATES[:20], [1.0] * 20))
    app.run()
    assert "no rate is suggested" in app.info[-1].value


def test_a_time_instead_of_settings(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)
    app = opened()
    app.radio[0].set_value("best").run()
    assert not app.exception
    app.button_group[0].set_value(2).run()
    press(app, "Train")
    (sweep,) = list_sweeps()
    assert sweep.config.minutes == 2
    assert sweep.config.base == config_for("instant", str(class_folders))
    assert app.title[0].value == "Best in 2 minutes on easy"


def test_a_time_is_not_spent_on_several_findings(tmp_path: Path) -> None:
    draw_findings_folder(tmp_path / "data" / "findings")
    app = opened(dataset=str(tmp_path / "data" / "findings"))
    app.radio[0].set_value("best").run()
    assert "several findings on one image" in app.error[0].value
    assert next(b for b in app.button if b.label == "Train").disabled
