"""Diagnose refuses what is strange, names sets of classes, and shows similar images."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from medmodel import predictor
from medmodel.core.config import config_for
from medmodel.evaluation.calibration import temperature_scaling
from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.evaluation.decision import conformal
from medmodel.evaluation.decision.frozen_thresholds import freeze_thresholds
from medmodel.evaluation.decision.thresholds import Rule
from medmodel.evaluation.ood.detector import FILE_NAME
from medmodel.evaluation.ood.results import OodResult, ThresholdBasis
from medmodel.imaging.images import decode, pixel_digest
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import train
from pages._shared.prediction import ood_view
from pages._shared.prediction.conformal_view import set_sentence
from pages._shared.prediction.ood_view import is_unlike_training, resemblance
from tests.conftest import draw_class_folders
from tests.pages.page import said, work_in
from tests.pages.test_diagnose_page import drop, first_choices, opened, press
from tests.pages.test_segmentation_pages import answers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Run]]:
    """A real Instant run of 32 pixels, and the real predictor."""
    root = tmp_path_factory.mktemp("assurance")
    with pytest.MonkeyPatch.context() as patch:
        work_in(root, patch)
        folder = draw_class_folders(root / "data" / "easy", images_per_class=40)
        run = RunStore().create(config_for("instant", str(folder), size=32, epochs=3))
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
            reporter.update(state=RunStatus.DONE, phase="finished")
    yield root, run
    predictor.shared().close()


@pytest.fixture
def run(made: tuple[Path, Run], monkeypatch: pytest.MonkeyPatch) -> Run:
    root, found = made
    work_in(root, monkeypatch)
    return found


def photograph(seed: int = 0) -> tuple[str, bytes]:
    """A colourful image that resembles no drawn one."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "holiday.png", buffer.getvalue()


def insisting() -> None:
    """A page with a refused image."""
    from types import SimpleNamespace

    import streamlit as st

    from pages._shared.prediction.ood_view import may_show_answer

    answer = SimpleNamespace(
        ood="far away", run=SimpleNamespace(id="r"), case=SimpleNamespace(key="k")
    )
    st.text("shown" if may_show_answer(answer) else "held back")  # type: ignore[arg-type]


def test_who_insists_is_not_sent_out_of_a_dialog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said_of: dict[str, Any] = {
        "is_unlike_training": lambda answer: True,
        "why_unlike_training": lambda ood, outlines: "It is far away.",
    }
    for name, stub in said_of.items():
        monkeypatch.setattr(ood_view, name, stub)
    # A rerun of the page closes each dialog that is open.
    monkeypatch.setattr(st, "rerun", lambda **_scope: pytest.fail("a whole rerun"))
    app = AppTest.from_function(insisting).run()
    assert app.text[0].value == "held back"
    app.button[0].click().run()
    assert not app.exception and app.text[0].value == "shown"


MANY = ThresholdBasis(60, 340, 400, 0.03, 0.075)


def test_a_threshold_that_is_known_roughly_is_called_so() -> None:
    def show(basis: ThresholdBasis) -> str:
        return resemblance(OodResult(0.5, False, [], [], basis), False)

    resembles = "It resembles the training data."
    assert show(MANY) == resembles
    for few in (replace(MANY, validation=29), replace(MANY, units=129)):
        assert "known only roughly" in show(few)
        assert "340 training images left out in turn" in show(few)
    assert show(replace(MANY, validation=30, units=130)) == resembles


def familiar(run: Run) -> tuple[str, bytes]:
    file = sorted(Path(run.config.dataset).glob("*/*.png"))[0]
    return file.name, file.read_bytes()


def test_a_strange_picture_is_refused_first(run: Run) -> None:
    app = opened(run)
    drop(app, photograph())
    assert "Unlike the training data: no prediction is shown." in answers(app)
    assert "It is unlike" not in said(app)  # said once
    assert "It is in colour" in said(app)
    assert not first_choices(app)
    assert not app.selectbox[1:]
    press(app, "Show prediction anyway")
    assert len(first_choices(app)) == 1
    assert "Unlike the training data" in answers(app)
    assert "no prediction is shown" not in str(answers(app))


