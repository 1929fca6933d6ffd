"""Metrics against hand-computed tables, scikit-learn and their own bootstrap."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.evaluation.calibration.calibration_metrics import brier, log_loss
from medmodel.evaluation.intervals.bootstrap import bootstrap_distribution, draw_weights
from medmodel.evaluation.intervals.proportions import mean_of_proportions, wilson
from medmodel.evaluation.metrics.confusion_metrics import matthews, matthews_influence
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    call_metrics,
    class_metrics,
    limiting_group,
    overall_metrics,
)
from medmodel.evaluation.metrics.ranking_metrics import (
    precision_influence,
    weighted_area,
    weighted_precision,
)
from medmodel.evaluation.predictions import Predictions

pytestmark = pytest.mark.usefixtures("every_interval")


def drawn(
    seed: int, n: int = 120, classes: int = 3, decimals: int = 2, patients: bool = False
) -> Predictions:
    """Scores that mean something, with ties."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(classes, size=n)])
    logits = rng.normal(size=(len(truth), classes)) + 1.5 * np.eye(classes)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if decimals:
        scores = np.round(scores, decimals)
        scores /= scores.sum(axis=1, keepdims=True)
    numbers = rng.integers(n // 3, size=len(truth)) if patients else None
    return Predictions([f"c{k}" for k in range(classes)], truth, scores, numbers)


def test_call_metrics_hand_computed() -> None:
    # Altman and Bland, BMJ 308 (1994) 1552 and 309 (1994) 102: liver scans of 344
    # patients; 258 abnormal, 231 of them called; 86 normal, 54 of them not called.
    positive = np.repeat([True, True, False, False], [231, 27, 32, 54])
    called = np.repeat([True, False, True, False], [231, 27, 32, 54])
    found = call_metrics(positive, called, None, "abnormal", "normal")
    assert f"{found['sensitivity']}"[:5] == "0.895"
    assert f"{found['specificity']}"[:5] == "0.628"
    assert found["ppv"].value == pytest.approx(0.88, abs=0.005)
    assert found["npv"].value == pytest.approx(0.67, abs=0.005)
    assert found["f1"].value == pytest.approx(2 * 231 / (2 * 231 + 27 + 32))
    assert found["accuracy"].value == pytest.approx(285 / 344)
    product = (231 * 54 - 32 * 27) / math.sqrt(263 * 258 * 86 * 81)
    assert found["mcc"].value == pytest.approx(product)
    balanced = (231 / 258 + 54 / 86) / 2
    assert found["balanced_accuracy"].value == pytest.approx(balanced)
    assert [found[k].n for k in ("sensitivity", "specificity", "ppv", "npv")] == [
        258,
        86,
        263,
        81,
    ]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_agreement_with_scikit_learn(seed: int, classes: int) -> None:
    from sklearn import metrics as sk

    data = drawn(seed, classes=classes)
    truth, scores, predicted = data.truth, data.scores, data.predicted
    found = {name: e.value for name, e in overall_metrics(data).items()}
    nothing = {"average": "macro", "zero_division": np.nan}
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(truth, predicted)
    )
    assert found["ppv"] == pytest.approx(
        sk.precision_score(truth, predicted, **nothing)
    )
    assert found["f1"] == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert found["mcc"] == pytest.approx(sk.matthews_corrcoef(truth, predicted))
    # Equal scores that differ by the noise of a division are a tie.
    ranked = np.round(scores, 12)
    each = [sk.roc_auc_score(truth == k, ranked[:, k]) for k in range(classes)]
    assert found["auc"] == pytest.approx(np.mean(each))
    each = [
        sk.average_precision_score(truth == k, ranked[:, k]) for k in range(classes)
    ]
    assert found["average_precision"] == pytest.approx(np.mean(each))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, scores))
    for k in range(classes):
        own = class_metrics(data, k)
        assert list(own) == list(METRICS)
        assert own["brier"].value == pytest.approx(
            np.mean((scores[:, k] - (truth == k)) ** 2)
        )
        assert own["average_precision"].value == pytest.approx(each[k])


