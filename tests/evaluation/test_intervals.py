"""Intervals against textbooks, definitions and simulated truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.evaluation.comparison import CommonImages, compare
from medmodel.evaluation.curves import (
    decision_curve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.evaluation import evaluate_predictions
from medmodel.evaluation.intervals import (
    MINIMA,
    NOT_MEASURABLE,
    Estimate,
    LimitingGroup,
    count_units,
    design_effect,
    mean_of_proportions,
    proportion,
    variance_and_freedom,
    variance_and_quantile,
    wilson,
)
from medmodel.evaluation.metrics import METRICS, class_metrics, overall_metrics
from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.temperature_scaling import Temperature
from medmodel.evaluation.thresholds import at_prevalence, outcome


def test_wilson_newcombe_table() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = wilson(successes, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_published_benchmarks() -> None:
    # 86.3 % of 156 and 94.6 % of 624 images, as reported for MedMNIST.
    assert f"{wilson(round(0.863 * 156), 156)}" == "0.865 (0.803–0.910)"
    assert f"{wilson(590, 624)}" == "0.946 (0.925–0.961)"


def test_wilson_of_nothing() -> None:
    assert wilson(0, 0) is NOT_MEASURABLE
    assert str(NOT_MEASURABLE) == "not measurable"


@given(st.integers(1, 500), st.data())
def test_wilson_law(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    found, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high)
    wider = wilson(successes, n, design_effect=2)
    assert wider.high - wider.low >= found.high - found.low - 1e-12


def test_design_effect_hand_computed() -> None:
    hits = np.array([1.0, 1, 1, 0, 0, 0])
    influence = hits - 0.5
    assert design_effect(influence, None) == 1
    # Each image its own patient: 6/5 × 1.5 / 1.5.
    assert design_effect(influence, np.arange(6)) == pytest.approx(1.2)
    # Two patients of three equal images: 2/1 × (1.5² + 1.5²) / 1.5, more than copies.
    pairs = np.array([0, 0, 0, 1, 1, 1])
    assert design_effect(influence, pairs) == pytest.approx(6)
    # Two patients who do not agree within themselves: nothing is seen, and Student's t
    # with one degree of freedom fears more than three copies.
    mixed = np.array([0, 0, 1, 0, 1, 1])
    assert design_effect(influence, mixed) == pytest.approx(3)
    # Four pairs: 4/3 × 2.08 / 1.6; three degrees (3.1824) instead of the normal would
    # be more than two copies.
    eight = np.array([1.0, 1, 1, 0, 1, 0, 0, 1]) - 0.625
    assert design_effect(eight, np.repeat(np.arange(4), 2)) == pytest.approx(2)
    # Weighed: the first patient's three images count 2 each, the others' 1 each.
    counted = np.array([2.0, 2, 2, 1, 1, 1])
    assert design_effect(np.zeros(6), pairs, counted) == pytest.approx((36 + 9) / 15)
    # One patient: its images count as one.
    assert design_effect(influence, np.zeros(6, np.intp)) == pytest.approx(6)
    # Nothing varies: copies of one, (3² + 3²) / 6.
    assert design_effect(np.zeros(6), pairs) == pytest.approx(3)


def test_mean_of_shares_by_hand() -> None:
    parts = [Estimate(0.8, 0.7, 0.9, 50), Estimate(0.6, 0.4, 0.7, 20), NOT_MEASURABLE]
    found = mean_of_proportions(parts, 70)
    assert found.value == pytest.approx(0.7)
    # Student's quantiles of 49 and 19 degrees of freedom in place of 1.959964.
    first, second = 2.009575 / 1.959964, 2.093024 / 1.959964
    below, above = np.hypot(0.1 * first, np.array([0.2, 0.1]) * second) / 2
    # Of two shares the sides differ less by the root of two.
    even = (below + above) / 2
    assert found.low == pytest.approx(0.7 - even - (below - even) / np.sqrt(2))
    assert found.high == pytest.approx(0.7 + even - (even - above) / np.sqrt(2))
    assert found.n == 70
    assert mean_of_proportions([NOT_MEASURABLE], 0) is NOT_MEASURABLE


def test_mean_of_perfect_shares_is_not_a_point() -> None:
    found = mean_of_proportions([wilson(10, 10), wilson(10, 10)], 20)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.9


def test_coverage_of_the_mean_of_many_shares() -> None:
    """Of 40 shares of 97 % of 60 images: with each one's own sides 0.88."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        parts = [wilson(int(hits), 60) for hits in rng.binomial(60, 0.97, 40)]
        found = mean_of_proportions(parts, 2400)
        held += found.low <= 0.97 <= found.high
    assert held / 200 >= 0.93


