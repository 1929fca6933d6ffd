"""Import of a foreign model: the questions, and what is said of the run afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.processes import background
from medmodel.core.storage import write_json
from medmodel.evaluation import external_validation
from medmodel.inference.importing import import_model, looking
from medmodel.model_import import task
from medmodel.model_import.description import ImportSettings
from medmodel.reports.model_card import guideline_items
from medmodel.reports.run_facts import evaluate_run
from medmodel.runs import queue
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training import external_run
from tests.foreign_models import SIDE, write_onnx
from tests.pages.page import open_page

PAGE = "models/import_model.py"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An imported ONNX model."""
    files = tmp_path / "in" / "files"
    files.mkdir(parents=True)
    write_onnx(files / "m.onnx")
    write_json(files.parent / "facts.json", looking.look(files.parent))
    asked = ImportSettings("Lesion on skin", ["dark", "bright"], SIDE, scale="unit")
    write_json(files.parent / "asked.json", asked)
    return import_model.convert(files.parent, RunStore())


def texts(page: object) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "title")
    return " ".join(e.value for kind in kinds for e in getattr(page, kind))


def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: str) -> str:
    """An import whose file was looked at in this process."""
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)
    import_id = task.begin([("m.onnx", write_onnx(tmp_path / "m.onnx", **options))])
    place = task.folder_of(import_id)
    write_json(place / "facts.json", looking.look(place))
    task.look_task(import_id).write("finished")
    return import_id


def test_what_the_file_says_stands_in_the_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = begun(tmp_path, monkeypatch)
    page = open_page(PAGE, **{"import": import_id})
    assert page.text_area[0].value == "0\n1"
    assert page.selectbox[0].value == "imagenet"
    assert "A drawn image of 16 × 16 pixels" in texts(page)
    page.text_area[0].set_value("dark\ndark").run()
    assert "occurs twice" in texts(page)
    assert "Import" not in [b.label for b in page.button]
    page.text_area[0].set_value("dark\nbright").run()
    next(b for b in page.button if b.label == "Import").click().run()
    place = task.folder_of(import_id)
    assert '"dark"' in (place / "asked.json").read_text()


def test_a_refused_model_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = begun(tmp_path, monkeypatch)
    task.look_task(import_id).write("failed", error="The layer x is refused.")
    page = open_page(PAGE, **{"import": import_id})
    assert "The layer x is refused" in texts(page)
    next(b for b in page.button if b.label == "Choose another file").click().run()
    assert not task._home().joinpath(import_id).exists()


def test_a_link_to_an_import_that_is_gone(tmp_path: Path) -> None:
    for name in ("0" * 16, "../../etc"):
        assert "no such import" in texts(open_page(PAGE, **{"import": name}))


def test_the_runs_page_says_what_is_not_known(run: Run) -> None:
    page = open_page("models/runs.py", run=run.id)
    assert page.title[0].value == "Lesion on skin"
    assert "training images are not known" in texts(page)
    assert "EfficientNet" not in texts(page)
    assert "Train again" not in [b.label for b in page.button]
    listed = open_page("models/runs.py")
    assert "EfficientNet" not in str(listed.dataframe[0].value.to_dict())
    evaluate = open_page("results/evaluate.py", run=run.id)
    assert "no test images of its own" in texts(evaluate)


def test_it_is_tested_on_a_folder_and_compared(
    run: Run, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    mapping = {"dark": "dark", "light": "bright"}
    test = external_validation.submit(run, class_folders, mapping, RunStore())
    with StatusWriter(test) as reporter:
        state = external_run.test(test, reporter)
        reporter.close(state=state, phase="finished")
    for page, address in (
        ("results/evaluate.py", {"run": test.id}),
        ("models/runs.py", {"run": test.id}),
        ("results/compare.py", {"runs": test.id}),
    ):
        shown = open_page(page, **address)
        assert not shown.error, (page, shown.error[0].value)
    card = str(guideline_items(test, evaluate_run(test)))
    assert "trained elsewhere" in card and "EfficientNet" not in card