def test_brier_and_log_loss_as_scikit_learn_has_them() -> None:
    from sklearn import metrics as sk

    two = drawn(1, classes=2)
    assert brier(two).value == pytest.approx(
        sk.brier_score_loss(two.truth, two.scores[:, 1])
    )
    assert log_loss(two, 1).value == pytest.approx(
        sk.log_loss(two.truth == 1, two.scores[:, 1])
    )
    three = drawn(1, classes=3)
    right = np.eye(3)[three.truth]
    expected = np.mean(np.sum((three.scores - right) ** 2, axis=1))
    assert brier(three).value == pytest.approx(expected)


def test_brier_of_1950() -> None:
    # Monthly Weather Review 78 (1950) 1, table 1: ten forecasts of rain, P = 0.19. He
    # adds up both classes; of two classes we give the half, as scikit-learn does.
    rain = np.array([0.7, 0.9, 0.8, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0, 0.1])
    fell = np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    scores = np.stack([1 - rain, rain], axis=1)
    found = brier(Predictions(["dry", "rain"], fell, scores, None))
    assert round(2 * found.value, 2) == 0.19


def test_worked_examples_of_the_scikit_learn_guide() -> None:
    def two(score: list[float], truth: list[int]) -> Predictions:
        second = np.array(score)
        both = np.stack([1 - second, second], axis=1)
        return Predictions(["a", "b"], np.array(truth), both, None)

    ranked = class_metrics(two([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 1)
    assert ranked["auc"].value == 0.75
    assert round(ranked["average_precision"].value, 2) == 0.83
    loss = log_loss(two([0.9, 0.1, 0.2, 0.65], [1, 0, 0, 1]))
    assert round(loss.value, 5) == 0.21616
    assert round(brier(two([0.1, 0.9, 0.8, 0.3], [0, 1, 1, 0])).value, 4) == 0.0375
    four = two([1, 0, 1, 1], [1, 1, 1, 0])
    assert round(matthews(four).value, 2) == -0.33
    called = np.eye(2)[[0, 1, 0, 0, 0, 1]]
    six = Predictions(["a", "b"], np.array([0, 1, 0, 0, 1, 0]), called, None)
    assert overall_metrics(six)["balanced_accuracy"].value == 0.625
    called = np.eye(3)[[0, 2, 1, 0, 0, 1]]
    six = Predictions(["a", "b", "c"], np.array([0, 1, 2, 0, 1, 2]), called, None)
    assert round(overall_metrics(six)["f1"].value, 2) == 0.27


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.booleans())
def test_every_interval_holds_its_value(
    seed: int, classes: int, patients: bool
) -> None:
    data = drawn(seed, 40, classes, patients=patients)
    for found in (overall_metrics(data), class_metrics(data, 0)):
        for name, estimate in found.items():
            if estimate.measurable:
                assert estimate.low <= estimate.value <= estimate.high, name
                assert estimate.low >= (-1 if name == "mcc" else 0), name


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_weights_give_the_same_metrics(seed: int) -> None:
    data = drawn(seed, patients=True)
    found = overall_metrics(data)
    for name, metric in METRICS.items():
        once = metric.weighted(data, np.ones((1, len(data.truth))))
        assert once[0] == pytest.approx(found[name].value), name
        thrice = metric.weighted(data, np.full((2, len(data.truth)), 3.0))
        assert thrice == pytest.approx(once[0]), name


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_weights_are_copies(seed: int) -> None:
    data = drawn(seed, 30)
    weights = draw_weights(data, 1, np.random.default_rng(seed))
    copies = np.repeat(np.arange(len(data.truth)), weights[0].astype(int))
    table = Predictions(data.classes, data.truth[copies], data.scores[copies], None)
    for name, metric in METRICS.items():
        expected = metric.weighted(table, np.ones((1, len(copies))))[0]
        assert metric.weighted(data, weights)[0] == pytest.approx(
            expected, nan_ok=True
        ), name


def test_influence_is_the_derivative() -> None:
    data = drawn(3, 40)
    positive, scores = data.truth == 0, data.scores[:, 0]
    n, step = len(positive), 1e-6
    nudged = np.ones((n, n)) + step * np.eye(n)
    value, influence = precision_influence(positive, scores)
    slopes = (weighted_precision(positive, scores, nudged) - value) / step
    assert influence == pytest.approx(slopes, abs=1e-4)
    value, influence = matthews_influence(data.truth, data.predicted)
    slopes = (METRICS["mcc"].weighted(data, nudged) - value) / step
    assert influence == pytest.approx(slopes, abs=1e-4)
    assert influence.sum() == pytest.approx(0, abs=1e-9)


def test_weighted_area_by_definition() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(30) < 0.4
    scores = np.asarray(rng.integers(0, 8, 30) / 8, np.float64)
    weights = rng.integers(0, 3, (1, 30))
    apart = scores[positive][:, None] - scores[~positive]
    kernel = (apart > 0) + 0.5 * (apart == 0)
    w = weights[0]
    pairs = np.outer(w[positive], w[~positive])
    expected = np.sum(pairs * kernel) / pairs.sum()
    assert weighted_area(positive, scores, weights.astype(np.float64))[
        0
    ] == pytest.approx(expected)


def test_linearised_error_is_the_bootstraps() -> None:
    data = drawn(5, 600, decimals=0)
    for name in (
        *("specificity", "ppv", "npv", "f1"),
        *("mcc", "average_precision", "brier"),
    ):
        found = overall_metrics(data)[name]
        draws = bootstrap_distribution(data, partial(METRICS[name].weighted, data), 600)
        low, high = np.quantile(draws, [0.025, 0.975])
        assert found.high - found.low == pytest.approx(high - low, rel=0.2), name


def test_bootstrap_keeps_patients_and_classes() -> None:
    data = drawn(2, 60, patients=True)
    assert data.patients is not None
    weights = draw_weights(data, 50, np.random.default_rng(0))
    for patient in np.unique(data.patients):
        own = weights[:, data.patients == patient]
        assert (own == own[:, :1]).all()
    single = drawn(2, 60)
    weights = draw_weights(single, 50, np.random.default_rng(0))
    for k in range(3):
        kept = weights[:, single.truth == k].sum(axis=1)
        assert (kept == np.sum(single.truth == k)).all()


def test_what_cannot_be_measured_says_so() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    data = Predictions(["a", "b"], np.array([0, 0, 0]), scores, None)
    absent = class_metrics(data, 1)
    for name in ("sensitivity", "auc", "average_precision", "mcc", "balanced_accuracy"):
        assert not absent[name].measurable, name
    assert not overall_metrics(data)["auc"].measurable
    one = Predictions(["a", "b"], np.array([0]), scores[:1], None)
    assert str(overall_metrics(one)["mcc"]) == "not measurable"
    assert overall_metrics(one)["accuracy"].low < 0.3


def test_constant_scores_and_perfect_ones() -> None:
    truth = np.array([0, 1] * 20)
    level = Predictions(["a", "b"], truth, np.full((40, 2), 0.5), None)
    found = overall_metrics(level)
    assert found["auc"].value == 0.5
    assert found["auc"].low < 0.5 < found["auc"].high
    assert not found["mcc"].measurable
    assert found["log_loss"].value == pytest.approx(math.log(2))
    perfect = Predictions(["a", "b"], truth, np.eye(2)[truth], None)
    found = overall_metrics(perfect)
    for name in ("accuracy", "f1", "mcc", "auc", "average_precision", "npv"):
        assert found[name].value == pytest.approx(1) and found[name].low < 0.95, name
    assert found["brier"].value == 0 and found["brier"].high > 0.01
    wrong = Predictions(["a", "b"], 1 - truth, np.eye(2)[truth], None)
    assert matthews(wrong).value == pytest.approx(-1)


# Five, three and two images of five patients with four, three and one images each.
UNEVEN = Predictions(
    ["a", "b", "c"],
    np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2]),
    np.array(
        [
            [0.7, 0.2, 0.1],
            [0.6, 0.3, 0.1],
            [0.5, 0.1, 0.4],
            [0.3, 0.6, 0.1],
            [0.2, 0.3, 0.5],
            [0.1, 0.8, 0.1],
            [0.2, 0.5, 0.3],
            [0.4, 0.3, 0.3],
            [0.1, 0.2, 0.7],
            [0.3, 0.4, 0.3],
        ]
    ),
    None,
)
PATIENTS = np.array([0, 0, 1, 1, 2, 0, 0, 1, 3, 4])


