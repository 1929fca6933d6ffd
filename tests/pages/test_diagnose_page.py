"""Diagnose: consent first, images in, the very numbers of predictions.csv out."""

from __future__ import annotations

import html
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from streamlit.testing.v1 import AppTest

from medmodel import predictor
from medmodel.core.errors import PredictionError
from medmodel.core.storage import write_json
from medmodel.imaging.images import decode, pixel_digest
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from pages._shared.prediction import prediction_view, report_view
from pages._shared.prediction.prediction_view import shuffled_words
from tests.conftest import draw_class_folders
from tests.dicom_files import dicom_bytes, dicom_dataset
from tests.pages.page import open_page, press, said, work_in
from tests.tiny_run import make_tiny_run

TRY = "Try 3 images from this run's test split"
SECRET = "Smith, John <b>1970</b>.png"
Runs = tuple[Run, Run]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Runs]]:
    """Two real models on the same two classes, and the real predictor."""
    root = tmp_path_factory.mktemp("diagnose")
    with pytest.MonkeyPatch.context() as patch:
        work_in(root, patch)
        folder = draw_class_folders(root / "data" / "easy", images_per_class=4)
        runs = make_tiny_run(folder, "first"), make_tiny_run(folder, "second", seed=1)
    yield root, runs
    predictor.shared().close()


