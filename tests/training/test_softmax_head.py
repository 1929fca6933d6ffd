"""The layer that learns while features arrive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.prepared import Prepared
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training import softmax_head
from medmodel.training.context import TrainingContext
from medmodel.training.logistic_regression import log_probabilities
from medmodel.training.softmax_head import (
    FIRST_FIT,
    STRENGTHS,
    HeadTrainer,
    SoftmaxHead,
)

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


def context_of(run: Run, reporter: StatusWriter) -> TrainingContext:
    _, table = drawn()
    pixels = np.zeros((COUNT, 1, 1, 1), np.uint8)
    prepared = Prepared(run.folder, pixels, table, {})
    preprocessing = Preprocessing(28)
    classes = ["a", "b", "c"]
    return TrainingContext(run, run.config, reporter, classes, preprocessing, prepared)


def learned(run: Run, portion: int, epochs: int = 20) -> SoftmaxHead:
    features, _ = drawn()
    order = np.random.default_rng(1).permutation(COUNT)
    with StatusWriter(run) as reporter:
        trainer = HeadTrainer(context_of(run, reporter), WIDTH)
        for start in range(0, COUNT, portion):
            rows = order[start : start + portion]
            trainer.add_features(rows, features[rows])
        head = trainer.train_epochs(epochs)
    assert head is not None
    return head


def test_result_does_not_depend_on_how_features_come(run: Run) -> None:
    one, two = learned(run, 32), learned(run, 500)
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    np.testing.assert_array_equal(one.mean, two.mean)


@pytest.mark.parametrize(("portion", "seconds"), [(32, 0.0), (500, 0.0), (32, 1e9)])
def test_steps_count_images_whatever_the_time(
    run: Run, monkeypatch: pytest.MonkeyPatch, portion: int, seconds: float
) -> None:
    monkeypatch.setattr(softmax_head, "STEP_SECONDS", seconds)
    learned(run, portion, epochs=3)
    # 300 training images are ten batches of 32.
    history = pd.read_csv(run.folder / "history.csv")
    assert history["step"].tolist() == [11, 12, 13]
    steps = pd.read_csv(run.folder / "steps.csv")["step"]
    assert steps.is_monotonic_increasing and steps.is_unique


def test_learns_and_reports(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax_head, "STEP_SECONDS", 0.0)
    learned(run, 32)
    history = pd.read_csv(run.folder / "history.csv")
    assert history["epoch"].tolist() == list(range(1, 21))
    assert history["val_accuracy"].iloc[-1] > 0.9
    assert history["val_loss"].iloc[-1] < 0.5
    steps = pd.read_csv(run.folder / "steps.csv")
    # Before the first fit the layer knows nothing and says so.
    assert steps["loss"].iloc[0] == pytest.approx(np.log(3), abs=1e-4)
    assert steps["loss"].iloc[-1] < 0.5
    assert steps["step"].tolist() == list(range(1, len(steps) + 1))
    assert run.status.best_epoch == history["val_loss"].argmin() + 1


def test_history_holds_the_loss_of_the_head_that_is_saved(run: Run) -> None:
    """Its temperature included, and with the standardisation folded in."""
    kernel, bias = learned(run, 500).dense_weights
    features, table = drawn()
    rows = np.flatnonzero((table["split"] == "val").to_numpy())
    targets = np.array([ord(label) - ord("a") for label in table["label"]])[rows]
    logits = features[rows].astype(float) @ kernel + bias
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -logits[np.arange(len(rows)), targets].mean()
    best = pd.read_csv(run.folder / "history.csv").iloc[run.status.best_epoch - 1]
    assert best["val_loss"] == pytest.approx(loss, abs=1e-4)
    accuracy = (logits.argmax(axis=1) == targets).mean()
    assert best["val_accuracy"] == pytest.approx(accuracy)


def test_the_epoch_with_the_lowest_validation_loss_is_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the third epoch on the layer is made worse."""
    advance, epochs = HeadTrainer._advance, [0]

    def spoilt(self: HeadTrainer) -> None:
        advance(self)
        epochs[0] += self._next_fit > COUNT
        if epochs[0] > 2:
            self._coefficients = self._coefficients[:, :, ::-1] * epochs[0]

    monkeypatch.setattr(HeadTrainer, "_advance", spoilt)
    test_history_holds_the_loss_of_the_head_that_is_saved(run)
    history = pd.read_csv(run.folder / "history.csv")
    assert run.status.best_epoch == history["val_loss"].argmin() + 1 < 20


