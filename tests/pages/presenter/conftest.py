"""Presenter mode with a stand-in for its component, and a model that answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st

from medmodel.reports.case.predicted_class import predicted_sentence
from medmodel.runs.run import Run
from pages._shared.prediction import image_viewer, ood_view
from pages._shared.prediction.image_viewer import Layer
from pages._shared.presenter import diagnose_scene
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.presenter.projector import (
    Projector,
)


@pytest.fixture
def projector(monkeypatch: pytest.MonkeyPatch) -> Projector:
    projector = Projector()
    monkeypatch.setattr(st.components.v2, "component", projector.component)
    return projector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_class_folders(tmp_path / "data" / "easy", images_per_class=30)


@pytest.fixture
def diagnosed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A model that answers at once, about images of one pixel value."""
    run = write_finished_run(folder, "first")
    pixels = np.full((8, 8, 1), 90, np.uint8)
    state = SimpleNamespace(
        run=run,
        unlike=False,
        ood_problem="Not known to resemble the training data.",
        digests={},
        scores=[0.25, 0.75],
        pixels=pixels,
    )

    def answer(run: Run, cases: Any) -> list[Any]:
        scores = np.array(state.scores)
        names = [f"class {i}" for i in range(len(scores))]
        return [
            SimpleNamespace(
                run=run,
                case=case,
                pixels=pixels,
                classes=names,
                probabilities=scores,
                first_choice=int(scores.argmax()),
                predicted_sentence=predicted_sentence(names, scores),
                decision="",
                prediction=SimpleNamespace(temperature=None),
                ood=None,
                ood_problem=state.ood_problem,
            )
            for case in cases
        ]

    cases = [SimpleNamespace(label="class 1", digest=d) for d in ("a", "b")]
    replaced = {
        "warm": lambda run: None,
        "starting": lambda: False,
        "test_samples": lambda run, first: cases,
        "pixels_of": lambda case: state.pixels,
        "ask": answer,
        "heatmap_of": lambda answer, position: np.ones((8, 8), np.float32),
        "is_unlike_training": lambda answer: state.unlike,
        "viewed": lambda case: {
            "layers": [Layer("As it is", case.digest, "The image", pixels)],
            "size": (8, 8),
            "key": case.digest,
        },
        "with_map": lambda answer, image, layer: {
            **image,
            "layers": [*image["layers"], layer],
        },
    }
    monkeypatch.setattr(image_viewer, "media_url", lambda *file: f"/media/{file[2]}")
    for name, function in replaced.items():
        monkeypatch.setattr(diagnose_scene, name, function)
    for name, function in {
        "is_unlike_training": replaced["is_unlike_training"],
        "split_of": lambda answer: state.digests.get(answer.case.digest, ""),
    }.items():
        monkeypatch.setattr(ood_view, name, function)
    return state
