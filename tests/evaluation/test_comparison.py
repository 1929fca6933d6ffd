"""Paired tests against textbooks, definitions and brute force."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.benchmark.validity.simulation import Setting, simulate
from medmodel.core.errors import DataError
from medmodel.evaluation import paired_tests
from medmodel.evaluation.bootstrap import percentile_interval, smallest_group
from medmodel.evaluation.comparison import (
    PairedDifference,
    common_images,
    compare,
    difference,
    disagreements,
)
from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.metrics import METRICS
from medmodel.evaluation.paired_tests import (
    _correlation,
    _ends_of_difference,
    _p_of_interval,
    accuracy_difference,
    area_difference,
    bootstrap_difference,
    holm,
    mcnemar,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.ranking_metrics import auc_components

pytestmark = pytest.mark.usefixtures("every_interval")


def changes(gains: int, losses: int, rest: int = 0) -> np.ndarray:
    return np.repeat([1, -1, 0], [gains, losses, rest])


def test_mcnemar_textbook() -> None:
    # Agresti, Categorical Data Analysis, 10.1: 1,600 people asked twice, 150 and 86
    # changed their mind; Fleiss' pairs with 10 and 0 would be 2 / 2^10.
    from scipy.stats import binomtest

    assert mcnemar(changes(150, 86, 1364), None) == pytest.approx(
        binomtest(150, 236).pvalue
    )
    assert mcnemar(changes(150, 86, 1364), None) == pytest.approx(3.7e-5, rel=0.05)
    assert mcnemar(changes(10, 0), None) == pytest.approx(2 / 1024)
    assert mcnemar(changes(4, 4, 3), None) == 1
    assert mcnemar(changes(0, 0, 5), None) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(gains: int, losses: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(gains, gains + losses).pvalue if gains + losses else 1
    assert mcnemar(changes(gains, losses), None) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_mcnemar_by_patient_tries_every_sign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    change, patients = rng.integers(-1, 2, 24), rng.integers(0, 9, 24)
    sums = np.bincount(patients, weights=change)
    signs = np.array(list(itertools.product([-1, 1], repeat=len(sums))))
    expected = np.mean(np.abs(signs @ sums) >= abs(sums.sum()))
    assert mcnemar(change, patients) == pytest.approx(expected)


def models(
    seed: int, n: int = 200, better: float = 0.0
) -> tuple[Predictions, Predictions]:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    found = []
    for advantage in (better, 0.0):
        logit = rng.normal(size=n) + (1.5 + advantage) * (2 * truth - 1)
        score = 1 / (1 + np.exp(-logit))
        scores = np.stack([1 - score, score], axis=1)
        found.append(Predictions(["a", "b"], truth, scores, None))
    return found[0], found[1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_delong_by_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.repeat([1, 0], [14, 23])
    scores = [rng.integers(0, 9, 37) / 9 + 0.2 * truth for _ in range(2)]
    a, b = (
        Predictions(["n", "p"], truth, np.stack([1 - s, s], 1), None) for s in scores
    )
    estimate, p, _ = area_difference(a, b, 1)
    kernels = []
    for s in scores:
        apart = s[truth == 1][:, None] - s[truth == 0]
        kernels.append((apart > 1e-12) + 0.5 * (np.abs(apart) <= 1e-12))
    # DeLong 1988: S10 / m + S01 / n of the two areas.
    s10 = np.cov([k.mean(axis=1) for k in kernels])
    s01 = np.cov([k.mean(axis=0) for k in kernels])
    s = s10 / 14 + s01 / 23
    contrast = np.array([1, -1])
    value = kernels[0].mean() - kernels[1].mean()
    assert estimate.value == pytest.approx(value, abs=1e-12)
    error = math.sqrt(contrast @ s @ contrast)
    from scipy.special import stdtr

    if error > 1e-9:
        assert p == pytest.approx(2 * stdtr(36, -abs(value) / error))


def test_a_model_does_not_differ_from_itself() -> None:
    a, b = models(0)[0], models(0)[0]
    for estimate, p, needed in (
        accuracy_difference(a, b),
        area_difference(a, b),
        bootstrap_difference(a, b, "f1", 100),
    ):
        assert (estimate.value, p, needed) == (0, 1, None)


def test_a_perfect_model_and_one_that_never_varies_are_told_apart() -> None:
    """No image errs more than another: they were called not distinguishable."""
    truth = np.repeat([0, 1], 50)
    perfect = Predictions(["a", "b"], truth, np.eye(2)[truth] * 0.8 + 0.1, None)
    level = replace(perfect, scores=np.full((100, 2), 0.5))
    for one, other, value in ((perfect, level, 0.5), (level, perfect, -0.5)):
        found, p, needed = area_difference(one, other)
        assert found.value == value and p < 0.001 and needed is None
        assert found.low < value < found.high and found.low * found.high > 0
    right = Predictions(["a", "b"], np.array([0, 1]), np.eye(2), None)
    wrong = replace(right, scores=1 - np.eye(2))
    assert area_difference(right, wrong)[1] > 0.05
    assert area_difference(perfect, perfect)[0] == Estimate(0.0, 0.0, 0.0, 100)


def test_two_perfect_models_are_not_known_to_be_equally_good() -> None:
    """Each area of 1 has an interval, so their difference has one as well."""
    truth = np.repeat([0, 1], 40)
    perfect = Predictions(["a", "b"], truth, np.eye(2)[truth] * 0.8 + 0.1, None)
    other = replace(perfect, scores=np.eye(2)[truth] * 0.6 + 0.2)
    alone = METRICS["auc"].measure(perfect, None)
    for found, p, needed in (
        area_difference(perfect, other),
        bootstrap_difference(perfect, other, "average_precision", 50),
    ):
        assert (found.value, p, needed) == (0, 1, None)
        assert found.high == -found.low == pytest.approx(1 - alone.low)
    same = bootstrap_difference(perfect, perfect, "average_precision", 50)[0]
    assert (same.low, same.high) == (0, 0)


def test_scores_of_one_order_hardly_differ() -> None:
    """As before and after calibration: what is common to both is no difference."""
    a, _ = models(3, 200, better=0.4)
    cooler = a.scores**2 / np.sum(a.scores**2, axis=1, keepdims=True)
    found = area_difference(a, replace(a, scores=cooler))[0]
    alone = METRICS["auc"].measure(a, None)
    assert found.value == 0
    assert found.high - found.low < 0.01 * (alone.high - alone.low)


def test_order_only_turns_the_sign() -> None:
    a, b = models(3, better=0.4)
    for test in (accuracy_difference, area_difference):
        one, other = test(a, b), test(b, a)
        assert one[0].value == pytest.approx(-other[0].value)
        assert one[0].low == pytest.approx(-other[0].high)
        assert one[1:] == pytest.approx(other[1:])


def test_copied_images_are_no_evidence() -> None:
    a, b = models(5, 100, better=0.6)
    copies = np.repeat(np.arange(100), 5)
    a5, b5 = (
        Predictions(m.classes, m.truth[copies], m.scores[copies], copies)
        for m in (a, b)
    )
    assert accuracy_difference(a5, b5)[1] == pytest.approx(accuracy_difference(a, b)[1])
    assert area_difference(a5, b5)[1] == pytest.approx(
        area_difference(a, b)[1], rel=0.3
    )
    plain = bootstrap_difference(a, b, "mcc", 400)[0]
    copied = bootstrap_difference(a5, b5, "mcc", 400)[0]
    width = plain.high - plain.low
    assert copied.high - copied.low == pytest.approx(width, rel=0.2)


def test_needed_images_find_the_difference() -> None:
    """Connor's number: with as many images about 80 of 100 trials find it."""
    rng = np.random.default_rng(0)
    a = np.repeat([1, 0, 1, 0], [80, 10, 6, 4])
    b = np.repeat([1, 0, 0, 1], [80, 10, 6, 4])
    truth = np.zeros(100, np.intp)
    one, other = (
        Predictions(["a", "b"], truth, np.stack([h, 1 - h], 1) * 1.0, None)
        for h in (a, b)
    )
    needed = accuracy_difference(one, other)[2]
    # (1.96 √0.10 + 0.8416 √(0.10 - 0.02²))² / 0.02² = 1,960.
    assert needed == 2000
    # Three gains of ten images: (1.96 √0.3 + 0.8416 √(0.3 - 0.3²))² / 0.3² = 23.7.
    wrong = Predictions(["a", "b"], truth[:10], np.eye(2)[[1] * 10], None)
    better = replace(wrong, scores=np.eye(2)[[0] * 3 + [1] * 7])
    assert accuracy_difference(better, wrong)[2] == 24
    found = 0
    for _ in range(200):
        drawn = rng.multinomial(needed, [0.9, 0.06, 0.04])
        found += mcnemar(changes(drawn[1], drawn[2]), None) <= 0.05
    assert 0.7 <= found / 200 <= 0.9


