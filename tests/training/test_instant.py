"""The layer that learns while features arrive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.prepared import Prepared
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status_writer import StatusWriter
from medmodel.training import instant
from medmodel.training.context import TrainingContext
from medmodel.training.instant import Learner

COUNT, WIDTH = 900, 12


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore().create(config_for("instant", str(tmp_path), size=28))


def drawn() -> tuple[np.ndarray, pd.DataFrame]:
    """Features of three classes, and their table; a third each for val and test."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, COUNT)
    features = rng.normal(size=(3, WIDTH))[labels] * 2 + rng.normal(size=(COUNT, WIDTH))
    splits = np.array(["train", "val", "test"])[np.arange(COUNT) % 3]
    names = np.array(["a", "b", "c"])[labels]
    table = pd.DataFrame({"path": "", "label": names, "patient": "", "split": splits})
    return features.astype(np.float16), table


def material(run: Run, reporter: StatusWriter) -> TrainingContext:
    _, table = drawn()
    pixels = np.zeros((COUNT, 1, 1, 1), np.uint8)
    prepared = Prepared(run.folder, pixels, table, {})
    preprocessing = Preprocessing(28)
    classes = ["a", "b", "c"]
    return TrainingContext(run, run.config, reporter, classes, preprocessing, prepared)


def learned(run: Run, portion: int, epochs: int = 20) -> instant.Head:
    features, _ = drawn()
    order = np.random.default_rng(1).permutation(COUNT)
    with StatusWriter(run) as reporter:
        learner = Learner(material(run, reporter), WIDTH)
        for start in range(0, COUNT, portion):
            rows = order[start : start + portion]
            learner.take(rows, features[rows])
        head = learner.learn_epochs(epochs)
    assert head is not None
    return head


def test_result_does_not_depend_on_how_features_come(run: Run) -> None:
    one, two = learned(run, 32), learned(run, 500)
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    np.testing.assert_array_equal(one.mean, two.mean)


def test_learns_and_reports(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instant, "STEP_SECONDS", 0.0)
    learned(run, 32)
    history = pd.read_csv(run.folder / "history.csv")
    assert history["epoch"].tolist() == list(range(1, 21))
    assert history["val_accuracy"].iloc[-1] > 0.9
    assert history["val_loss"].iloc[-1] < 0.5
    steps = pd.read_csv(run.folder / "steps.csv")
    # Before the first lesson the layer knows nothing and says so.
    assert steps["loss"].iloc[0] == pytest.approx(np.log(3), abs=1e-4)
    assert steps["loss"].iloc[-1] < 0.5
    assert steps["step"].tolist() == list(range(1, len(steps) + 1))
    assert run.status.best_epoch == 20


def test_test_images_teach_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = learned(run, 500)
    features, table = drawn()
    features[(table["split"] == "test").to_numpy()] = 1000
    monkeypatch.setattr("tests.training.test_instant.drawn", lambda: (features, table))
    np.testing.assert_array_equal(learned(run, 500).coefficients, honest.coefficients)


def test_stop_ends_the_epochs(run: Run) -> None:
    run.request_stop()
    learned(run, 500)
    assert len(pd.read_csv(run.folder / "history.csv")) == 1


def test_nothing_to_learn_from(run: Run) -> None:
    with StatusWriter(run) as reporter:
        assert Learner(material(run, reporter), WIDTH).learn_epochs(5) is None


def test_weights_are_balanced_only_if_asked(run: Run) -> None:
    with StatusWriter(run) as reporter:
        found = material(run, reporter)
        counts = np.bincount(found.targets[found.rows("train")])
        np.testing.assert_allclose(found.weights * counts, 100, rtol=1e-5)