@pytest.fixture
def runs(made: tuple[Path, Runs], monkeypatch: pytest.MonkeyPatch) -> Runs:
    root, found = made
    work_in(root, monkeypatch)
    (root / "workspace" / "audit.jsonl").unlink(missing_ok=True)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each request to the predictor held."""
    counts: list[int] = []
    ask = predictor.Predictor.ask

    def counting(
        self: Any,
        run_id: str,
        images: Any,
        *question: Any,
        **options: Any,
    ) -> Any:
        counts.append(len(images))
        return ask(self, run_id, images, *question, **options)

    def explaining(self: Any, *question: Any) -> Any:
        counts.append(1)
        return explain(self, *question)

    explain = predictor.Predictor.explain
    monkeypatch.setattr(predictor.Predictor, "ask", counting)
    monkeypatch.setattr(predictor.Predictor, "explain", explaining)
    return counts


def opened(run: Run | None = None, consent: bool = True) -> AppTest:
    app = open_page("results/diagnose.py", **({"run": run.id} if run else {}))
    return press(app, "I understand") if consent else app


def drop(app: AppTest, *files: tuple[str, bytes]) -> None:
    app.file_uploader[0].set_value([(n, b, "image/png") for n, b in files]).run()
    assert not app.exception


def pictures(run: Run) -> list[Path]:
    return sorted(Path(run.config.dataset).glob("*/*.png"))


def first_choices(app: AppTest) -> list[str]:
    bodies = [html.unescape(str(e.proto.body)) for e in app.get("html")]
    return [body for body in bodies if "Predicted class" in body]


def test_nothing_works_before_the_consent(runs: Runs) -> None:
    app = opened(consent=False)
    assert not app.file_uploader
    assert [b.label for b in app.main.button] == ["I understand"]
    press(app, "I understand")
    assert app.file_uploader


def test_without_a_model_the_way_leads_to_training() -> None:
    app = opened(consent=False)
    assert [b.label for b in app.main.button] == ["Train a model"]


def test_a_link_chooses_the_model_across_the_consent(runs: Runs) -> None:
    for run in runs:
        assert opened(run).selectbox[0].value == run.id


def test_an_external_test_stands_for_the_model_that_it_tests(runs: Runs) -> None:
    test = RunStore().create(replace(runs[1].config, name="elsewhere"))
    shutil.copytree(runs[1].folder, test.folder, dirs_exist_ok=True)
    write_json(test.folder / "external.json", {"model": runs[1].id})
    try:
        models = opened(test).selectbox[0]
        assert models.value == runs[1].id and len(models.options) == 2
    finally:
        RunStore().delete(test)


def test_without_an_image_the_field_for_images_stands_in_the_middle(
    runs: Runs,
) -> None:
    app = opened(runs[0])
    assert app.file_uploader and not any(c.get("file_uploader") for c in app.columns)
    drop(app, ("a.png", b"no image"))
    assert any(column.get("file_uploader") for column in app.columns)
    # Back to the empty page nothing is left of what its owner removed.
    drop(app)
    assert not app.session_state["cases-diagnose"] and not app.warning
    assert not any(column.get("file_uploader") for column in app.columns)


def test_numbers_are_those_of_predictions_csv(runs: Runs) -> None:
    run, files = runs[0], pictures(runs[0])
    app = opened(run)
    drop(app, *((file.name, file.read_bytes()) for file in files))
    scores = {
        key[-1]: row.raw
        for key, row in app.session_state["answers-predictions"].items()
    }
    table = read_predictions(run).set_index("path")
    for file in files:
        written = table.loc[str(file.relative_to(run.config.dataset))]
        shown = scores[pixel_digest(decode(file).pixels)]
        expected = written[["score_dark", "score_light"]].to_numpy(float)
        assert np.abs(shown - expected).max() < 1e-5


def test_a_bad_file_is_one_sentence_and_the_others_go_on(runs: Runs) -> None:
    app = opened(runs[0])
    good = pictures(runs[0])[0].read_bytes()
    drop(app, ("notes.txt", b"hello"), ("scan.png", good), ("half.png", good[:200]))
    (sentences,) = [warning.value for warning in app.warning]
    assert sentences.count("\n") == 1
    assert r"notes\.txt is not an image" in sentences
    assert r"half\.png cannot be read" in sentences
    assert len(first_choices(app)) == 1
    assert not app.error


def test_slider_and_reruns_ask_nobody(runs: Runs, asked: list[int]) -> None:
    app = opened(runs[0])
    drop(app, ("scan.png", pictures(runs[0])[0].read_bytes()))
    assert asked == [1]
    app.slider[0].set_value(20).run()
    app.run()
    assert asked == [1]
    evidence = next(s for s in app.selectbox if s.label == "Class shown")
    evidence.select_index(1).run()
    assert asked == [1, 1]
    app.slider[0].set_value(90).run()
    assert asked == [1, 1]


def test_other_models_answer_beside_it(runs: Runs, asked: list[int]) -> None:
    app = opened(runs[0])
    drop(app, ("scan.png", pictures(runs[0])[0].read_bytes()))
    app.multiselect(key="other-runs").set_value([runs[1].id]).run()
    assert not app.exception
    assert len(first_choices(app)) == 2
    assert asked == [1, 1]
    assert sum("Saliency map of each model" in m.value for m in app.markdown) == 1
    # What is one predicted class is asked of the other one, too.
    evidence = next(s for s in app.selectbox if s.label == "Class shown")
    evidence.select_index(1).run()
    assert not app.exception
    # A run that becomes the first one stands there once.
    app.selectbox(key="model").set_value(runs[1].id).run()
    assert not app.exception
    assert len(first_choices(app)) == 1
    assert app.multiselect(key="other-runs").value == []


def test_many_pictures_and_steps_through_them(runs: Runs) -> None:
    app = opened(runs[0])
    files = pictures(runs[0])[:3]
    drop(app, *((file.name, file.read_bytes()) for file in files))
    table = app.dataframe[0].value
    assert list(table["File"]) == [file.name for file in files]
    assert list(table.columns)[-2:] == ["dark", "light"]
    press(app, "Next")
    press(app, "Next")
    assert "3 of 3" in [text.value for text in app.text]
    assert next(b for b in app.button if b.label == "Next").disabled


def test_samples_of_the_test_split(runs: Runs) -> None:
    app = opened(runs[0])
    press(app, TRY)
    assert any("3 images from this run's test split" in x.value for x in app.caption)
    labels = app.dataframe[0].value["True class"]
    assert set(labels) == {"dark", "light"}
    tested = read_predictions(runs[0]).query("split == 'test'")["path"]
    names = {Path(path).name for path in tested}
    assert set(app.dataframe[0].value["File"]) <= names


def test_samples_of_a_data_set_that_has_gone(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_DATA", "")
    app = opened(runs[0])
    assert not app.error and TRY not in [button.label for button in app.button]
    assert "MEDMODEL_DATA" in said(app)


def test_audit_knows_no_names(runs: Runs, made: tuple[Path, Runs]) -> None:
    app = opened(runs[0])
    drop(app, (SECRET, pictures(runs[0])[0].read_bytes()))
    text = (made[0] / "workspace" / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["action"] for line in lines] == ["consent", "predict"]
    assert lines[1]["facts"] == {"run": runs[0].id, "images": 1}
    assert "Smith" not in text


def test_names_are_text(runs: Runs) -> None:
    app = opened(runs[0])
    content = pictures(runs[0])[0].read_bytes()
    drop(app, ("../../etc/<b>*x*</b>.png", content), (r"..\a.png", content))
    assert list(app.dataframe[0].value["File"]) == ["b>.png", "a.png"]
    drop(app, ("<b>*x*.txt", b"no image"))
    assert r"\<b\>\*x\*\.txt" in app.warning[0].value


def test_a_predictor_that_fails_is_one_sentence(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PredictionError("The predictor ended: try again.")

    viewers: list[dict[str, Any]] = []
    app = opened(runs[0])
    with monkeypatch.context() as patch:
        patch.setattr(predictor.Predictor, "ask", fail)
        patch.setattr(
            prediction_view, "show_viewer", lambda **viewer: viewers.append(viewer)
        )
        drop(app, ("scan.png", pictures(runs[0])[0].read_bytes()))
        assert [error.value for error in app.error] == [
            r"The predictor ended\: try again\."
        ]
        assert [viewer["layers"][0].title for viewer in viewers] == ["As uploaded"]
    app.run()
    assert not app.error
    assert len(first_choices(app)) == 1


def test_maps_of_shuffled_weights_are_compared_where_there_are_two() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    nothing = np.zeros((8, 8), np.float32)
    assert "trained model is 1.00." in shuffled_words(ramp, ramp)
    assert "trained model is -1.00." in shuffled_words(1 - ramp, ramp)
    assert "is empty: what the trained model shows" in shuffled_words(nothing, ramp)
    assert "there is nothing to compare" in shuffled_words(ramp, nothing)


def test_images_stay_when_the_page_is_left_until_they_are_removed(runs: Runs) -> None:
    app = opened(runs[0])
    drop(app, ("scan.png", pictures(runs[0])[0].read_bytes()))
    app.switch_page("home/start.py").run()
    app.switch_page("results/diagnose.py").run()
    assert not app.exception
    assert app.file_uploader[0].value == [] and len(first_choices(app)) == 1
    press(app, "Remove images (1)")
    assert not first_choices(app)
    assert "No image yet" in said(app)


def test_an_image_that_is_taken_out_of_the_field_is_forgotten(runs: Runs) -> None:
    app = opened(runs[0])
    content = pictures(runs[0])[0].read_bytes()
    drop(app, ("a.png", content), ("b.png", content))
    assert len(app.dataframe[0].value) == 2
    drop(app)
    assert not first_choices(app)


def test_one_sentence_says_prediction_familiarity_and_what_the_model_is_worth(
    runs: Runs,
) -> None:
    app = opened(runs[0])
    drop(app, ("scan.png", pictures(runs[0])[0].read_bytes()))
    assert len(first_choices(app)) == 1
    text = said(app)
    assert "resembles the training data is not known" in text
    assert "Model: accuracy" in text and "on 4 test images" in text


def reported(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, file: tuple[str, bytes]
) -> dict[str, Any]:
    """Switches the report of a file on; what makes each file, by its button."""
    files: dict[str, Any] = {}

    def gather(make: Any, action: str, **facts: Any) -> Any:
        files[str(facts.get("what"))] = make
        return make

    monkeypatch.setattr(report_view, "noted", gather)
    drop(app, file)
    (switch,) = [t for t in app.toggle if t.label == "Write a report"]
    switch.set_value(True).run()
    assert not app.exception and not app.error
    return files


def test_a_report_of_a_picture(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs[0]
    app = opened(run)
    files = reported(app, monkeypatch, (SECRET, pictures(run)[0].read_bytes()))
    assert [name for name in files if "dcm" in name] == []
    (text,) = [t for t in app.text_area if t.label == "Your text"]
    text.set_value("No finding.").run()
    page = files["case report html"]()
    assert "No finding." in page and "Smith" not in html.unescape(page)
    assert first_choices(app)[0].count("Predicted class") and "Predicted class" in page
    assert files["case report pdf"]().startswith(b"%PDF")
    names = [t for t in app.toggle if t.label.startswith("Name patient")]
    names[0].set_value(True).run()
    # What looks like a folder of the name is none of it.
    assert "b>.png" in html.unescape(files["case report html"]())


def test_a_report_of_a_dicom_file(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs[0]
    pixels = (np.arange(2400) % 251).astype(np.uint8).reshape(40, 60)
    file = ("x.dcm", dicom_bytes(dicom_dataset(pixels, StudyInstanceUID="1.2.3")))
    app = opened(run)
    files = reported(app, monkeypatch, file)
    report = dcmread(io.BytesIO(files["case report sr.dcm"]()))
    assert report.Modality == "SR" and "Tester" not in str(report)
    document = dcmread(io.BytesIO(files["case report pdf.dcm"]()))
    assert document.EncapsulatedDocument.startswith(b"%PDF")
    names = [t for t in app.toggle if t.label.startswith("Name patient")]
    names[0].set_value(True).run()
    report = dcmread(io.BytesIO(files["case report sr.dcm"]()))
    assert (str(report.PatientName), report.StudyInstanceUID) == (
        "Tester^Tilda",
        "1.2.3",
    )
    assert "Tester^Tilda" in files["case report html"]()


def test_a_dicom_file_that_no_report_can_refer_to(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = (np.arange(2400) % 251).astype(np.uint8).reshape(40, 60)
    file = ("x.dcm", dicom_bytes(dicom_dataset(pixels, SOPClassUID=None)))
    app = opened(runs[0])
    files = reported(app, monkeypatch, file)
    assert [name for name in files if "dcm" in name] == []
    assert any("is no image that a DICOM report" in w.value for w in app.warning)
    assert files["case report pdf"]().startswith(b"%PDF")
