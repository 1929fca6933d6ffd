"""Evaluation of a predictions table against hand-made and reference numbers."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError, RunError
from medmodel.evaluation.comparison.paired_tests import area_difference, mcnemar
from medmodel.evaluation.evaluation import evaluate, evaluate_predictions
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.metrics.curves import roc_curve
from medmodel.evaluation.metrics.ranking_metrics import roc_auc, weighted_auc
from medmodel.evaluation.predictions import (
    Predictions,
    shared_patients,
    split_predictions,
)
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from medmodel.runs.tables.split import write_split

pytestmark = pytest.mark.usefixtures("every_interval")


def table_of(
    labels: list[str],
    scores: np.ndarray,
    classes: list[str],
    patients: list[str] | None = None,
) -> pd.DataFrame:
    """A predictions table of the test split."""
    table = pd.DataFrame(
        {
            "path": [f"{label}/{i}.png" for i, label in enumerate(labels)],
            "patient": patients or "",
            "split": "test",
            "label": labels,
        }
    )
    return table.assign(**{f"score_{c}": scores[:, i] for i, c in enumerate(classes)})


def random_table(seed: int, n: int = 400, k: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    classes = [f"class {i}" for i in range(k)]
    return table_of([classes[i] for i in truth], scores, classes)


@pytest.fixture
def small() -> pd.DataFrame:
    # Ten images: six sick (five found), four healthy (three left alone).
    sick = [0.9, 0.8, 0.8, 0.7, 0.6, 0.2, 0.1, 0.3, 0.4, 0.6]
    scores = np.column_stack([1 - np.array(sick), sick])
    return table_of(["sick"] * 6 + ["healthy"] * 4, scores, ["healthy", "sick"])


def test_hand_computed(small: pd.DataFrame) -> None:
    found = evaluate(small)
    assert found.accuracy == wilson(8, 10)
    assert found.confusion.tolist() == [[3, 1], [1, 5]]
    healthy, sick = found.per_class
    assert (healthy.images, healthy.predicted) == (4, 4)
    assert sick.sensitivity == wilson(5, 6)
    assert sick.precision == wilson(5, 6)
    assert healthy.sensitivity == wilson(3, 4)
    assert found.balanced_accuracy.value == pytest.approx((5 / 6 + 3 / 4) / 2)
    # 24 pairs: all but 0.2 against 0.3, 0.4, 0.6, and one tie at 0.6: 20.5 / 24.
    assert found.auc.value == pytest.approx(20.5 / 24)
    assert (found.majority, found.baseline) == (["sick"], wilson(6, 10))
    assert found.baseline_sentence == (
        "Baseline (majority class sick of the test images): accuracy 0.600 "
        "(0.313–0.832)."
    )
    assert (found.images, found.patients) == (10, 0)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("aab", "majority class a of the test images"),
        ("aabb", "always a or always b: equally many test images"),
        ("aabbc", "always a or always b: equally many test images"),
        (
            "bbccdd",
            "always one of 3 classes with equally many test images, b among them",
        ),
    ],
)
def test_equally_common_classes_are_no_majority(labels: str, words: str) -> None:
    classes = list("abcd")
    truth = np.array([classes.index(label) for label in labels])
    data = Predictions(classes, truth, np.full((len(truth), 4), 0.25), None)
    assert evaluate_predictions(data).baseline_name == f"Baseline ({words})"


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed: int) -> None:
    table = random_table(seed)
    found, data = evaluate(table), split_predictions(table, "test")
    truth, predicted = data.truth, data.predicted
    assert found.accuracy.value == metrics.accuracy_score(truth, predicted)
    assert found.balanced_accuracy.value == pytest.approx(
        metrics.balanced_accuracy_score(truth, predicted)
    )
    assert found.auc.value == pytest.approx(
        metrics.roc_auc_score(truth, data.scores, multi_class="ovr", average="macro")
    )
    recalls = metrics.recall_score(truth, predicted, average=None)
    precisions = metrics.precision_score(truth, predicted, average=None)
    results = found.per_class
    assert [r.sensitivity.value for r in results] == pytest.approx(list(recalls))
    assert [r.precision.value for r in results] == pytest.approx(list(precisions))
    expected = metrics.confusion_matrix(truth, predicted)
    assert (found.confusion == expected).all()


def test_intervals_agree_with_a_stratified_bootstrap() -> None:
    data = split_predictions(random_table(3), "test")
    found = evaluate(random_table(3))
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(data.truth == c) for c in range(5)]
    areas, means = [], []
    for _ in range(300):
        picked = np.concatenate([rng.choice(r, len(r)) for r in rows])
        truth, scores = data.truth[picked], data.scores[picked]
        areas.append(metrics.roc_auc_score(truth, scores, multi_class="ovr"))
        hits = truth == scores.argmax(1)
        means.append(np.mean([hits[truth == c].mean() for c in range(5)]))
    for estimate, draws in [(found.auc, areas), (found.balanced_accuracy, means)]:
        low, high = np.quantile(draws, [0.025, 0.975])
        assert estimate.low == pytest.approx(low, abs=0.012)
        assert estimate.high == pytest.approx(high, abs=0.012)


def test_absent_class_is_not_measurable(small: pd.DataFrame) -> None:
    found = evaluate(small.assign(score_rare=0.0))
    rare = found.per_class[2]
    assert rare.sensitivity.n == rare.precision.n == rare.images == 0
    for estimate in (rare.sensitivity, rare.precision, rare.auc):
        assert str(estimate) == "not measurable"
    assert found.balanced_accuracy == evaluate(small).balanced_accuracy
    assert found.auc == evaluate(small).auc


def test_one_class_alone_has_no_area(small: pd.DataFrame) -> None:
    found = evaluate(small[small["label"] == "sick"])
    assert not found.auc.measurable
    assert found.balanced_accuracy.value == pytest.approx(5 / 6)


def test_patients_widen_the_intervals() -> None:
    table = random_table(4)
    once = evaluate(table)
    twice = pd.concat([table, table]).assign(
        patient=[f"p{i}" for i in range(len(table))] * 2
    )
    found = evaluate(twice)
    assert (found.images, found.patients) == (800, 400)
    for name in ("accuracy", "balanced_accuracy", "auc"):
        copied, single = getattr(found, name), getattr(once, name)
        assert copied.value == pytest.approx(single.value)
        assert copied.high - copied.low == pytest.approx(
            single.high - single.low, rel=0.03
        )


def test_patients_partly_unknown_count_as_unknown(small: pd.DataFrame) -> None:
    small.loc[0, "patient"] = "p1"
    assert evaluate(small).patients == 0


def test_small_n_says_so() -> None:
    # 134 of 156 right, as on BreastMNIST.
    scores = np.repeat([[0.1, 0.9], [0.9, 0.1]], [134, 22], axis=0)
    found = evaluate(table_of(["b"] * 156, scores, ["a", "b"]))
    assert found.resolution == (
        "Smallest detectable difference ≈ 8 percentage points (n = 156 images)."
    )


def test_perfect_accuracy_does_not_resolve_everything() -> None:
    scores = np.tile([0.1, 0.9], (20, 1))
    found = evaluate(table_of(["b"] * 20, scores, ["a", "b"]))
    assert found.smallest_difference > 0.1


@pytest.mark.parametrize("n", [40, 80, 600])
def test_no_difference_is_detectable_that_the_test_never_finds(n: int) -> None:
    """A perfect model beside one that has so many images wrong."""
    scores = np.tile([0.1, 0.9], (n, 1))
    found = evaluate(table_of(["b"] * n, scores, ["a", "b"]))
    told = math.ceil(found.smallest_difference * n - 1e-9)
    for wrong in range(1, 20):
        change = np.zeros(n, int)
        change[:wrong] = 1
        if mcnemar(change, None) <= 0.05:
            assert wrong <= told
            break
        assert wrong < told


def test_ties_are_counted_where_no_threshold_decides() -> None:
    scores = [[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]
    table = table_of(["a", "b", "a", "b"], np.array(scores), ["a", "b"])
    found = evaluate(table)
    assert found.tied == 2
    assert found.ties.startswith("2 of 4 test images have their highest score for")
    data = replace(split_predictions(table, "test"), choices=np.array([0, 1, 0, 1]))
    decided = evaluate_predictions(data)
    assert (decided.tied, decided.ties) == (0, "")


def test_first_of_equal_scores_is_the_choice() -> None:
    table = table_of(["a", "b"], np.full((2, 2), 0.5), ["a", "b"])
    assert split_predictions(table, "test").predicted.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "val"}, "There is no test image"),
        ({"label": "other"}, "'other' is not a class"),
        ({"score_sick": np.nan}, "not a number"),
    ],
)
def test_unusable_tables(
    small: pd.DataFrame, change: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        evaluate(small.assign(**change))  # type: ignore[arg-type]


@pytest.fixture
def run(workspace: Path) -> Run:
    return RunStore().create(TrainConfig(dataset="/data/chest"))


def test_read_predictions(run: Run) -> None:
    table = table_of(
        ["NA", "None", 'ü, "x"'], np.eye(3), ["NA", "None", 'ü, "x"'], ["1", "", "x"]
    )
    table.to_csv(run.folder / "predictions.csv", index=False)
    found = read_predictions(run)
    pd.testing.assert_frame_equal(
        found.astype({c: object for c in found if found[c].dtype != float}),
        table.astype({c: object for c in table if table[c].dtype != float}),
    )


def test_predictions_missing_or_broken(run: Run) -> None:
    with pytest.raises(RunError, match="no predictions yet"):
        read_predictions(run)
    path = run.folder / "predictions.csv"
    path.write_text("path,patient,split,label,score_a\nx,,test,a,much\n")
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(run)
    path.write_text("path,patient,split\n")
    with pytest.raises(RunError, match="no column label"):
        read_predictions(run)


def test_patients_on_both_sides_are_counted(run: Run) -> None:
    def write(*rows: list[str]) -> None:
        columns = ["path", "label", "patient", "split"]
        write_split(run, pd.DataFrame(rows, columns=columns))

    rows = [
        ["1", "a", "p1", "train"],
        ["2", "a", "p2", "val"],
        ["3", "b", "p3", "test"],
    ]
    write(*rows)
    assert shared_patients(run) == 0
    write(*rows, ["4", "b", "p2", "test"])
    assert shared_patients(run) == 1
    volume = ["b/v.nii#axial=3", "b", "b/v.nii", "test"]
    for row in (["4", "b", "", "test"], volume):
        write(*rows, row)
        assert shared_patients(run) is None


def test_no_split_yet(run: Run) -> None:
    with pytest.raises(RunError, match=r"split\.csv of"):
        shared_patients(run)


def saturated(margins: np.ndarray) -> Predictions:
    """Scores of two classes as a softmax in single precision gives them."""
    logits = np.stack([np.zeros_like(margins), margins], axis=1).astype(np.float32)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = raised / raised.sum(axis=1, keepdims=True)
    truth = np.arange(len(margins)) % 2
    return Predictions(["a", "b"], truth, scores.astype(np.float64), None)


def test_images_are_ranked_where_a_softmax_says_1_of_all() -> None:
    """0.84 by the logits; the score of b is 1 of all, and would make it 0.5."""
    margins = np.array([20, 40, 25, 50, 30, 22, 35, 60, 24, 70], np.float64)
    data = saturated(margins)
    assert (data.scores[:, 1] == 1).all()
    assert np.argsort(data.log_odds[:, 1]).tolist() == np.argsort(margins).tolist()
    assert metrics.roc_auc_score(data.truth, margins) == pytest.approx(0.84)
    areas = [roc_auc(data, at).value for at in (0, 1, None)]
    assert areas == [0.84] * 3
    ones = np.ones((1, len(margins)))
    assert weighted_auc(data, ones).tolist() == [0.84]
    assert evaluate_predictions(data).auc.value == 0.84
    assert [c.auc.value for c in evaluate_predictions(data).per_class] == [0.84, 0.84]
    for at in (0, 1):
        curve = roc_curve(data, at)
        assert np.trapezoid(curve.y, curve.x) == pytest.approx(0.84)
        assert (np.diff(curve.thresholds) <= 0).all()
    assert area_difference(data, saturated(-margins))[0].value == pytest.approx(0.68)


@given(st.integers(0, 10_000), st.sampled_from([1.0, 10.0, 60.0]))
@settings(max_examples=50, deadline=None)
def test_two_classes_have_one_area(seed: int, spread: float) -> None:
    margins = spread * np.random.default_rng(seed).normal(size=41)
    data = saturated(margins)
    first, second = (roc_auc(data, at) for at in (0, 1))
    assert first.value == second.value
    assert (data.log_odds[:, 0] == -data.log_odds[:, 1]).all()


def test_equal_scores_stay_tied_whatever_arithmetic_made_the_other() -> None:
    scores = np.array([[0.7, 0.3], [0.7, 1 - 0.7], [0.0, 1.0], [1.0, 0.0]])
    ranks = Predictions(["a", "b"], np.array([0, 1, 0, 1]), scores, None).log_odds
    assert ranks[0].tolist() == ranks[1].tolist()
    assert np.isfinite(ranks).all() and ranks[2, 0] < ranks[0, 0] < ranks[3, 0]


def test_scores_that_are_no_probabilities_are_ranked_as_they_are() -> None:
    scores = np.array([[0.9, 0.8], [0.8, 0.1]])
    data = Predictions(["a", "b"], np.array([0, 1]), scores, None)
    assert data.log_odds.tolist() == scores.tolist()


def test_rounded_scores_are_ranked_as_they_are() -> None:
    """Equal scores of a class are a tie, whatever the others were rounded to."""
    scores = np.array([[0.33, 0.33, 0.33], [0.33, 0.34, 0.33], [0.5, 0.25, 0.25]])
    data = Predictions(["a", "b", "c"], np.array([0, 1, 2]), scores, None)
    assert data.log_odds[0, 0] == data.log_odds[1, 0] < data.log_odds[2, 0]
