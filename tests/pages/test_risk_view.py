"""Risk on Diagnose: in words, of no more than is known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.minima import LimitingGroup
from medmodel.runs.run import Run
from pages._shared.prediction.risk_view import risk_sentence
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

FEW = LimitingGroup(4, of_patients=False)


def test_the_sentence() -> None:
    known = risk_sentence(Estimate(0.07, 0.05, 0.10, 200), "pneumonia")
    assert known == "Of 100 such images, 7 would be pneumonia (5 to 10)."
    sure = risk_sentence(Estimate(0.999, 0.98, 1.0, 200), "pneumonia")
    assert "more than 99 would be pneumonia (98 to more than 99)" in sure
    low = risk_sentence(Estimate(0.001, 0.0, 0.02, 200), "pneumonia")
    assert "fewer than 1 would be pneumonia (fewer than 1 to 2)" in low
    few = risk_sentence(Estimate(0.3, math.nan, math.nan, 14, FEW), "pneumonia")
    assert few.endswith("too few validation images for an interval.")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "easy", images_per_class=60)
    return write_finished_run(folder, "shown")


def shown(run: Run, score: float) -> AppTest:
    """The view alone, of an answer with this score for the class light."""

    def script(folder: str, score: float) -> None:
        from pathlib import Path
        from types import SimpleNamespace

        import numpy as np

        from medmodel.evaluation.image_prediction import Prediction
        from medmodel.runs.run import Run
        from pages._shared.prediction import risk_view

        raw = np.array([1 - score, score], np.float32)
        answer = SimpleNamespace(
            run=Run(Path(folder)),
            classes=["dark", "light"],
            prediction=Prediction(["dark", "light"], raw),
            first_choice=int(score > 0.5),
            case=SimpleNamespace(key="a"),
        )
        risk_view.show_risk(answer)  # type: ignore[arg-type]

    app = AppTest.from_function(script, args=(str(run.folder), score)).run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    texts = [*app.markdown, *app.caption]
    return "\n".join(text.value for text in texts).replace("\\", "")


def test_at_the_prevalence_of_the_clinic(run: Run) -> None:
    app = shown(run, 0.7)
    assert app.selectbox[0].value == "light"
    text = said(app)
    assert text.count("Of 100 such images") == 1
    assert "50.0 of 100 are light" in text and "40 validation images" in text
    app.number_input[0].set_value(2.0).run()
    text = said(app)
    assert text.count("Of 100 such images") == 2
    assert "No validation image" not in text
    assert "No validation image has so extreme a score" in said(shown(run, 1.0))


def test_a_class_that_no_validation_image_has(run: Run) -> None:
    table = run.predictions_path.read_text("utf-8").splitlines()
    rows = [x for x in table if not (",val," in x and ",light," in x)]
    (run.folder / "checksums.json").unlink()
    run.predictions_path.write_text("\n".join(rows) + "\n", "utf-8")
    app = shown(run, 0.7)
    assert not app.error and "all or none are light" in said(app)


def test_without_predictions_nothing_is_said(run: Run) -> None:
    run.predictions_path.unlink()
    assert not shown(run, 0.7).expander


@pytest.mark.parametrize("share", [0.0, 100.0])
def test_where_none_or_all_have_it_no_risk_is_said(run: Run, share: float) -> None:
    app = shown(run, 0.7)
    app.number_input[0].set_value(share).run()
    assert not app.exception
    assert "no image tells more: give a number between 0 and 100" in said(app)
    assert said(app).count("Of 100 such images") == 1


def test_a_rare_disease_has_its_risk(run: Run) -> None:
    app = shown(run, 0.7)
    app.number_input[0].set_value(0.02).run()
    assert not app.exception and said(app).count("Of 100 such images") == 2
