"""An ensemble is made of finished runs, evaluated, explained and exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import DataError, RunError
from medmodel.core.job import UNATTENDED
from medmodel.ensembles.members import submit
from medmodel.evaluation.calibration.temperature_scaling import apply_temperature
from medmodel.evaluation.predictions import split_predictions
from medmodel.export.report import export_folder
from medmodel.inference import attribution, prediction
from medmodel.inference.export_model import export_model
from medmodel.inference.predictor_process import _explain
from medmodel.runs import queue
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions, score_array
from medmodel.runs.tables.split import read_split, write_split
from medmodel.training.ensembles import assembly
from tests.conftest import draw_class_folders
from tests.tiny_run import make_tiny_run


def assembled(members: list[Run]) -> Run:
    run = submit(members, RunStore())
    with StatusWriter(run) as reporter:
        assert assembly.assemble(run, reporter) is RunStatus.DONE
    return run


@pytest.fixture(autouse=True)
def nobody_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)


@pytest.fixture
def members(tmp_path: Path) -> list[Run]:
    folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=8)
    sizes = (32, 40)
    return [make_tiny_run(folder, f"tiny {n}", n, size) for n, size in enumerate(sizes)]


@pytest.fixture
def made(members: list[Run]) -> Run:
    return assembled(members)


def test_it_predicts_the_mean_and_needs_no_member(
    made: Run, members: list[Run]
) -> None:
    table = read_predictions(made)
    classes = made.model_facts.class_names
    expected = []
    for run, facts in zip(members, made.model_facts.members, strict=True):
        own = read_predictions(run).set_index("path").loc[table["path"]]
        scores = score_array(own, classes)
        expected.append(apply_temperature(scores, facts.temperature))
        assert facts.temperature == assembly.validation_temperature(run)
    scores = score_array(table, classes)
    product = np.prod(expected, axis=0) ** (1 / len(expected))
    geometric_mean = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, geometric_mean, atol=2e-2)
    assert made.model_facts.geometric
    assert split_predictions(table, "test").classes == classes
    for run in members:
        queue.delete(run, RunStore())
    loaded = prediction.load(made)
    assert prediction.predict(loaded, np.zeros((2, 40, 40, 1), np.uint8)).shape[0] == 2


def test_its_maps_are_the_mean_of_its_members(made: Run, members: list[Run]) -> None:
    loaded = prediction.load(made)
    image = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 1), np.uint8)
    seen = loaded.as_members_see(image)
    own = [prediction.load(run) for run in members]
    for method in ("explain", "grad_cam"):
        explained = getattr(loaded, method)(image, [1])
        maps = [
            getattr(model, method)(pixels, [1]).heatmaps
            for model, pixels in zip(own, seen, strict=True)
        ]
        expected = attribution.mean_maps(maps, 40)
        np.testing.assert_allclose(explained.heatmaps, expected, atol=1e-4)
    np.testing.assert_allclose(
        explained.scores, prediction.predict(loaded, image), atol=1e-5
    )


@pytest.mark.parametrize(
    ("method", "randomised"),
    [
        ("hires_cam", False),
        ("occlusion", False),
        ("integrated_gradients", False),
        ("integrated_gradients", True),
    ],
)
def test_every_method_explains_it(made: Run, method: str, randomised: bool) -> None:
    loaded = prediction.load(made)
    image = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 1), np.uint8)
    facts = {"position": 0, "method": method, "randomised": randomised}
    map_ = _explain(loaded, image, facts)
    assert map_.shape == (1, 40, 40) and 0 <= map_.min() <= map_.max() <= 1


def test_of_two_classes_the_first_choice_is_the_ensembles(made: Run) -> None:
    loaded = prediction.load(made)
    image = np.random.default_rng(3).integers(0, 256, (1, 40, 40, 1), np.uint8)
    first = int(prediction.predict(loaded, image)[0].argmax())
    np.testing.assert_array_equal(
        loaded.explain(image, [-1]).heatmaps, loaded.explain(image, [first]).heatmaps
    )


def test_it_is_exported(made: Run) -> None:
    report = export_model(made, "onnx", UNATTENDED)
    assert report.faithful and report.largest_difference < 1e-4
    assert (export_folder(made, "onnx") / "export.zip").exists()


def test_a_member_that_was_deleted_before(members: list[Run]) -> None:
    run = submit(members, RunStore())
    queue.delete(members[1], RunStore())
    with StatusWriter(run) as reporter, pytest.raises(RunError, match="tiny 1 was del"):
        assembly.assemble(run, reporter)
    assert not run.model_path.exists()


def test_an_attempt_that_was_killed_goes_on(made: Run, members: list[Run]) -> None:
    before = read_predictions(made)
    made.predictions_path.unlink()
    for run in members:
        queue.delete(run, RunStore())
    with StatusWriter(made) as reporter:
        assembly.assemble(made, reporter)
    pd.testing.assert_frame_equal(read_predictions(made), before)


def test_images_that_have_changed_since(members: list[Run]) -> None:
    for run in members:
        table = read_split(run)
        write_split(run, table.assign(digest="0" * 32))
    run = submit(members, RunStore())
    with StatusWriter(run) as reporter, pytest.raises(DataError, match="have changed"):
        assembly.assemble(run, reporter)


def test_damaged_usual_features_take_the_maps_alone(made: Run) -> None:
    path = made.folder / prediction.USUAL
    np.savez(path, allow_pickle=False, **{"1": np.zeros(999)})
    loaded = prediction.load(made)
    images = np.zeros((1, *loaded.facts.preprocessing.shape), np.uint8)
    assert prediction.predict(loaded, images).shape[0] == 1
    with pytest.raises(prediction.PredictionError, match=r"usual\.npz is damaged"):
        loaded.explain(images, [0])
    path.unlink()
    repaired = prediction.load(made)
    assert repaired.member_usual == {} and not repaired.map_problem