def test_percentiles_are_expanded_for_few() -> None:
    draws = np.random.default_rng(0).normal(1, 1, 100_000)
    low, high, p = percentile_interval(draws, 10_000)
    assert (low, high) == pytest.approx((-0.96, 2.96), abs=0.03)
    assert p == pytest.approx(0.317, abs=0.01)
    low, high, wider = percentile_interval(draws, 10)
    # sqrt(10/9) times 2.262, Student's t with nine degrees of freedom.
    assert high - low == pytest.approx(2 * 2.262 * np.sqrt(10 / 9), rel=0.02)
    assert wider > p
    # The p value and the interval decide alike.
    for shift in np.arange(-4, 4, 0.25):
        low, high, p = percentile_interval(draws + shift, 20)
        assert (p <= 0.05) == (not low <= 0 <= high)


def test_smallest_group_counts_patients() -> None:
    data = models(0, 8)[0]
    assert smallest_group("f1", [data]) == 4
    calls = np.bincount(data.predicted)
    assert smallest_group("ppv", [data]) == min(4, *calls[calls > 0])
    patients = np.arange(8) // 4 * 2 + data.truth
    together = Predictions(data.classes, data.truth, data.scores, patients)
    assert smallest_group("f1", [together]) == 2


def test_holm_by_hand() -> None:
    # Holm 1979: 0.01 × 4, 0.02 × 3, then 0.03 × 2 and 0.04, never below the last.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_laws(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(a >= v for a, v in zip(adjusted, values, strict=True))
    order = sorted(range(len(values)), key=lambda k: values[k])
    assert [adjusted[k] for k in order] == sorted(adjusted)


