"""The map on a data set's page: none yet, busy, failed, there, out of date."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.data.datasets import load_index
from medmodel.quality import embedding_map, indexing
from medmodel.quality.embedding_map import EmbeddingMap, map_task, save_map
from tests.pages.page import open_page, press, said

PAGE = "data/datasets.py"


@pytest.fixture
def folder(class_folders: Path) -> Path:
    indexing.check_folder(class_folders)
    return class_folders


def save(folder: Path, fingerprint: str = "") -> None:
    index = load_index(folder)
    assert index is not None
    paths = list(index.readable["path"])
    places = np.linspace(-1, 1, 2 * len(paths)).reshape(-1, 2).astype(np.float32)
    save_map(folder, EmbeddingMap(fingerprint or index.fingerprint, paths, places))


def legend(page: AppTest) -> set[str]:
    charts = [
        json.loads(part.proto.json)
        for part in page.get("bidi_component")
        if part.proto.component_name.endswith("point_map")
    ]
    return {group["name"] for chart in charts for group in chart["groups"]}


def test_the_map_in_its_states(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr(embedding_map, "start_map", started.append)
    page = open_page(PAGE, dataset=str(folder))
    press(page, "Compute the map")
    assert started == [folder]

    map_task(folder).write("failed", error="The disk is *full*.")
    page = open_page(PAGE, dataset=str(folder))
    assert any("full" in error.value for error in page.error)

    map_task(folder).write("finished")
    save(folder)
    page = open_page(PAGE, dataset=str(folder))
    assert not page.exception and not page.error
    assert "n = 24 of 24 images" in said(page)
    assert {"dark (12)", "light (12)"} <= legend(page)
    for colour in ("Split", "Finding", "Source (format, size)"):
        next(c for c in page.get("button_group") if c.label == "Colour").set_value(
            colour
        ).run()
        assert not page.exception

    save(folder, "another")
    page = open_page(PAGE, dataset=str(folder))
    assert any("has changed since" in warning.value for warning in page.warning)