def mean_log(*scores: float) -> float:
    return -math.fsum(map(math.log, scores)) / len(scores)


# Called a, b and c: four, four and two images, of which three, two and one are right.
BY_HAND = {
    "accuracy": (6 / 10, 7 / 10, 7 / 10, 8 / 10),
    "sensitivity": ((3 / 5 + 2 / 3 + 1 / 2) / 3, 3 / 5, 2 / 3, 1 / 2),
    "specificity": ((4 / 5 + 5 / 7 + 7 / 8) / 3, 4 / 5, 5 / 7, 7 / 8),
    "ppv": ((3 / 4 + 2 / 4 + 1 / 2) / 3, 3 / 4, 2 / 4, 1 / 2),
    "npv": ((4 / 6 + 5 / 6 + 7 / 8) / 3, 4 / 6, 5 / 6, 7 / 8),
    "f1": ((6 / 9 + 4 / 7 + 2 / 4) / 3, 6 / 9, 4 / 7, 2 / 4),
    "balanced_accuracy": (
        (3 / 5 + 2 / 3 + 1 / 2) / 3,
        (3 / 5 + 4 / 5) / 2,
        (2 / 3 + 5 / 7) / 2,
        (1 / 2 + 7 / 8) / 2,
    ),
    "mcc": (
        (10 * 6 - 5 * 4 - 3 * 4 - 2 * 2) / math.sqrt((100 - 38) * (100 - 36)),
        (3 * 4 - 1 * 2) / math.sqrt(4 * 5 * 5 * 6),
        (2 * 5 - 2 * 1) / math.sqrt(4 * 3 * 7 * 6),
        (1 * 7 - 1 * 1) / math.sqrt(2 * 2 * 8 * 8),
    ),
    # Of 25, 21 and 16 pairs; ties count half.
    "auc": ((21 / 25 + 17 / 21 + 13 / 16) / 3, 21 / 25, 17 / 21, 13 / 16),
    "average_precision": (
        ((3 + 4 / 6 + 5 / 8) / 5 + (1 + 2 / 3 + 3 / 7) / 3 + (1 + 2 / 6) / 2) / 3,
        (3 + 4 / 6 + 5 / 8) / 5,
        (1 + 2 / 3 + 3 / 7) / 3,
        (1 + 2 / 6) / 2,
    ),
    "brier": (0.472, 0.194, 0.157, 0.121),
    "log_loss": (
        mean_log(0.7, 0.6, 0.5, 0.3, 0.2, 0.8, 0.5, 0.3, 0.7, 0.3),
        mean_log(0.7, 0.6, 0.5, 0.3, 0.2, 0.9, 0.8, 0.6, 0.9, 0.7),
        mean_log(0.8, 0.7, 0.9, 0.4, 0.7, 0.8, 0.5, 0.3, 0.8, 0.6),
        mean_log(0.9, 0.9, 0.6, 0.9, 0.5, 0.9, 0.7, 0.7, 0.7, 0.3),
    ),
    "calibration_error": (0.23, 0.28, 0.23, 0.17),
}


