"""Intervals of few images or patients are not given, and it is said why."""

from dataclasses import replace

import numpy as np
import pytest

from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.evaluation.comparison.model_comparison import CommonImages, compare
from medmodel.evaluation.decision.thresholds import at_prevalence, outcome
from medmodel.evaluation.evaluation import evaluate_predictions
from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE
from medmodel.evaluation.intervals.minima import MINIMA, LimitingGroup, count_units
from medmodel.evaluation.intervals.proportions import (
    wilson,
)
from medmodel.evaluation.metrics.curves import (
    decision_curve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    class_metrics,
    overall_metrics,
)
from medmodel.evaluation.predictions import Predictions


def of_two(count: int, rare: int, patients: bool = False) -> Predictions:
    """Two classes, the second with `rare` images, one of them called wrongly."""
    truth = (np.arange(count) < rare).astype(np.intp)
    scores = np.where(np.arange(count) == 0, 1 - truth, truth) * 0.8 + 0.1
    both = np.stack([1 - scores, scores], axis=1)
    return Predictions(["a", "b"], truth, both, np.arange(count) if patients else None)


def test_fewest_images_and_patients_are_those_of_the_simulations() -> None:
    """Whoever changes one measures the row `interval_coverage` again."""
    ten = dict.fromkeys(
        ["accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc", "auc"]
        + ["balanced_accuracy", "average_precision", "net_benefit", "risk"],
        (10, 10),
    )
    assert {kind: (m.images, m.patients) for kind, m in MINIMA.items()} == ten | {
        "brier": (100, 30),
        "log_loss": (200, 60),
        "calibration_error": (30, 20),
        "roc_band": (25, 20),
        "temperature": (100, 40),
        "accuracy difference": (40, 40),
        "share difference": (40, 60),
        "auc difference": (30, 30),
        "average precision difference": (60, 80),
        "loss difference": (300, 100),
    }