def test_the_operating_point_gives_a_verdict(run: Run) -> None:
    app = opened(run)
    drop(app, familiar(run))
    assert "At the operating point" not in said(app)
    assert "test images" in said(app)  # how often a set held the right class there
    names = run.model_facts.class_names
    path = run.folder / "thresholds.json"
    freeze_thresholds(run, Rule("sensitivity", 0.95), dict.fromkeys(names, 0.5))
    try:
        app.run()
        assert "sensitivity of at least 95%" in said(app).replace(" %", "%")
        assert said(app).count("→ **flagged**") == 1
    finally:
        path.unlink()


def test_a_table_shows_no_scores_of_a_strange_one(run: Run) -> None:
    app = opened(run)
    drop(app, familiar(run), photograph())
    table = app.dataframe[0].value
    assert table["Predicted class"][1] == "unlike the training data"
    assert table["dark"][1] == "–" and table["dark"][0] != "–"


def test_a_familiar_one_has_a_set_and_its_likes(run: Run) -> None:
    app = opened(run)
    drop(app, familiar(run))
    assert len(first_choices(app)) == 1
    assert "Similar training images" in said(app)
    assert "With 95 % coverage" in said(app)
    press(app, "Stability test")
    assert "16 small changes" in said(app)


def test_a_picture_of_the_training_is_called_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same pixels, whatever the file; it cannot be unlike what it is one of."""
    split = pd.read_csv(run.folder / "split.csv")
    files = {
        name: Path(run.config.dataset) / split[split["split"] == name]["path"].iloc[0]
        for name in ("train", "val", "test")
    }
    buffer = io.BytesIO()
    with Image.open(files["train"]) as image:
        image.save(buffer, "TIFF")
    app = opened(run)
    told = []
    for source in (
        buffer.getvalue(),
        *(files[n].read_bytes() for n in ("val", "test")),
    ):
        drop(app, ("image", source))
        told.append(said(app))
    assert told[0].count("trained on this very image") == 1
    assert told[1].count("one of the validation images") == 1
    assert "very image" not in told[2]

    far = OodResult(0.97, True, [], [], MANY)
    strange = {}
    for name, file in files.items():
        case = SimpleNamespace(scan=False, digest=pixel_digest(decode(file).pixels))
        answer: Any = SimpleNamespace(run=run, case=case, ood=far)
        strange[name] = is_unlike_training(answer)
    assert strange == {"train": False, "val": True, "test": True}


def test_calibration_is_used_where_there_is_one(run: Run) -> None:
    app = opened(run)
    drop(app, familiar(run))
    before = first_choices(app)
    assert "not calibrated" in said(app)
    temperature_scaling.store_temperature(run, Temperature(30.0, 20.0, 40.0, 12, False))
    try:
        app.run()
        assert first_choices(app) != before
        assert "calibrated on 12 validation images" in said(app)
    finally:
        (run.folder / "calibration.json").unlink()


def test_without_a_reference_nothing_is_refused(run: Run) -> None:
    kept = (run.folder / FILE_NAME).read_bytes()
    model = run.model_path.read_bytes()
    (run.folder / FILE_NAME).unlink()
    run.model_path.write_bytes(model)  # Read anew by the predictor.
    try:
        app = opened(run)
        drop(app, photograph())
        assert len(first_choices(app)) == 1
        assert "no reference.npz" in said(app)
        (run.folder / FILE_NAME).write_bytes(kept[:500])
        app = opened(run)
        drop(app, photograph(1))
        assert len(first_choices(app)) == 1
        assert "training data is off" in said(app)
        assert "reference.npz of run" in said(app) and "is damaged" in said(app)
    finally:
        (run.folder / FILE_NAME).write_bytes(kept)
        run.model_path.write_bytes(model)


def test_sets_in_said() -> None:
    found = conformal.ConformalPredictor(
        0.95, np.array([0.3, 0.2]), np.array([True, True]), 80
    )
    both = set_sentence(["a_b", "c"], found, np.array([0.4, 0.6], np.float32))
    assert r"With 95 % coverage: **c** or **a\_b**" in both
    one = set_sentence(["a_b", "c"], found, np.array([0.1, 0.9], np.float32))
    assert "coverage: **c**" in one and "class by class" in one
    none = set_sentence(["a", "c"], found, np.array([0.1, 0.1], np.float32))
    assert "none of the classes" in none