def table(scores: dict[str, float], label: str = "") -> pd.DataFrame:
    rows = [
        {
            "path": path,
            "patient": "",
            "split": "test",
            "label": label or ("a" if at % 2 else "b"),
            "score_a": score,
            "score_b": 1 - score,
        }
        for at, (path, score) in enumerate(scores.items())
    ]
    return pd.DataFrame(rows)


FOUR = {"1.png": 0.1, "2.png": 0.9, "3.png": 0.2, "4.png": 0.6}


def test_only_common_test_images() -> None:
    one = table(FOUR)
    other = table(FOUR).iloc[::-1].reset_index(drop=True)
    other.loc[other["path"] == "4.png", "split"] = "val"
    # Columns in another order are the same classes.
    other = other[["path", "patient", "split", "label", "score_b", "score_a"]]
    found = common_images({"one": one, "other": other})
    assert found.paths == ["1.png", "2.png", "3.png"]
    assert found.left_out == {"one": 1, "other": 0}
    assert str(found).startswith("3 test images are common")
    assert (found.models["one"].scores == found.models["other"].scores).all()
    assert not disagreements(found).any()


def test_files_of_one_name_in_two_folders_are_no_common_image() -> None:
    one = table(FOUR)
    digests = {path: f"pixels of {path}" for path in FOUR}
    other = digests | {"2.png": "others"}
    del other["3.png"]
    found = common_images(
        {"one": one, "two": one}, digests={"one": digests, "two": other}
    )
    assert found.paths == ["1.png", "3.png", "4.png"]
    assert found.left_out == {"one": 1, "two": 1}
    differ = dict.fromkeys(FOUR, "others")
    with pytest.raises(DataError, match="no test image in common"):
        common_images({"one": one, "two": one}, digests={"one": digests, "two": differ})


