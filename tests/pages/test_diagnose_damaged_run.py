"""Diagnose answers with best.keras and model.json alone, and names what is damaged."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from medmodel.core.processes.messages import Command, Message
from medmodel.predictor import Predictor
from medmodel.runs import queue, run_index
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.split import read_split, write_split
from tests.damaged_workspace import IDS, unpack
from tests.pages.page import open_page, said
from tests.pages.test_diagnose_page import drop, first_choices, opened

DAMAGES: dict[str, Callable[[Path], object]] = {
    "lost": lambda path: None,
    "rubbish": lambda path: path.write_bytes(b"\x00\xff{[" * 9),
    "folder": lambda path: path.mkdir(),
}
SAID = {
    # file -> what the page says beside its name
    "calibration.json": "The calibration that was stored with this model cannot be",
    "thresholds.json": "thresholds.json",
    "split.csv": "Whether the model was trained on this very image is not known",
    "predictions.csv": "How well this model does on test images is not known",
    "copies.csv": "How well this model does on test images is not known",
    "checksums.json": "How well this model does on test images is not known",
    "external.json": "How well this model does on test images is not known",
    "config.json": "",
    "status.json": "",
}
OPTIONAL = ("calibration.json", "thresholds.json", "copies.csv", "checksums.json")
"""What many runs never had: its loss cannot be told."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged") / "workspace"
    unpack(folder)
    run = RunStore(folder).get(IDS["trained"])
    # As later versions write it.
    write_split(run, read_split(run).assign(digest="0"))
    (run.folder / "checksums.json").unlink()
    return folder


@pytest.fixture
def run(old: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(old))
    monkeypatch.delenv("MEDMODEL_DATA")
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    monkeypatch.setattr(Predictor, "_exchange", answered)
    return RunStore().get(IDS["trained"])


def answered(self: Predictor, question: Message) -> Message:
    """What a predictor says to each question, without TensorFlow."""
    if question.facts["command"] != Command.PREDICT:
        return Message({})
    count, *shape = question.arrays[0].shape
    scores = np.tile(np.array([0.7, 0.2, 0.1], np.float32), (count, 1))
    maps = np.zeros((count, *shape[:2]), np.float32)
    wanted = "heatmap_for" in question.facts
    return Message({"ood": []}, [scores, maps] if wanted else [scores])


def image() -> tuple[str, bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "drawn.png", buffer.getvalue()


def diagnosed(run: Run) -> AppTest:
    run_index._known.pop(run.folder, None)
    st.cache_resource.clear()  # as a server that was started since
    app = opened(run)
    drop(app, image())
    assert len(first_choices(app)) == 1
    return app


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_image_is_diagnosed_whatever_else_is_damaged(
    damage: str, run: Run, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(run.folder, whole)
    try:
        for name, sentence in SAID.items():
            (run.folder / name).unlink(missing_ok=True)
            DAMAGES[damage](run.folder / name)
            text = said(diagnosed(run))
            if damage != "lost" or name not in (*OPTIONAL, "external.json"):
                assert sentence in text, name
                assert name in text or not sentence, name
            shutil.rmtree(run.folder)
            shutil.copytree(whole, run.folder)
    finally:
        shutil.rmtree(run.folder)
        shutil.copytree(whole, run.folder)


def test_scores_of_a_lost_calibration_are_those_of_the_model(run: Run) -> None:
    path = run.folder / "calibration.json"
    kept = path.read_bytes()
    assert "calibrated on" in said(diagnosed(run))
    path.write_bytes(b"{")
    try:
        app = diagnosed(run)
        assert "below (70\N{NO-BREAK SPACE}%)" in first_choices(app)[0]
        assert "not calibrated" in said(app)
    finally:
        path.write_bytes(kept)


def test_predictions_of_another_model_are_named(run: Run) -> None:
    kept = run.predictions_path.read_bytes()
    header, *rows = kept.decode().splitlines()
    assert header.endswith(",score_right") and not rows[0].startswith('"')
    renamed = header.replace("score_right", "score_other")
    rows = [row.replace(",right,", ",other,") for row in rows]
    run.predictions_path.write_text("\n".join([renamed, *rows, ""]))
    try:
        assert "predictions.csv is damaged (it is another model's)" in said(
            diagnosed(run)
        )
    finally:
        run.predictions_path.write_bytes(kept)


@pytest.mark.parametrize(
    ("name", "view", "sentence"),
    [
        ("split.csv", "Metrics", "also occur in training or validation is not known"),
        ("thresholds.json", "Curves", "thresholds.json is damaged"),
        ("calibration.json", "Calibration", "calibration.json is damaged"),
    ],
)
def test_metrics_stand_beside_what_is_damaged(
    name: str, view: str, sentence: str, run: Run
) -> None:
    kept = (run.folder / name).read_bytes()
    (run.folder / name).unlink()
    if name != "split.csv":
        (run.folder / name).write_bytes(b"{")
    st.cache_resource.clear()
    st.cache_data.clear()
    try:
        text = said(open_page("results/evaluate.py", run=run.id, view=view))
        assert sentence in text and "Measured on" in text
    finally:
        (run.folder / name).write_bytes(kept)
