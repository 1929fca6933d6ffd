"""The map of a data set: its places, its file, what happens with few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.quality import embedding_map
from medmodel.quality.embedding_map import (
    EmbeddingMap,
    colourings,
    load_map,
    mapped_rows,
    prediction_colourings,
    project,
    save_map,
)
from medmodel.quality.issues import Issue


def two_groups(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, 20))
    features[count // 2 :] += 20
    return features.astype(np.float16)


def test_similar_images_are_neighbours_and_a_seed_is_a_map() -> None:
    places = project(two_groups(60))
    assert places.shape == (60, 2)
    assert np.abs(places).max() == pytest.approx(1)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert (gaps.argmin(axis=1) // 30 == np.arange(60) // 30).all()
    assert np.array_equal(places, project(two_groups(60)))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_few_images_have_places_too(count: int) -> None:
    places = project(two_groups(count))
    assert places.shape == (count, 2)
    assert np.isfinite(places).all() and np.abs(places).max() <= 1


def test_equal_images_have_places_too() -> None:
    assert np.isfinite(project(np.ones((7, 3)))).all()


def test_all_images_or_as_many_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(9)]}, index=range(5, 14))
    assert list(mapped_rows(table)["path"]) == list(table["path"])
    monkeypatch.setattr(embedding_map, "MOST_POINTS", 4)
    drawn = list(mapped_rows(table)["path"])
    assert len(drawn) == 4 and drawn == sorted(drawn)
    assert list(mapped_rows(table)["path"]) == drawn


def test_a_map_survives_its_file(tmp_path: Path) -> None:
    assert load_map(tmp_path) is None
    made = EmbeddingMap(
        "abc", ["a/1.png", "b/ü.png"], np.array([[0, 1], [-1, 0.5]], np.float32)
    )
    save_map(tmp_path, made)
    loaded = load_map(tmp_path)
    assert loaded is not None
    assert (loaded.fingerprint, loaded.paths) == ("abc", made.paths)
    assert np.array_equal(loaded.places, made.places)


@pytest.mark.parametrize("damage", ["cut", "text", "shape", "nan"])
def test_a_damaged_map_is_none(tmp_path: Path, damage: str) -> None:
    places = np.zeros((2 if damage == "shape" else 3, 2), np.float32)
    places[1] = np.nan if damage == "nan" else 0
    save_map(tmp_path, EmbeddingMap("abc", ["a", "b", "c"], places))
    (path,) = list(embedding_map.index_folder(tmp_path).glob("map.npz"))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "text":
        path.write_text("no archive")
    assert load_map(tmp_path) is None


def test_what_points_are_coloured_by() -> None:
    table = pd.DataFrame(
        {
            "path": ["1", "2", "3"],
            "label": ["a", "b", "b"],
            "split": ["train", "", "test"],
            "format": "PNG",
            "width": [8, 8, 9],
            "height": 8,
        }
    )
    issues = [
        Issue("same", "Copies", "", "problem", 1, [["3", "1"]]),
        Issue("dark", "Dark", "", "ok", 1, [["3"]]),
    ]
    groups = colourings(["3", "2", "gone"], table, issues)
    assert groups["Class"] == ["b", "b", "unknown"]
    assert groups["Split"][:2] == ["test", "drawn"]
    assert groups["Finding"] == ["Copies", "none", "none"]
    assert groups["Source (format, size)"][:2] == ["PNG, 9 × 8", "PNG, 8 × 8"]


def test_coloured_by_what_a_run_said() -> None:
    said = pd.DataFrame({"path": ["1", "2"], "label": "a", "choice": ["a", "b"]})
    groups = prediction_colourings(["2", "1", "3"], said)
    assert groups["Error"] == ["misclassified", "correct", "not in the test"]
    assert groups["Predicted class"] == ["b", "a", "not in the test"]