def test_tables_that_cannot_be_compared() -> None:
    one = table(FOUR)
    with pytest.raises(DataError, match="two models"):
        common_images({"one": one})
    with pytest.raises(DataError, match="no test image in common"):
        common_images({"one": one, "two": table({"x.png": 0.5})})
    with pytest.raises(DataError, match="other labels for 2 images"):
        common_images({"one": one, "two": table(FOUR, label="a")})
    with pytest.raises(DataError, match="same classes"):
        common_images({"one": one, "two": one.rename(columns={"score_b": "score_c"})})
    with pytest.raises(DataError, match="twice"):
        common_images({"one": one, "two": pd.concat([one, one])})
    with pytest.raises(DataError, match="no metric"):
        compare(common_images({"one": one, "two": one}), "magic")
    with pytest.raises(DataError, match="no paired test of 'calibration_error'"):
        compare(common_images({"one": one, "two": one}), "calibration_error")
    broken = one.assign(score_a=math.nan)
    with pytest.raises(DataError, match="not a number"):
        common_images({"one": one, "two": broken})


def test_three_models_are_three_corrected_pairs() -> None:
    rng = np.random.default_rng(0)
    names = [f"{k}.png" for k in range(150)]
    sides = np.where(np.arange(150) % 2, 1, -1)
    tables = {}
    for name, gap in (("weak", 0.3), ("good", 3.0), ("fine", 3.0)):
        scores = 1 / (1 + np.exp(-rng.normal(size=150) - gap * sides))
        tables[name] = table(dict(zip(names, scores, strict=True)))
    common = common_images(tables)
    found = compare(common, "accuracy")
    assert [(d.first, d.second) for d in found] == [
        ("weak", "good"),
        ("weak", "fine"),
        ("good", "fine"),
    ]
    assert [d.better for d in found] == ["good", "fine", ""]
    assert str(found[0]).startswith("good is better than weak by ")
    assert "no significant difference (n = 150 images, p = 1.00)" in str(found[2])
    for metric in ("accuracy", "auc"):
        plain = [difference(common, d.first, d.second, metric).p for d in found]
        corrected = [d.p for d in compare(common, metric)]
        assert corrected == holm(plain) and corrected[0] > plain[0]
    lower = compare(common, "brier")
    assert [d.better for d in lower] == ["good", "fine", ""]


def test_sentences() -> None:
    found = PairedDifference(
        "accuracy", "A", "B", (0.9, 0.879), Estimate(0.021, 0.004, 0.039, 900), 0.02,
        "McNemar, exact", 900,
    )  # fmt: skip
    assert str(found) == "A is better than B by 2.1 points (0.4 to 3.9)."
    # It was "better by 0.0 points (0.0 to 0.1)".
    tiny = replace(found, estimate=Estimate(0.0004, 0.0001, 0.0007, 90_000))
    assert str(tiny) == "A is better than B by 0.040 points (0.010 to 0.070)."
    loss = replace(tiny, metric="log_loss", estimate=Estimate(-0.02, -0.03, -0.01, 90))
    assert str(loss) == "A is better than B by 0.020 (0.010 to 0.030)."
    small = replace(found, estimate=Estimate(0.002, 0.001, 0.003, 90_000))
    assert small.size == "0.2 points (0.1 to 0.3)"
    unsure = PairedDifference(
        "accuracy", "A", "B", (0.9, 0.88), Estimate(0.02, -0.01, 0.05, 156), 0.2,
        "McNemar, exact", 900,
    )  # fmt: skip
    assert str(unsure) == (
        "A and B: no significant difference (n = 156 images, p = 0.20); about 900 "
        "images would be needed."
    )
    beginning = "A and B: no significant difference (n = 156 images, p = 0.20)"
    for needed, end in (
        (None, "."),
        (1_000_000, "; about 1,000,000 images would be needed."),
        (1_100_000, "; more than a million images would be needed."),
    ):
        assert str(replace(unsure, needed=needed)) == beginning + end