@pytest.mark.parametrize("patients", [False, True])
def test_an_interval_is_given_from_its_minimum_on(patients: bool) -> None:
    for key in ("accuracy", "brier", "log_loss", "calibration_error"):
        least = MINIMA[key].patients if patients else MINIMA[key].images
        for short in (0, 1):
            data = of_two(least - short, (least - short) // 2, patients)
            found = METRICS[key].estimate(data)
            assert found.has_interval == (not short), key
            group = LimitingGroup(least - 1, patients)
            assert found.too_few == (group if short else None), key
            assert found.value == METRICS[key].measure(data, None).value
            unit = "patients" if patients else "images"
            assert f", too few ({least - 1:,} {unit})" in str(found) or not short


def test_a_rare_class_limits_what_rests_on_it() -> None:
    """Of 300 images 9: no interval of what these few decide, others as before."""
    few, enough = of_two(300, 9), of_two(300, 11)
    by_class = class_metrics(few, 1)
    limited = ("sensitivity", "ppv", "f1", "balanced_accuracy", "mcc")
    for key in (*limited, "auc", "average_precision"):
        group = by_class[key].too_few
        assert group is not None and group.count in (8, 9), key
        assert class_metrics(enough, 1)[key].has_interval, key
        assert not overall_metrics(few)[key].has_interval, key
    for key in ("accuracy", "specificity", "npv", "brier", "log_loss"):
        assert by_class[key].has_interval, key
    others = class_metrics(few, 0)
    assert others["sensitivity"].has_interval and not others["specificity"].has_interval
    assert not overall_metrics(few)["specificity"].has_interval
    result = evaluate_predictions(few)
    assert result.accuracy.has_interval and result.baseline.has_interval
    for estimate in (
        *(result.auc, result.balanced_accuracy),
        *(result.per_class[1].sensitivity, result.per_class[1].precision),
        *(result.per_class[0].auc, result.per_class[1].auc),
    ):
        assert estimate.too_few is not None


def test_a_class_that_is_never_called_limits_predictive_values() -> None:
    data = of_two(100, 40)
    never = replace(data, scores=np.tile([0.9, 0.1], (100, 1)))
    few = overall_metrics(never)["ppv"].too_few
    assert few == LimitingGroup(0, False, "predicted", never.classes[1])
    assert overall_metrics(never)["sensitivity"].has_interval
    absent = Predictions(["a", "b", "c"], data.truth, np.eye(3)[data.truth], None)
    for key in ("sensitivity", "ppv", "auc"):
        assert overall_metrics(absent)[key].has_interval, key


def test_patients_are_counted_not_their_images() -> None:
    data = replace(of_two(300, 150), patients=np.arange(300) // 100)
    assert overall_metrics(data)["accuracy"].too_few == LimitingGroup(3, True)
    assert count_units(data.truth == 1, data.patients) == 2
    assert count_units(None, None, 7) == 7


def test_nothing_is_made_of_an_interval_that_is_not_there() -> None:
    data, other = of_two(40, 20), of_two(40, 19)
    other = replace(other, truth=data.truth)
    common = CommonImages([str(i) for i in range(40)], {"A": data, "B": other}, {})
    (pair,) = compare(common, "f1")
    assert pair.estimate.too_few is not None and pair.better == ""
    few = f"too few ({pair.estimate.too_few})"
    assert str(pair) == f"A and B: {few} to tell them apart."
    sensitivity = class_metrics(of_two(300, 9), 1)["sensitivity"]
    forecast = at_prevalence(sensitivity, wilson(280, 291), 0.1)
    few_of = sensitivity.too_few
    assert few_of == LimitingGroup(9, False, "class", data.classes[1])
    assert (forecast.ppv.too_few, forecast.npv.too_few) == (few_of, few_of)
    known = at_prevalence(wilson(8, 9), wilson(280, 291), 0.1)
    assert forecast.ppv.value == known.ppv.value and known.ppv.has_interval
    assert forecast.ppv.ends == (f"too few ({few_of})", f"too few ({few_of})")


def test_curves_have_no_band_of_few() -> None:
    least = MINIMA["roc_band"].images
    few, enough = of_two(300, least - 1), of_two(300, least)
    for curve in (roc_curve, precision_recall_curve):
        group = LimitingGroup(least - 1, False, "class", few.classes[1])
        assert curve(few, 1).too_few == group and not len(curve(few, 1).band_x)
        assert curve(enough, 1).too_few is None and len(curve(enough, 1).low)
    benefit = decision_curve(of_two(100, 9), 1)
    group = LimitingGroup(9, False, "class", few.classes[1])
    assert benefit.too_few == group and np.isnan(benefit.low).all()
    assert decision_curve(of_two(100, 10), 1).too_few is None


def test_a_temperature_of_few_images_has_no_interval() -> None:
    least = MINIMA["temperature"]
    enough = Temperature(1.5, 1.2, 1.9, least.images, False)
    assert enough.interval == "(1.20–1.90)" and str(enough) == "1.50 (1.20–1.90)"
    assert str(replace(enough, images=99)) == "1.50, too few (99 images)"
    assert not replace(enough, images=99).changes_scores and enough.changes_scores
    assert replace(enough, images=least.images - 1).interval == "too few (99 images)"
    people = replace(enough, images=80, patients=least.patients)
    assert people.interval == "(1.20–1.90)"
    assert (
        replace(people, patients=least.patients - 1).interval == "too few (39 patients)"
    )


@pytest.mark.parametrize("patients", [False, True])
def test_what_is_too_few_is_said_with_its_class(patients: bool) -> None:
    """Of 96 images 6 are of the class: 6 of what, and of which class."""
    unit = "patients" if patients else "images"
    data = of_two(96, 6, patients)
    rare, common = class_metrics(data, 1), class_metrics(data, 0)
    assert str(rare["sensitivity"]) == f"0.833, too few (6 {unit} of class b)"
    # Of two classes, the rest of the one is the other.
    assert common["specificity"].interval == f"too few (6 {unit} of class b)"
    assert rare["auc"].interval == f"too few (6 {unit} of class b)"
    of = "patients with images" if patients else "images"
    assert rare["ppv"].interval == f"too few (5 {of} predicted as b)"
    assert common["npv"].interval == f"too few (5 {of} predicted as b)"
    assert rare["brier"].with_n.endswith(", n = 96 images") or not patients
    assert rare["sensitivity"].with_n.endswith(" of class b), n = 6 images")
    assert rare["sensitivity"].short == "0.833, too few (6)"
    assert rare["sensitivity"].beside_its_class == f"0.833, too few (6 {unit}), n = 6"
    assert NOT_MEASURABLE.beside_its_class == "not measurable"
    assert rare["accuracy"].short == str(rare["accuracy"])
    assert NOT_MEASURABLE.with_n == "not measurable"


@pytest.mark.parametrize("patients", [False, True])
def test_the_rest_of_several_classes_has_no_name_of_its_own(patients: bool) -> None:
    """All but 4 of 60 images are of class a: what is not of a is b and c together."""
    truth = np.array([0] * 56 + [1] * 2 + [2] * 2)
    numbers = np.arange(60) if patients else None
    data = Predictions(["a", "b", "c"], truth, np.eye(3)[truth], numbers)
    unit = "patients" if patients else "images"
    of = "patients with images" if patients else "images"
    by_class = class_metrics(data, 0)
    few = f"too few (4 {unit} of classes other than a)"
    assert by_class["specificity"].interval == few
    assert by_class["npv"].interval == f"too few (4 {of} predicted as other than a)"
    for cut in (0.5, 2.0):
        metrics = outcome(data, 0, cut).metrics
        assert metrics["specificity"].interval == few
    assert metrics["ppv"] == NOT_MEASURABLE
    assert roc_curve(data, 0).too_few == LimitingGroup(4, patients, "rest", "a")
    two = Predictions(
        ["a", "b"], (truth > 0).astype(int), np.eye(2)[1 * (truth > 0)], None
    )
    assert outcome(two, 0, 0.5).metrics["specificity"].interval == (
        "too few (4 images of class b)"
    )


def test_one_is_no_plural() -> None:
    truth = np.array([0] * 5 + [1])
    data = Predictions(["a", "b"], truth, np.eye(2)[truth], None)
    sensitivity = class_metrics(data, 1)["sensitivity"]
    assert sensitivity.with_n == "1.000, too few (1 image of class b), n = 1 image"


@pytest.mark.parametrize(("images", "patients"), [(39, 0), (40, 0), (90, 39), (90, 40)])
def test_no_difference_is_called_detectable_where_none_is_ever_told(
    images: int, patients: int
) -> None:
    """Compare calls no models different on so few; of one patient it was 136 points."""
    data = of_two(images, 20)
    if patients:
        data = replace(data, patients=np.arange(images) % patients)
    sentence = evaluate_predictions(data).resolution
    few = (patients or images) < MINIMA["accuracy difference"].patients
    unit = "patients" if patients else "images"
    expected = (
        f"Too few to tell the accuracies of two models apart: 39 {unit}; 40 are the "
        "least."
    )
    assert (sentence == expected) == few
    assert sentence.startswith("Smallest detectable difference") != few
