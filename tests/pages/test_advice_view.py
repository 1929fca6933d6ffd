"""Advice on Evaluate: a press shows the very images that a sentence counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from pages._shared.evaluation import gallery_view
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import said

SCRIPT = """
from medmodel.runs.run_store import RunStore
from pages._shared.evaluation.advice_view import show_advice
from pages._shared.evaluation.gallery_view import show_gallery
run = RunStore().list()[0]
show_advice(run)
show_gallery(run)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    names = ("a*b", "grey", "light")
    folder = draw_class_folders(tmp_path / "data" / "easy", names, 15)
    return write_finished_run(folder, "run", sharpness=0.2)


@pytest.mark.usefixtures("run")
def test_a_sentence_leads_to_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    # The script of this test has no menu, and so no page to go to.
    monkeypatch.setattr(gallery_view.st, "page_link", lambda *_args, **_kwargs: None)
    assert len(RunStore().list()) == 1
    app = AppTest.from_string(SCRIPT, default_timeout=120).run()
    assert not app.exception
    given = [b.key for b in app.button if (b.key or "").startswith("advice-")]
    assert given
    for key in given:
        button = app.button(key=key)
        count = button.label.split()[1]
        sentence = next(m.value for m in app.markdown if f" {count} " in f" {m.value}")
        button.click().run()
        assert f"**{count} image" in said(app), sentence
        assert app.query_params["view"] == "Images"