def test_nothing_is_better_unless_test_and_interval_both_say_so() -> None:
    apart, around = Estimate(0.02, 0.004, 0.039, 900), Estimate(0.02, -0.01, 0.05, 900)
    told = PairedDifference(
        "accuracy", "A", "B", (0.9, 0.88), apart, 0.05, "McNemar", 900
    )
    assert told.better == "A" and told.worse == "B"
    assert replace(told, metric="brier").better == "B"
    # As after Holm's correction for several pairs.
    touching = (Estimate(0.02, 0, 0.04, 900), Estimate(-0.02, -0.04, 0, 900))
    for unsure in (
        replace(told, p=0.051),
        *(replace(told, estimate=e, p=0.01) for e in (around, *touching)),
    ):
        assert unsure.better == ""
        assert str(unsure).startswith("A and B: no") and "900 images" in str(unsure)
    assert "no significant difference" in str(replace(told, p=0.051))
    # p = 0.01 is significant: only the interval keeps them from being told apart.
    assert str(unsure) == (
        "A and B: not told apart: p = 0.010, but the 95 % interval holds 0 (n = 900 "
        "images)."
    )


def test_p_values_of_draws_on_one_side_are_not_zero() -> None:
    draws = np.linspace(0.1, 0.2, 99)
    assert percentile_interval(draws, 100_000)[2] == pytest.approx(2 / 100, rel=1e-3)
    assert percentile_interval(-draws, 100_000)[2] == pytest.approx(2 / 100, rel=1e-3)


def test_areas_of_patients_have_as_many_degrees_of_freedom_as_patients() -> None:
    from scipy.special import stdtr

    a, b = models(2, 24, better=0.8)
    patients = np.arange(24) // 4
    a, b = (replace(model, patients=patients) for model in (a, b))
    parts = [auc_components(a.truth == 1, model.scores[:, 1]) for model in (a, b)]
    sums = np.bincount(patients, weights=parts[0][1] - parts[1][1])
    error = math.sqrt(6 / 5 * np.sum(sums**2))
    value = parts[0][0] - parts[1][0]
    _, p, _ = area_difference(a, b, 1)
    assert p == pytest.approx(2 * stdtr(5, -abs(value) / error))


def test_difference_of_two_intervals_by_hand() -> None:
    one, other = Estimate(0.9, 0.8, 0.93, 50), Estimate(0.5, 0.35, 0.7, 50)
    low, high = _ends_of_difference(one, other, 0.0)
    assert low == pytest.approx(0.4 - math.hypot(0.1, 0.2))
    assert high == pytest.approx(0.4 + math.hypot(0.03, 0.15))
    from scipy.special import ndtr

    p = _p_of_interval(Estimate(0.4, low, high, 50))
    assert p == pytest.approx(2 * ndtr(-1.959964 * 0.4 / math.hypot(0.1, 0.2)))
    turned = _ends_of_difference(other, one, 0.0)
    assert turned == pytest.approx((-high, -low))
    assert _p_of_interval(Estimate(-0.4, *turned, 50)) == pytest.approx(p)
    low, high = _ends_of_difference(one, other, 0.5)
    assert low == pytest.approx(0.4 - math.sqrt((0.01 + 0.04) / 2))
    assert high == pytest.approx(0.4 + math.sqrt((0.0009 + 0.0225) / 2))
    # What both have in common is no difference.
    assert _ends_of_difference(one, one, 1 + 1e-12) == (0, 0)
    far = Estimate(1.0, 0.6, 1.0, 9), Estimate(0.0, 0.0, 0.9, 9)
    assert _ends_of_difference(*far, 0.0)[1] == 1
    assert _ends_of_difference(*far[::-1], 0.0)[0] == -1


