"""Every page with a segmentation: it works there, or a sentence says it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.errors import RunError
from medmodel.predictor import Predictor
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from pages._shared.common.model_choice import model_label
from pages._shared.evaluation.segmentation_view import all_metrics
from pages._shared.prediction import prediction_cache, segmentation_answer
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said
from tests.segmented_run import STRANGE, BrightOutliner, write_segmented_run


@pytest.fixture
def outliner(monkeypatch: pytest.MonkeyPatch) -> BrightOutliner:
    stub = BrightOutliner()
    monkeypatch.setattr(segmentation_answer, "shared", lambda: stub)
    monkeypatch.setattr(prediction_cache, "shared", lambda: stub)
    return stub


@pytest.fixture
def run(tmp_path: Path, outliner: BrightOutliner) -> Run:
    return write_segmented_run(draw_masked_folder(tmp_path / "data" / "discs"))


def opened(path: str, run: Run, **address: str) -> AppTest:
    app = open_page(path, run=run.id, **address)
    assert not app.exception
    return app


def test_evaluate_shows_numbers_and_the_worst_images(run: Run) -> None:
    app = opened("results/evaluate.py", run)
    text = said(app)
    assert "6 test images; 6 of them hold the class lesion" in text
    (table, *_) = app.dataframe
    titles = list(table.value["Metric"])
    assert titles[0] == "Dice"
    assert "HD95" in titles[4]
    assert titles[4].endswith("pixels")
    assert "too few" in table.value["95 % interval"].iloc[0]
    assert "Worst test images" in [header.value for header in app.subheader]
    assert not app.error


def test_copies_do_not_count_and_stand_beside(
    tmp_path: Path, outliner: BrightOutliner
) -> None:
    folder = draw_masked_folder(tmp_path / "data" / "discs")
    run = write_segmented_run(folder, copies=1)
    app = opened("results/evaluate.py", run)
    text = said(app)
    sentence = (
        "1 of 6 test images is a copy of training or validation images (1 identical): "
        "the numbers are of the other 5."
    )
    assert sentence in text
    assert "5 test images; 5 of them hold the class lesion" in text
    assert list(app.dataframe[0].value["Value"])[0] == "0.675"
    assert "With the copies (n = 6 images): mean Dice of lesion 0.650" in text
    table = all_metrics(run)
    assert table["value"][0] == pytest.approx(0.675)
    assert table["value_with_copies"][0] == pytest.approx(0.65)
    assert list(table["n_images_with_copies"])[0] == 6
    assert set(table["copies_in_the_test"]) == {sentence}
    for page in ("models/runs.py", "results/diagnose.py"):
        text = said(opened_at_last(page, run))
        assert "mean Dice of lesion 0.675" in text
        assert sentence in text


def test_what_is_known_of_copies_is_said(run: Run) -> None:
    text = said(opened("results/evaluate.py", run))
    assert "No copy of a training or validation image was found" in text
    assert "Split by **patient**" in text
    assert "Only 6 patients: too few for intervals" in text


def answers(app: AppTest) -> str:
    """The large sentences."""
    return " ".join(str(e.proto.body) for e in app.get("html"))


def opened_at_last(path: str, run: Run) -> AppTest:
    """A page behind the question whether the user understands."""
    app = opened(path, run)
    labels = [b.label for b in app.button if "understand" in b.label.lower()]
    return press(app, labels[0]) if labels else app


def test_an_image_unlike_the_training_data_is_not_outlined(
    run: Run, outliner: BrightOutliner
) -> None:
    outliner.ood = STRANGE
    app = opened_at_last("results/diagnose.py", run)
    press(app, "Try 3 images from this run's test split")
    assert "Unlike the training data: no outline is shown." in answers(app)
    assert "about 5 % (95 % interval 2 % to 8 %)" in said(app)
    assert not app.dataframe
    assert "PNG" not in [button.label for button in app.get("download_button")]
    press(app, "Show outline anyway")
    assert list(app.dataframe[0].value["Class"]) == ["lesion"]
    assert "Unlike the training data" in answers(app)
    assert "no outline is shown" not in str(answers(app))


def test_a_run_of_an_earlier_version_is_said_to_know_no_strangers(
    run: Run, outliner: BrightOutliner
) -> None:
    outliner.ood = None
    app = opened_at_last("results/diagnose.py", run)
    press(app, "Try 3 images from this run's test split")
    assert "the run has no reference.npz" in said(app)
    assert len(app.dataframe) == 1


def test_diagnose_outlines_and_measures(run: Run) -> None:
    app = opened_at_last("results/diagnose.py", run)
    assert "mean Dice of lesion" in said(app)
    press(app, "Try 3 images from this run's test split")
    assert "It resembles the training data." in said(app)
    (table, *_) = app.dataframe
    assert list(table.value["Class"]) == ["lesion"]
    area = float(table.value.iloc[0, 1])
    assert 140 <= area <= 165  # a disc of radius 7
    longest, perpendicular = map(float, table.value.iloc[0, 2].split(" × "))
    assert 13 < perpendicular <= longest < 17
    assert "1 region (lesion): area 1" in said(app).replace("\\", "")
    assert "Values in the mask: 0 background, 255 lesion." in said(app).replace(
        "\\", ""
    )
    assert not app.error


@pytest.mark.parametrize(
    "path",
    [
        *("models/runs.py", "home/start.py", "data/datasets.py", "system/status.py"),
        *("results/compare.py", "results/read.py", "results/follow_up.py"),
        *("learn/network.py", "presenter/present.py", "models/train.py"),
    ],
)
def test_no_page_breaks(run: Run, path: str) -> None:
    app = opened(path, run)
    assert not [e.value for e in app.error if "Traceback" in e.value]


@pytest.mark.parametrize("step", ["data", "train", "curves", "diagnose", "compare"])
def test_no_step_of_the_presentation_breaks(run: Run, step: str) -> None:
    opened("presenter/present.py", run, step=step, dataset=run.config.dataset)


def test_the_list_of_runs_shows_dice(run: Run) -> None:
    app = open_page("models/runs.py")
    assert list(app.dataframe[0].value["Val. Dice"]) == [0.6]


def test_the_page_of_the_run_says_how_good_it_is(run: Run) -> None:
    app = opened("models/runs.py", run)
    assert "mean Dice of lesion" in said(app)
    assert "Diagnose with this model" in [button.label for button in app.button]


def test_evaluate_offers_documents_and_formats(run: Run) -> None:
    app = opened("results/evaluate.py", run, view="Export")
    labels = [button.label for button in app.get("download_button")]
    for label in ("One page (PDF)", "Everything (HTML)", "Download the model card"):
        assert label in labels
    assert "Export as ONNX" in [button.label for button in app.button]
    assert "every class's probability in every pixel" in said(app)


def test_evaluate_offers_a_test_elsewhere(run: Run, tmp_path: Path) -> None:
    draw_masked_folder(tmp_path / "data" / "elsewhere", images=2)
    app = opened("results/evaluate.py", run, view="External test")
    (button,) = (b for b in app.button if b.label == "Test it there")
    assert not button.disabled
    draw_class_folders(tmp_path / "data" / "a classes")
    app = opened("results/evaluate.py", run, view="External test")
    app.selectbox(key=f"folder-there-{run.id}").select_index(0).run()
    (button,) = (b for b in app.button if b.label == "Test it there")
    assert button.disabled
    assert "It has no segmentation masks" in said(app)


def test_two_segmentations_are_compared(run: Run) -> None:
    other = write_segmented_run(Path(run.config.dataset), worse=0.1)
    app = open_page("results/compare.py", runs=f"{run.id},{other.id}")
    assert not app.error
    assert "too few (6 patients) to tell them apart" in answers(app)
    text = said(app)
    assert "6 test images are common to all, 6 of them hold the class" in text
    assert "Where they disagree most" in text
    pairs, numbers = (table.value for table in app.dataframe[:2])
    assert pairs["Difference in Dice (95 % interval)"][0].startswith("0.100")
    assert list(numbers["Metric"])[0] == "Dice"
    assert len(app.get("image")) == 8


def test_a_segmentation_beside_a_classifier_is_said_to_be_that(
    run: Run, tmp_path: Path
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "easy")
    other = write_finished_run(folder, "classifier")
    app = open_page("results/compare.py", runs=f"{run.id},{other.id}")
    (error,) = app.error
    assert "outlines each pixel and is measured by Dice, classifier" in error.value
    assert not app.dataframe


def test_compare_offers_what_is_of_one_kind(run: Run, tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "easy")
    write_finished_run(folder, "classifier")
    other = write_segmented_run(Path(run.config.dataset))
    app = open_page("results/compare.py", runs=run.id)
    options = app.multiselect(key="models").options
    assert len(options) == 2
    assert not any("easy" in option for option in options)
    entries = {e.run.id: e for e in run_index.entries(RunStore())}
    assert "test Dice 0.650 (6 images)" in model_label(entries[other.id])


def test_train_offers_no_recipes_to_compare_on_masks(run: Run) -> None:
    app = open_page("models/train.py", dataset=run.config.dataset)
    assert app.radio[0].value == "segmentation"
    assert not any("recommended" in option for option in app.radio[0].options)
    links = [link.proto.label for link in app.get("page_link")]
    assert "Compare all recipes on this data" not in links


def test_what_is_for_classifications_says_so(run: Run) -> None:
    with pytest.raises(RunError, match="is a segmentation: this is for models"):
        read_predictions(run)
    said_so = "is a segmentation: this is for models"
    with pytest.raises(RunError, match=said_so):
        Predictor().ask(run.id, np.zeros((1, 40, 40, 3), np.uint8))
    app = open_page("learn/network.py", run=run.id)
    assert "is a segmentation" in " ".join(e.value for e in app.error) or (
        "No model" in said(app)
    )