def test_a_point_of_the_curve_is_a_mean_of_many_images(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image at a time would give accuracies of 0 and 100 %."""
    monkeypatch.setattr(softmax_head, "STEP_SECONDS", 0.0)
    learned(run, 1, epochs=1)
    accuracies = pd.read_csv(run.folder / "steps.csv")["accuracy"]
    assert len(accuracies) > 5
    # Of the first sixteen images about a third is right by chance.
    assert 0.1 < accuracies[0] < 0.7


def test_a_new_standardisation_changes_no_prediction(run: Run) -> None:
    features, table = drawn()
    features[FIRST_FIT:] = 3 * features[FIRST_FIT:] + 5
    with StatusWriter(run) as reporter:
        trainer = HeadTrainer(context_of(run, reporter), WIDTH)
        trainer.add_features(np.arange(FIRST_FIT), features[:FIRST_FIT])
        trainer.add_features(np.arange(256, 500), features[256:500])

        def predicted() -> np.ndarray:
            standard = (features.astype(np.float32) - trainer._mean) / trainer._scale
            return log_probabilities(standard, trainer._coefficients)

        before, mean = predicted(), trainer._mean
        trainer._restart()
        assert np.abs(trainer._mean - mean).min() > 0.5
        np.testing.assert_allclose(predicted(), before, atol=1e-3)


@pytest.mark.parametrize(("patience", "epochs"), [(0, 9), (1, 2), (3, 4)])
def test_patience_ends_the_epochs(
    run: Run, monkeypatch: pytest.MonkeyPatch, patience: int, epochs: int
) -> None:
    monkeypatch.setattr(HeadTrainer, "_advance", lambda self: None)
    patient = RunStore().create(replace(run.config, patience=patience))
    learned(patient, 500, epochs=9)
    assert len(pd.read_csv(patient.folder / "history.csv")) == epochs


def test_folded_weights_by_hand() -> None:
    # (x - 1) / 2 * 6 + 0.5 = 3 x - 2.5
    coefficients = np.array([[6.0], [0.5]], np.float32)
    kernel, bias = SoftmaxHead(np.ones(1), np.full(1, 2.0), coefficients).dense_weights
    assert kernel.tolist() == [[3.0]] and bias.tolist() == [-2.5]


def test_test_images_teach_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = learned(run, 500)
    features, table = drawn()
    features[(table["split"] == "test").to_numpy()] = 1000
    monkeypatch.setattr(
        "tests.training.test_softmax_head.drawn", lambda: (features, table)
    )
    np.testing.assert_array_equal(learned(run, 500).coefficients, honest.coefficients)


def test_stop_ends_the_epochs(run: Run) -> None:
    run.request_stop()
    learned(run, 500)
    assert len(pd.read_csv(run.folder / "history.csv")) == 1


def test_nothing_to_learn_from(run: Run) -> None:
    with StatusWriter(run) as reporter:
        assert HeadTrainer(context_of(run, reporter), WIDTH).train_epochs(5) is None


def test_weights_are_balanced_only_if_asked(run: Run) -> None:
    with StatusWriter(run) as reporter:
        context = context_of(run, reporter)
        counts = np.bincount(context.targets[context.rows("train")])
        np.testing.assert_allclose(context.weights * counts, 100, rtol=1e-5)


def test_distances_are_from_the_nearest_class_mean(run: Run) -> None:
    features, table = drawn()
    with StatusWriter(run) as reporter:
        trainer = HeadTrainer(context_of(run, reporter), WIDTH)
        trainer.add_features(np.arange(COUNT), features)
        assert trainer.train_epochs(1) is not None
        means = trainer.class_means()
        rows = np.array([5, 3])
        distances = trainer.distances(rows, means)
    train = (table["split"] == "train").to_numpy()
    exact = features.astype(float)
    standard = (exact - exact[train].mean(0)) / exact[train].std(0)
    names = table["label"].to_numpy()
    expected = [
        min(
            np.sqrt(
                ((standard[row] - standard[train & (names == c)].mean(0)) ** 2).mean()
            )
            for c in "abc"
        )
        for row in rows
    ]
    np.testing.assert_allclose(distances, expected, rtol=1e-3)


def test_each_strength_is_trained_by_itself(run: Run) -> None:
    features, _ = drawn()
    heads = []
    with StatusWriter(run) as reporter:
        for strengths in (STRENGTHS, STRENGTHS[6:9]):
            context = context_of(run, reporter)
            trainer = HeadTrainer(context, WIDTH, strengths)
            trainer.add_features(np.arange(COUNT), features)
            trainer.train_epochs(6)
            heads.append(trainer._coefficients)
    np.testing.assert_allclose(heads[0][6:9], heads[1], atol=1e-3)
