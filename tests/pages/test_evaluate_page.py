"""Evaluate: every view opens, a filter shows its images, a threshold is frozen."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medmodel.core.config import TrainConfig
from medmodel.core.processes.sandbox import MachineBusyError
from medmodel.data.datasets import index_dataset
from medmodel.evaluation import external_validation
from medmodel.evaluation.calibration import calibration_metrics, temperature_scaling
from medmodel.evaluation.decision.frozen_thresholds import (
    frozen_thresholds,
    later_choices,
)
from medmodel.evaluation.decision.positive_class import choose_positive
from medmodel.evaluation.decision.thresholds import Rule, Rules, choose_thresholds
from medmodel.evaluation.evaluation import evaluate_predictions
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.metrics import curves
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import split_predictions
from medmodel.evaluation.review import gallery
from medmodel.evaluation.review.gallery import ImageFilter
from medmodel.reports import plots
from medmodel.reports.evaluation_html import evaluation_page, model_card_html
from medmodel.reports.spreadsheet import csv_text
from medmodel.runs import queue
from medmodel.runs.copies import ExternalCopies, write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from pages._shared.common import run_cache, thumbnails
from pages._shared.common.thumbnails import small_images
from pages._shared.evaluation import metrics_view
from pages._shared.evaluation.gallery_view import CHOICE, LABEL, OF, SCORES
from pages._shared.evaluation.subgroup_view import TEXT
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said


@pytest.fixture
def run(tmp_path: Path) -> Run:
    names = ("dark", "<i>grey", "light")
    folder = draw_class_folders(tmp_path / "data" / "easy", names, 15)
    return write_finished_run(folder, "A *run*")


def opened(run: Run, view: str = "Metrics") -> AppTest:
    app = open_page("results/evaluate.py", run=run.id, view=view)
    assert not app.error
    return app


@pytest.mark.parametrize(
    "view",
    [
        "Metrics",
        "Images",
        "Curves",
        "Operating point",
        "Calibration",
        "External test",
        "Export",
    ],
)
def test_every_view_has_the_honest_frame(run: Run, view: str) -> None:
    text = said(opened(run, view))
    assert "**30 images**" in text and "patients are not known" in text
    assert "Baseline (always one of 3 classes with equally many test images" in text
    assert "Too few to tell the accuracies of two models apart: 30 images" in text


def test_copies_are_left_out_of_every_number_and_said(run: Run) -> None:
    table = read_predictions(run)
    tested = table.loc[table["split"] == "test", "path"]
    copied = set(tested.iloc[:12])
    text = said(opened(run))
    assert "is not known for this run" in text
    write_near_copies(run, copied)
    run_cache.st.cache_resource.clear()
    for view in ("Metrics", "Images", "Curves", "Calibration"):
        text = said(opened(run, view))
        assert "**18 images**" in text
        assert "12 of 30 test images are copies of training or validation" in text
        assert "With the copies (n = 30 images): accuracy" in text
    table = metrics_view.all_metrics(run)
    assert set(table["copies_in_the_test"]) == {str(run_cache.copies(run))}
    assert (table["n_images"].iloc[0], table["n_images_with_copies"].iloc[0]) == (
        18,
        30,
    )
    everything = evaluate_predictions(split_predictions(read_predictions(run), "test"))
    assert table["value_with_copies"].iloc[0] == everything.accuracy.value


def test_every_metric_of_a_class(run: Run) -> None:
    app = opened(run)
    box = next(b for b in app.selectbox if b.label == "Every metric of")
    box.set_value("light").run()
    table = app.dataframe[0].value
    found = run_cache.of_class(run, 2)
    assert list(table["Value (95 % interval)"]) == [str(e) for e in found.values()]
    assert list(table["Images"]) == [e.n for e in found.values()]


def test_filters_show_the_images_they_name(run: Run) -> None:
    app = opened(run, "Images")
    app.selectbox(LABEL).set_value("light").run()
    app.selectbox(CHOICE).set_value("dark").run()
    assert not app.exception
    wanted = ImageFilter(label="light", choice="dark")
    found = gallery.select_images(run_cache.images(run), wanted)
    count = f"{len(found)} image" + ("s" if len(found) != 1 else "")
    assert f"**{count}**" in said(app)
    closer = [b.label for b in app.button if b.label.startswith("Details")]
    assert closer == [f"Details {number + 1}" for number in range(len(found))]


def part_warning(app: AppTest) -> str:
    """What is said of numbers that rest on a part of the images; "" of all."""
    said_so = [w.value.replace("\\", "") for w in app.warning]
    return next((text for text in said_so if " images**" in text), "")


def test_so_few_images_are_said_with_the_result(run: Run) -> None:
    warnings = said(opened(run))
    assert "45 images in all: too few to learn from" in warnings
    assert "test images:" not in warnings  # 30 are enough for an interval


def test_a_part_of_the_images_has_numbers_that_say_so(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "easy"
    Image.open(folder / "light" / "light_001.png").resize((40, 50)).save(
        folder / "light" / "light_001.png"
    )
    index_dataset(folder)
    app = opened(run)
    app.text_input(TEXT).set_value("light_00").run()
    app.get("button_group")[1].set_value(["width"]).run()
    assert not app.exception
    width = next(s for s in app.slider if s.label == "Width in pixels")
    width.set_value((32.0, 35.0)).run()
    assert not app.exception
    group = Subgroup("light_00", ranges=(("width", (32.0, 35.0)),))
    part = run_cache.part_of(run, group)
    said_so = part_warning(app)
    assert f"**{len(part.truth)} of 30 images**" in said_so
    assert "Width in pixels 32 to 35" in said_so and "not a result" in said_so
    table = app.dataframe[0].value
    assert list(table["Of these images"])[0] == len(part.truth)
    assert list(table["Images"])[0] == 30
    found = evaluate_predictions(part)
    assert list(table["These images"])[0] == str(found.accuracy)
    press(app, "All images")
    assert not part_warning(app)


def shown(app: AppTest, view: str) -> str:
    app.query_params["view"] = view
    app.run()
    assert not app.exception and not app.error
    return said(app)


def test_every_view_of_images_follows_the_chosen_part(run: Run) -> None:
    app = opened(run)
    app.text_input(TEXT).set_value("_00").run()
    group = Subgroup("_00")
    part = run_cache.part_of(run, group)
    n, inside = len(part.truth), int((part.truth == 2).sum())
    app.session_state["evaluated-class"] = "light"
    curves_text = shown(app, "Curves")
    assert f"n = {inside} images of the class, {n - inside} others" in curves_text
    area = run_cache.of_class(run, 2, group)["auc"]
    assert area != run_cache.of_class(run, 2)["auc"] and f"area {area}" in curves_text
    text = shown(app, "Calibration")
    error = METRICS["calibration_error"].estimate(part)
    assert error.too_few is not None and f"calibration error {error}" in text
    assert f"validation and {n} test images" in text
    assert f"**{n} images**: patient or file name holds “_00”" in shown(app, "Images")
    assert f"**{n} of 30 images**" in part_warning(app)
    drawn = json.loads(app.get("plotly_chart")[0].proto.spec)
    found = evaluate_predictions(part)
    expected = plots.confusion_figure(found.classes, found.confusion)
    assert drawn["data"][0]["hovertext"] == list(map(list, expected.data[0].hovertext))
    # What holds for all images does not speak of a part.
    shown(app, "Operating point")
    assert not part_warning(app) and not app.text_input


def test_a_part_with_few_images_says_so(run: Run) -> None:
    app = opened(run)
    app.text_input(TEXT).set_value("light_01").run()
    n = len(run_cache.part_of(run, Subgroup("light_01")).truth)
    app.session_state["evaluated-class"] = "light"
    shown(app, "Curves")
    assert f"of light: {n}, of other classes: 0; " in app.info[0].value
    shown(app, "Calibration")
    assert "Too few to tell whether scores mean what they say" in app.info[0].value
    app.text_input(TEXT).set_value("no such image").run()
    assert "No test image is like this" in app.info[0].value
    assert not app.get("plotly_chart")


def test_a_bar_of_the_histogram_opens_its_images(run: Run) -> None:
    spread = curves.score_histogram(run_cache.split(run), 2)
    for inside, counts in ((True, spread.inside), (False, spread.outside)):
        at = int(np.argmax(counts))
        low, high = (
            round(100 * spread.edges[at], 1),
            round(100 * spread.edges[at + 1], 1),
        )
        app = opened(run, "Curves")
        app.session_state[LABEL] = "light" if inside else "≠ light"
        app.session_state[OF] = "light"
        app.session_state[SCORES] = (low, high)
        app.session_state["evaluated-class"] = "light"
        app.session_state["clicked-bar"] = (run.id, 2)
        app.run()
        assert not app.exception
        count = f"{counts[at]} image" + ("s" if counts[at] != 1 else "")
        assert f"**{count}**" in said(app)


def test_calibration_of_one_class(run: Run) -> None:
    app = opened(run, "Calibration")
    app.selectbox("calibration-of").set_value("light").run()
    assert not app.exception
    error = calibration_metrics.calibration_error(run_cache.split(run), 2)
    assert str(error) in said(app)


def test_a_threshold_is_frozen_before_test_images_are_shown(run: Run) -> None:
    app = opened(run, "Operating point")
    assert "Per 1,000" not in said(app)
    assert frozen_thresholds(run) is None
    press(app, "Lock threshold and show test results")
    frozen = frozen_thresholds(run)
    assert frozen is not None and str(frozen[0]).startswith("largest sum")
    text = said(app)
    assert "Exploratory" in text and "Enter the prevalence" in text
    prevalence = next(n for n in app.number_input if n.label.startswith("Of 100"))
    prevalence.set_value(20.0).run()
    assert "Per 1,000 patients like these" in said(app)
    press(app, "Keep it as a later choice")
    assert frozen_thresholds(run) == frozen and len(later_choices(run)) == 1
    assert "Chosen again, after the test images had been seen" in said(app)
    explored = next(s for s in app.slider if s.label.startswith("Threshold for"))
    explored.set_value(0.9).run()
    assert frozen_thresholds(run) == frozen
    later = (run.folder / "thresholds.json").stat().st_mtime + 5
    os.utime(run.folder / "predictions.csv", (later, later))
    assert frozen_thresholds(run) is None


def test_each_class_may_have_its_own_rule(run: Run) -> None:
    app = opened(run, "Operating point")
    app.toggle("rule-apart").set_value(True).run()
    app.selectbox("rule-light").set_value("cost").run()
    app.number_input("rule-cost-light").set_value(20.0).run()
    press(app, "Lock threshold and show test results")
    frozen = frozen_thresholds(run)
    assert frozen is not None
    rules = Rules(
        (("<i>grey", Rule()), ("dark", Rule()), ("light", Rule("cost", 20.0)))
    )
    assert frozen == (rules, choose_thresholds(run_cache.predictions(run), rules))


def test_a_temperature_is_stored_beside_the_model(run: Run) -> None:
    app = opened(run, "Calibration")
    press(app, "Store the temperature with the model")
    stored = temperature_scaling.stored_temperature(run)
    expected = temperature_scaling.fit_temperature(
        split_predictions(run_cache.predictions(run), "val")
    )
    assert stored == expected
    assert any("Stored" in s.value for s in app.success)
    # A model that is trained on is another one.
    later = (run.folder / "calibration.json").stat().st_mtime + 5
    os.utime(run.model_path, (later, later))
    assert temperature_scaling.stored_temperature(run) is None


def test_images_that_are_gone_are_told_one_by_one(run: Run, tmp_path: Path) -> None:
    path = str(run_cache.images(run)["path"][0])
    (tmp_path / "data" / "easy" / path).unlink()
    gone, there = small_images(run, [path, str(run_cache.images(run)["path"][1])])
    assert isinstance(gone, str) and "not in the data set any more" in gone
    assert isinstance(there, bytes) and there.startswith(b"\x89PNG")
    (tmp_path / "secret.png").write_bytes(there)
    outside = small_images(run, ["../../secret.png"])[0]
    assert isinstance(outside, str) and "outside the folders" in outside


def test_under_an_image_a_busy_machine_has_few_words(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> bytes:
        raise MachineBusyError("x.png was not read within 8 s, as the machine is busy.")

    monkeypatch.setattr(thumbnails, "_small_image", busy)
    shown = small_images(run, list(run_cache.images(run)["path"][:2]))
    assert shown == ["Not read in time: the machine is busy."] * 2


def test_other_seeds_are_trained_and_their_spread_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainConfig] = []

    def submit(config: TrainConfig, store: RunStore) -> Run:
        asked.append(config)
        folder = Path(config.dataset)
        return write_finished_run(folder, config.name, seed=config.seed)

    monkeypatch.setattr(queue, "submit", submit)
    app = opened(run)
    assert "Trained once so far" in said(app)
    press(app, "Train them")
    assert [config.seed for config in asked] == [1, 2, 3]
    assert "Trained with 4 seeds" in said(app)


def test_an_external_test_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("dark", "<i>grey", "light")
    there = draw_class_folders(tmp_path / "data" / "there", names, 4, seed=5)
    mapping = {"dark": "dark", "<i>grey": "light", "light": "light"}
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    made = external_validation.submit(run, there, mapping, RunStore())
    app = opened(run, "External test")
    assert "Waiting, submitted just now" in said(app)
    press(app, "Stop")
    assert made.status.state is RunStatus.STOPPED
    rows = external_validation.external_images(index_dataset(there), made, run)
    external_validation.write_external_test(
        made, run, rows, np.tile([0.2, 0.5, 0.3], (12, 1)), ExternalCopies([], [])
    )
    made.write_status(replace(made.status, state=RunStatus.DONE))
    text = said(opened(made))
    assert "counts as light" in text
    assert "**12 images** of an **external** data set, there" in text
    assert "No copy of an image of the model's own data set was found" in text
    assert opened(run).selectbox[0].options == opened(made).selectbox[0].options
    accuracy = run_cache.evaluation(made).accuracy
    text = said(opened(run, "External test")).replace("\\", "")
    assert f"Accuracy {accuracy}, n = 12 images" in text
    app = opened(made, "External test")
    press(app, r"Evaluate A \*run\*")
    assert "**30 images** of the test split" in said(app)


def test_no_table_smuggles_a_formula() -> None:
    table = pd.DataFrame({"=class": ["=1+1", "a"], "n": [-1.5, 2.0]})
    lines = csv_text(table).splitlines()
    assert lines == ["'=class,n", "'=1+1,-1.5", "a,2.0"]
    assert list(table.columns) == ["=class", "n"]


def two_classes(tmp_path: Path, *names: str, images: int = 30) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "two", names, images)
    return write_finished_run(folder, "two", sharpness=1.0)


def tiles(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_the_positive_class_comes_first_and_is_said(tmp_path: Path) -> None:
    run = two_classes(tmp_path, "NORMAL", "PNEUMONIA")
    app = opened(run)
    expected = run_cache.of_class(run, 1)
    assert expected["sensitivity"].value != expected["specificity"].value
    assert tiles(app) == {
        "Sensitivity": f"{expected['sensitivity'].value:.3f}",
        "Specificity": f"{expected['specificity'].value:.3f}",
        r"PPV \(precision\)": f"{expected['ppv'].value:.3f}",
        "NPV": f"{expected['npv'].value:.3f}",
    }
    control = app.get("button_group")
    assert any("guessed from the class names" in c.proto.label for c in control)
    table = metrics_view.all_metrics(run)
    assert table["class"].iloc[0] == "PNEUMONIA"
    means = table.loc[table["class"] == "", "metric"]
    assert "Sensitivity (recall), macro-averaged" in set(means)


def test_a_chosen_positive_class_counts_everywhere(tmp_path: Path) -> None:
    run = two_classes(tmp_path, "cat", "dog")
    assert "Choose which class is the finding" in said(opened(run))
    choose_positive(run, "cat")
    app = opened(run)
    expected = run_cache.of_class(run, 0)["sensitivity"]
    assert tiles(app)["Sensitivity"] == f"{expected.value:.3f}"
    for report in (evaluation_page(run), model_card_html(run)):
        assert "cat" in report and str(expected) in report
        assert "chosen by a user" in report


def test_a_value_of_few_images_is_not_shown_large(tmp_path: Path) -> None:
    run = two_classes(tmp_path, "normal", "sick", images=3)
    app = opened(run)
    assert not app.metric
    assert "too few (2 images of class sick)" in said(app)
    table = metrics_view.all_metrics(run)
    assert table["n_images"].max() == 4
    assert "too few (2 images of class sick)" in set(table["low"])


def test_calibration_has_no_interval_of_few_images(tmp_path: Path) -> None:
    run = two_classes(tmp_path, "normal", "sick", images=12)
    text = shown(opened(run), "Calibration")
    for name in ("error", "log loss", "Brier score"):
        assert re.search(rf"{name} \d\.\d+, too few \(\d+ images\)", text)


def test_a_temperature_of_few_images_decides_nothing(tmp_path: Path) -> None:
    """`1 is within what is known of the temperature, too few` said the opposite."""
    app = opened(two_classes(tmp_path, "normal", "sick", images=12), "Calibration")
    text = said(app).replace("\\", "")
    assert re.search(r"At a temperature of \d\.\d\d, too few \(\d+ images\)", text)
    notes = " ".join(info.value for info in app.info)
    assert "Whether calibration is needed cannot be told" in notes
    assert "No need to calibrate" not in notes


@pytest.mark.parametrize(("images", "band"), [(24, False), (90, True)])
def test_curves_say_whether_they_have_bands(
    tmp_path: Path, images: int, band: bool
) -> None:
    text = shown(
        opened(two_classes(tmp_path, "normal", "sick", images=images)), "Curves"
    )
    assert ("Bands are pointwise 95 % intervals" in text) == band
    few = bool(re.search(r"No bands: too few \\?\(\d+ images of class sick", text))
    assert few != band


def test_a_temperature_whose_interval_holds_1_is_no_primary_action(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for low, kind in ((0.9, "secondary"), (1.1, "primary")):
        fitted = temperature_scaling.Temperature(1.2, low, 1.5, 200, False)
        monkeypatch.setattr(run_cache, "temperature", lambda _, it=fitted: it)
        app = opened(run, "Calibration")
        button = next(b for b in app.button if "Store the temperature" in b.label)
        assert button.proto.type == kind
        assert any("No need to calibrate" in i.value for i in app.info) == (low < 1)


def test_equal_patient_numbers_are_not_called_the_same_people(
    class_folders: Path,
) -> None:
    run = write_finished_run(class_folders, "numbered", patients=5)
    text = said(open_page("results/evaluate.py", run=run.id))
    assert "5 patient numbers of the test split also occur" in text
    assert "where they are the same people" in text
    assert "Split by" not in text