@pytest.mark.parametrize("patients", [None, PATIENTS], ids=["images", "patients"])
def test_every_metric_by_hand(patients: np.ndarray | None) -> None:
    data = replace(UNEVEN, patients=patients)
    assert list(BY_HAND) == list(METRICS)
    each = [overall_metrics(data), *(class_metrics(data, at) for at in range(3))]
    for name, expected in BY_HAND.items():
        values = [metrics[name].value for metrics in each]
        assert values == pytest.approx(expected), name
        weighted = METRICS[name].weighted(data, np.ones((2, 10)))
        assert weighted == pytest.approx(expected[0]), name


def test_what_every_proportion_rests_on() -> None:
    counts = {
        "accuracy": [(7, 10), (7, 10), (8, 10)],
        "sensitivity": [(3, 5), (2, 3), (1, 2)],
        "specificity": [(4, 5), (5, 7), (7, 8)],
        "ppv": [(3, 4), (2, 4), (1, 2)],
        "npv": [(4, 6), (5, 6), (7, 8)],
    }
    for name, pairs in counts.items():
        for at, (hits, n) in enumerate(pairs):
            assert class_metrics(UNEVEN, at)[name] == wilson(hits, n), name
    assert overall_metrics(UNEVEN)["accuracy"] == wilson(6, 10)
    jaccard = wilson(3, 6)  # right, among those that are or are called a
    f1 = class_metrics(UNEVEN, 0)["f1"]
    ends = [2 * x / (1 + x) for x in (jaccard.low, jaccard.high)]
    assert [f1.low, f1.high] == pytest.approx(ends) and f1.n == 10
    both = mean_of_proportions([wilson(3, 5), wilson(4, 5)], 10)
    assert class_metrics(UNEVEN, 0)["balanced_accuracy"] == both


