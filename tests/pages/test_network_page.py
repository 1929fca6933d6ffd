"""How the network sees: layers of a real model, and the small convolution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel import predictor
from medmodel.runs.run import Run
from tests.conftest import draw_class_folders
from tests.pages.page import open_page, press
from tests.tiny_run import make_tiny_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    folder = draw_class_folders(tmp_path / "data" / "easy", images_per_class=4)
    yield make_tiny_run(folder, "tiny")
    predictor.shared().close()


def opened() -> AppTest:
    app = open_page("learn/network.py")
    assert "not for clinical use" in app.markdown[-1].value.lower()
    return press(app, "I understand")


def test_every_step_with_its_formula(run: Run) -> None:
    app = opened()
    assert not app.exception and not app.error
    text = "\n".join(m.value for m in app.markdown)
    assert "1. Preprocessing" in text and "Last layer and softmax" in text
    assert "cross-correlation" in text
    assert any(r"\sum" in formula.value for formula in app.latex)
    app.selectbox(key="kernel-name").select("Smooth").run()
    app.toggle(key="kernel-relu").set_value(True).run()
    assert not app.exception


def test_without_a_model_the_way_leads_to_training() -> None:
    app = open_page("learn/network.py")
    assert [b.label for b in app.main.button] == ["Train a model"]