def test_the_correlation_of_two_areas_is_that_of_their_patients() -> None:
    one, other = np.array([1.0, -1, 2, -2]), np.array([1.0, -1, -2, 2])
    assert _correlation(one, other, None) == pytest.approx(-6 / 10)
    assert _correlation(one, one, None) == pytest.approx(1)
    together = np.array([0, 1, 0, 1])
    # Sums of patients: 3 and -3, and -1 and 1.
    assert _correlation(one, other, together) == pytest.approx(-1)
    assert _correlation(one, np.zeros(4), None) == 0


def test_a_difference_of_areas_near_1_covers_the_truth() -> None:
    """DeLong's own interval holds this one 79 times of 100."""
    from scipy.special import ndtr

    rng = np.random.default_rng(4)
    setting = Setting("two", (0.5, 0.5), 60, separation=2.1)
    truth = float(ndtr(2.9) - ndtr(2.1))
    right = 0
    for _ in range(200):
        one, other = simulate(setting, rng, (2.9, 2.1))
        found = area_difference(one, other)[0]
        right += found.low <= truth <= found.high
    assert right >= 186


def test_draws_that_mostly_lack_a_class_tell_nothing() -> None:
    """Each model calls b only once: in most draws one of those images is missing."""
    truth = np.repeat([0, 1], 10)
    calls = np.zeros((2, 20), np.intp)
    calls[0, 10] = calls[1, 11] = 1
    a, b = (Predictions(["a", "b"], truth, np.eye(2)[c], None) for c in calls)
    estimate, p, needed = bootstrap_difference(a, b, "mcc", 400)
    assert not estimate.measurable and p == 1 and needed is None


def test_models_without_a_disagreement_are_not_known_to_be_equal() -> None:
    """As of accuracies: one image more on either side, of 20 of each class."""
    truth = np.repeat([0, 1], 20)
    data = Predictions(["a", "b"], truth, np.eye(2)[truth], None)
    half = 1.959964 * np.sqrt(2 / 40**2)
    for metric, span in (("sensitivity", 1), ("mcc", 2)):
        estimate, p, _ = bootstrap_difference(data, data, metric, 50)
        assert (estimate.value, p) == (0, 1)
        assert (estimate.low, estimate.high) == pytest.approx(
            (-span * half, span * half)
        )
    estimate, _, _ = bootstrap_difference(data, data, "brier", 50)
    assert (estimate.low, estimate.high) == (0, 0)


def test_an_interval_grows_by_the_root_of_the_added_variance() -> None:
    low, high = paired_tests._widened((0.1, 0.4, 0.7), (0.4 / 1.959964) ** 2)
    assert (low, high) == pytest.approx((0.4 - 0.5, 0.4 + 0.5))


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0009, "p < 0.001"),
        (0.0499, "p = 0.0499"),
        (0.0512, "p = 0.051"),
        (0.64, "p = 0.64"),
        (0.996, "p = 0.996"),
        (1.0, "p = 1.00"),
    ],
)
def test_p_values_as_people_read_them(p: float, text: str) -> None:
    estimate = Estimate(0.01, -0.02, 0.04, 624)
    pair = PairedDifference("accuracy", "A", "B", (0.8, 0.79), estimate, p, "", 12_987)
    assert pair.p_text == text
    if p > 0.05:
        assert str(pair) == (
            f"A and B: no significant difference (n = 624 images, {text}); "
            "about 13,000 images would be needed."
        )
