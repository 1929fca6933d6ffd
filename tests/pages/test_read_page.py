"""Reader study: the model stays hidden until the reading is committed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.clinical.reader_study import load_study, studies
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from medmodel.runs.tables.predictions import read_predictions, write_predictions
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said

PAGE = "results/read.py"


@pytest.fixture
def run(class_folders: Path) -> Run:
    run = write_finished_run(class_folders, "A *run*")
    facts = ModelFacts(["dark", "light"], Preprocessing(32, colour="grey"), [], 7)
    run.write_model_facts(facts)
    run.model_path.touch()
    return run


def opened(run: Run, **params: str) -> AppTest:
    app = open_page(PAGE, run=run.id, **params)
    assert not app.exception and not app.error
    return app


def test_without_a_model_it_says_what_will_be_here() -> None:
    assert "test images can be read here by a person" in said(open_page(PAGE))


def test_a_whole_study(run: Run) -> None:
    app = opened(run)
    (size,) = [c for c in app.segmented_control if c.label == "Images"]
    size.set_value(10).run()
    press(app, "Begin")
    (study,) = studies(run)
    assert len(study.paths) == 10
    for number in range(10):
        text = said(app)
        assert "The model says" not in text
        # Neither the file nor its folder, which is the class.
        assert Path(study.paths[number]).stem not in text
        commit = [b for b in app.button if b.label == "Commit, and show the model"]
        assert commit[0].disabled
        app.radio[0].set_value("dark").run()
        press(app, "Commit, and show the model")
        assert "The model says" in said(app)
        assert app.radio[0].value == "dark"
        if number == 4:
            # A reload shows the same image, committed as it was.
            app = opened(run, study=study.id)
            assert "The model says" in said(app)
        press(app, "Next image")
    done = load_study(run, study.id)
    assert done.finished
    assert {r.alone.label for r in done.readings} == {"dark"}
    text = said(app)
    assert "Results of 10 images" in str(app.subheader[0].value)
    assert "With the model 0 of 10 readings changed" in text.replace("\\", "")
    table = app.table[0].value
    assert list(table.index)[:1] == ["Accuracy"]
    assert table["Reader alone"].iloc[0].replace("\\", "").startswith("0.500")


def test_a_tie_of_the_model_is_no_class_that_it_says(run: Run) -> None:
    table = read_predictions(run)
    samples = table.drop(columns=["score_dark", "score_light"])
    tied = np.full((len(table), 2), 0.5)
    write_predictions(run, ["dark", "light"], samples, tied)
    app = opened(run)
    press(app, "Begin")
    app.radio[0].set_value("dark").run()
    press(app, "Commit, and show the model")
    text = said(app)
    assert "No single predicted class: dark, light (50" in text
    assert "The model says" not in text


def test_to_go_on_and_to_delete(run: Run) -> None:
    press(opened(run), "Begin")
    (study,) = studies(run)
    app = opened(run)
    assert f"0 of {len(study.paths)} images read" in said(app)
    press(app, "Go on")
    assert [b.label for b in app.button if b.label.startswith("Commit")]
    press(app, "All reader studies")
    press(app, "Delete")
    assert studies(run) == []


@pytest.mark.parametrize("study", ["0123456789ab", "../config"])
def test_a_link_to_a_study_that_is_gone(run: Run, study: str) -> None:
    app = opened(run, study=study)
    assert len(app.warning) == 1
    assert [b for b in app.button if b.label == "Begin"]


def test_nothing_is_begun_whose_images_are_gone(run: Run, class_folders: Path) -> None:
    class_folders.rename(class_folders.parent / "elsewhere")
    app = opened(run)
    assert "There is no folder" in said(app)
    (begin,) = (b for b in app.button if b.label == "Begin")
    assert begin.disabled
