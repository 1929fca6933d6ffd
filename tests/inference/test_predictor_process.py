"""What the predictor process answers to each kind of question."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from medmodel.core.errors import PredictionError
from medmodel.core.processes.messages import Command, Message
from medmodel.inference import predictor_process
from medmodel.inference.model_cache import ModelCache
from medmodel.inference.prediction import USUAL, LoadedModel, load, predict
from medmodel.inference.predictor_process import answer
from tests.inference.test_prediction import SIZE, create_run, save_model


@pytest.fixture
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (5, SIZE, SIZE, 1), dtype=np.uint8)


def test_answers_of_the_predictor(images: np.ndarray) -> None:
    run = create_run()
    save_model(run)
    cache = ModelCache(limit=1 << 30)
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}

    assert answer(Message({**facts, "command": Command.LOAD}), cache).facts == {}
    scores = answer(Message(facts, [images[:5]]), cache).arrays[0]
    expected = predict(load(run), images[:5])
    np.testing.assert_allclose(scores, expected, atol=1e-5)

    asked = Message({**facts, "heatmap_for": [-1, 0, 2]}, [images[:3]])
    heatmaps = answer(asked, cache).arrays[1]
    assert heatmaps.shape == (3, SIZE, SIZE)
    assert heatmaps.min() >= 0 and heatmaps.max() <= 1

    unknown = Message({**facts, "heatmap_for": [3]}, [images[:1]])
    assert "classes 0 to 2" in answer(unknown, cache).facts["error"]


def write_header(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0.npy", b"\x93NUMPY\x01\x00\x06\x00{'a': ")


def write_arrays(**arrays: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.savez(path, allow_pickle=False, **arrays)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"x"),
        write_header,
        write_arrays(first=np.zeros(4)),
        write_arrays(**{"0": np.zeros((2, 999))}),
        write_arrays(**{"0": np.full(4, np.nan)}),
        write_arrays(**{"0": np.array(["a"])}),
    ],
)
def test_damaged_usual_features_take_the_maps_alone(
    images: np.ndarray, damage: Callable[[Path], None]
) -> None:
    run = create_run()
    save_model(run)
    damage(run.folder / USUAL)
    cache = ModelCache(limit=1 << 30)
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}
    assert answer(Message({**facts, "command": Command.LOAD}), cache).facts == {}
    # Asked for scores and a map at once, it gives the scores.
    both = answer(Message({**facts, "heatmap_for": [0]}, [images[:1]]), cache)
    assert len(both.arrays) == 1 and "error" not in both.facts
    asked = {"command": Command.EXPLAIN, "position": 0, "randomised": False}
    question = {**facts, **asked, "method": "hires_cam"}
    refused = answer(Message(question, [images[:1]]), cache).facts["error"]
    assert "usual.npz is damaged" in refused and "Predictions do not need" in refused
    for method in ("grad_cam", "occlusion"):
        question = {**facts, **asked, "method": method}
        assert answer(Message(question, [images[:1]]), cache).arrays[0].shape[0] == 1


def test_a_map_comes_with_the_scores_of_test_time_augmentation(
    images: np.ndarray,
) -> None:
    run = create_run()
    save_model(run)
    run.write_model_facts(replace(run.model_facts, flips="both"))
    cache = ModelCache(limit=1 << 30)
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}
    scores, heatmaps = answer(
        Message({**facts, "heatmap_for": [0, 1]}, [images[:2]]), cache
    ).arrays
    np.testing.assert_allclose(scores, predict(load(run), images[:2]), atol=1e-5)
    assert heatmaps.shape == (2, SIZE, SIZE)


def test_a_map_is_of_the_first_choice_of_test_time_augmentation(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another class than that of the image alone."""
    run = create_run()
    save_model(run)
    run.write_model_facts(replace(run.model_facts, flips="horizontal"))
    averaged = np.array([[0.4, 0.5, 0.1], [0.7, 0.2, 0.1]], np.float32)
    monkeypatch.setattr(predictor_process, "predict", lambda loaded, images: averaged)
    asked: list[list[int]] = []
    explain = LoadedModel.explain.func  # type: ignore[attr-defined]

    def noted(loaded: LoadedModel) -> Callable[..., Any]:
        def explained(images: np.ndarray, positions: list[int]) -> Any:
            asked.append(positions)
            return explain(loaded)(images, positions)

        return explained

    monkeypatch.setattr(LoadedModel, "explain", property(noted))
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}
    for positions, named in (([-1, -1], [1, 0]), ([0, -1], [0, 0])):
        message = Message({**facts, "heatmap_for": positions}, [images[:2]])
        reply = answer(message, ModelCache(1 << 30))
        assert "error" not in reply.facts and asked.pop() == named


def test_an_error_in_our_code_fails_only_its_request(
    images: np.ndarray,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run = create_run()
    save_model(run)
    cache = ModelCache(limit=1 << 30)
    bad = Message({"command": Command.PREDICT, "folder": str(run.folder)}, [])
    assert "IndexError" in answer(bad, cache).facts["error"]
    assert "Traceback" in capfd.readouterr().err
    unknown = Message({"command": "guess", "folder": str(run.folder)}, [images[:1]])
    assert "ValueError" in answer(unknown, cache).facts["error"]


def test_maps_are_computed_with_all_bits(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphics cards multiply with 10 bits otherwise, which shows in a map."""
    run = create_run()
    save_model(run)
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    noted: list[bool] = []

    def explain(*_: object) -> None:
        noted.append(enabled())
        raise PredictionError("enough")

    monkeypatch.setattr(LoadedModel, "explain", explain)
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}
    question = Message({**facts, "heatmap_for": [0]}, [images[:1]])
    assert answer(question, ModelCache(limit=1 << 30)).facts["error"] == "enough"
    assert noted == [False] and enabled()


@pytest.mark.parametrize(("position", "known"), [(-2, 0), (-1, 1), (2, 1), (3, 0)])
def test_classes_that_can_be_explained(
    images: np.ndarray, position: int, known: bool
) -> None:
    """-1 is the first choice."""
    run = create_run()
    save_model(run)
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}
    question = Message({**facts, "heatmap_for": [position]}, [images[:1]])
    assert ("error" in answer(question, ModelCache(limit=1 << 30)).facts) is not known