def test_a_mean_f1_is_as_well_known_as_its_classes_images_tell() -> None:
    """Of ten of 10 images each, intervals held the truth 91 times of 100 until then."""
    truth = np.repeat(np.arange(10), 10)
    perfect = Predictions([f"{k}" for k in range(10)], truth, np.eye(10)[truth], None)
    low = wilson(10, 10).low
    parts = [Estimate(1.0, 2 * low / (1 + low), 1.0, 10)] * 10
    found = METRICS["f1"].estimate(perfect)
    assert found.low == pytest.approx(mean_of_proportions(parts, 100).low)
    assert class_metrics(perfect, 0)["f1"].n == found.n == 100


def test_a_mean_sensitivity_is_as_well_known_as_its_patients_tell() -> None:
    """Three images of each of ten patients: Student's quantile of 10, not of 30."""
    truth = np.repeat([0, 1], 30)
    right = np.arange(60) % 5 > 0
    both = np.eye(2)[np.where(right, truth, 1 - truth)]
    data = Predictions(["a", "b"], truth, both, np.arange(60) // 3)
    effect = design_effect((right - 0.8) / 30, data.patients, np.full(60, 1 / 30))
    parts = [replace(wilson(24, 30, effect), n=10)] * 2
    found = METRICS["sensitivity"].estimate(data)
    assert found == mean_of_proportions(parts, 60)


def test_coverage_of_clustered_shares() -> None:
    """Patients with four like-minded images: the plain interval would miss the truth.

    A beta-binomial with correlation 0.5; seeded, so the counts are exact.
    """
    rng = np.random.default_rng(7)
    kept = plain = 0
    patients = np.repeat(np.arange(60), 4)
    for _ in range(600):
        chance = rng.beta(0.8, 0.2, 60)
        hits = rng.random(240) < chance[patients]
        right = int(hits.sum())
        effect = design_effect(hits - right / 240, patients)
        clustered, naive = wilson(right, 240, effect), wilson(right, 240)
        kept += clustered.low <= 0.8 <= clustered.high
        plain += naive.low <= 0.8 <= naive.high
    assert 0.92 <= kept / 600 <= 0.985
    assert plain / 600 < 0.85


@given(st.integers(2, 400), st.data())
def test_patients_with_one_image_each_are_as_good_as_images(
    n: int, data: st.DataObject
) -> None:
    """99 of 100 patients had an interval from 0.833, and 95 of 100 one from 0.878."""
    hits = np.arange(n) >= data.draw(st.integers(0, n))
    known, unknown = proportion(hits, np.arange(n)), proportion(hits, None)
    assert known.low <= unknown.low + 1e-12 and known.high >= unknown.high - 1e-12
    assert known.high - known.low <= 1.5 * (unknown.high - unknown.low)


def test_an_error_more_never_raises_the_lower_end() -> None:
    wrong = [np.arange(100) >= errors for errors in range(20)]
    lows = [proportion(hits, np.arange(100)).low for hits in wrong]
    assert lows == sorted(lows, reverse=True)
    assert lows[1] == pytest.approx(0.9455, abs=1e-3)


def test_few_patients_widen_the_interval() -> None:
    hits = np.array([True, True, False, True, True, False])
    many = proportion(hits, np.arange(6))
    few = proportion(hits, np.array([0, 0, 1, 1, 2, 2]))
    one = proportion(hits, np.zeros(6, np.intp))
    assert many.low > few.low and few.high > many.high
    assert one.high - one.low > 0.8
    assert proportion(hits, None, among=hits) == wilson(4, 4)
    assert proportion(hits, None, among=np.zeros(6, bool)) is NOT_MEASURABLE


def test_spread_of_many_equal_images_is_normal() -> None:
    influence = np.tile([1.0, -1.0], 5000) / 1e4
    variance, quantile = variance_and_quantile(influence, None)
    assert variance == pytest.approx(1e-4)
    assert quantile == pytest.approx(1.96, abs=1e-3)
    # Five images matter, the rest does not: 2 × 5² / (5 - 5²/n) degrees of freedom.
    rare = np.zeros(10_000)
    rare[:5] = 1.0
    assert variance_and_quantile(rare, None)[1] == pytest.approx(2.2278, abs=1e-2)


def test_numbers_of_patients_may_have_gaps() -> None:
    """As where some of the images are left out."""
    influence = np.array([0.3, -0.1, 0.2, -0.2, -0.2])
    dense, sparse = np.array([0, 0, 1, 2, 2]), np.array([3, 3, 4, 9, 9])
    for measure in (variance_and_freedom, variance_and_quantile):
        assert measure(influence, sparse) == measure(influence, dense)
    # Patients add 0.2, 0.2 and -0.4: 3/2 × 0.24, and 0.24² ÷ (0.0288 - 0.24² / 3) × 2.
    variance, freedom = variance_and_freedom(influence, dense)
    assert variance == pytest.approx(0.36)
    assert freedom == pytest.approx(min(2, 2 * 0.0576 / (0.0288 - 0.0192)))


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