def test_calls_do_not_look_at_scores() -> None:
    positive, called = UNEVEN.truth == 0, UNEVEN.predicted == 0
    name, *_ = UNEVEN.classes
    calls = call_metrics(positive, called, PATIENTS, name)
    of_class = class_metrics(replace(UNEVEN, patients=PATIENTS), 0)
    names = [name for name, metric in METRICS.items() if metric.from_choices]
    assert calls == {name: of_class[name] for name in names}
    assert set(METRICS) - set(names) == {
        *("auc", "average_precision", "brier", "log_loss", "calibration_error")
    }


def test_metrics_whose_lower_values_are_better() -> None:
    lower = {name for name, metric in METRICS.items() if metric.lower_is_better}
    assert lower == {"brier", "log_loss", "calibration_error"}


def test_a_perfect_model_is_as_sure_as_its_rarest_class_allows() -> None:
    truth = np.repeat([0, 1, 2], [3, 5, 9])
    perfect = Predictions(["a", "b", "c"], truth, np.eye(3)[truth], None)
    found = overall_metrics(perfect)
    for name in ("auc", "average_precision"):
        assert found[name].low == pytest.approx(wilson(3, 3).low), name
    parts = [wilson(count, count) for count in (3, 5, 9)]
    low = mean_of_proportions(parts, 17).low
    assert found["mcc"].low == pytest.approx((3 * low - 1) / 2)
    assert found["balanced_accuracy"].low == pytest.approx(low)


def test_a_class_that_all_images_are_of_has_no_average_precision() -> None:
    alone = Predictions(["a", "b"], np.zeros(3, np.intp), np.eye(2)[[0, 0, 1]], None)
    assert not class_metrics(alone, 0)["average_precision"].measurable
    assert not overall_metrics(alone)["average_precision"].measurable


def test_a_mean_that_counts_a_class_without_images_rests_on_none() -> None:
    """F1 of a class that is predicted and never there is 0, whatever the model does."""
    truth, predicted = np.repeat([0, 1], 20), np.repeat([0, 2, 1], [15, 5, 20])
    data = Predictions(["a", "b", "c"], truth, np.eye(3)[predicted], None)
    assert str(limiting_group("f1", data)) == "0 images of class c"
    assert str(limiting_group("sensitivity", data)) == "20 images of class a"
    never = Predictions(["a", "b", "c"], truth, np.eye(3)[truth], None)
    assert str(limiting_group("f1", never)) == "20 images of class a"
