"""Metrics by group and the tests of gaps, against drawn tables."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.evaluation.groups.group_comparison import compare_groups
from medmodel.evaluation.predictions import Predictions


def drawn(
    rates: list[float], n: int = 100, seed: int = 0, copies: int = 1
) -> tuple[Predictions, list[str]]:
    """Groups A, B, ...: of each, this share of n images is right; half are positive."""
    rng = np.random.default_rng(seed)
    truth, names, score, patients = [], [], [], []
    for group, rate in enumerate(rates):
        right = np.repeat(np.arange(n // copies) < rate * n / copies, copies)
        of_group = np.repeat(rng.integers(0, 2, n // copies), copies)
        certainty = rng.uniform(0.6, 0.9, n)
        truth.append(of_group)
        score.append(np.where(right == (of_group == 1), certainty, 1 - certainty))
        names += [chr(65 + group)] * n
        patients.append(np.repeat(np.arange(n // copies), copies) + 1000 * group)
    ill = np.concatenate(score)
    data = Predictions(
        ["well", "ill"],
        np.concatenate(truth),
        np.stack([1 - ill, ill], axis=1),
        np.concatenate(patients) if copies > 1 else None,
    )
    return data, names


def test_a_large_gap_is_told_with_its_groups() -> None:
    data, names = drawn([0.95, 0.6, 0.9])
    comparison = compare_groups(data, {"Site": names}, 1)
    values = [r.metrics["accuracy"].value for r in comparison.results["Site"]]
    assert values == pytest.approx([0.95, 0.6, 0.9])
    accuracy = next(gap for gap in comparison.gaps if gap.metric == "accuracy")
    assert (accuracy.best, accuracy.worst) == ("A", "B")
    assert accuracy.value == pytest.approx(0.35) and accuracy.p < 0.005
    assert "lowest for B, highest for A" in str(accuracy)
    assert comparison.verdict == str(comparison.gaps[0])


def test_holm_corrects_for_all_gaps() -> None:
    data, names = drawn([0.9, 0.8])
    alone = compare_groups(data, {"Site": names}, None)
    more = {f"Site {n}": names for n in range(5)}
    (single,) = alone.gaps
    assert "Holm" not in f"{single} {alone.verdict}"
    assert "corrected by Holm" in str(compare_groups(data, more, None).gaps[0])
    assert compare_groups(data, more, None).gaps[0].p == pytest.approx(
        min(1.0, 5 * single.p)
    )


def test_chance_alone_is_hardly_ever_a_gap() -> None:
    significant = 0
    for seed in range(40):
        data, names = drawn([0.8, 0.8], n=60, seed=seed)
        shuffled = np.random.default_rng(seed).permutation(names).tolist()
        significant += compare_groups(data, {"Site": shuffled}, None).gaps[0].p <= 0.05
    assert significant <= 6  # binomial, 40 times 0.05: more than 6 once in 200


def test_images_of_one_patient_are_dealt_together() -> None:
    single, names = drawn([0.9, 0.7], n=200)
    copied, _names = drawn([0.9, 0.7], n=200, copies=10)
    p_single, p_copied = (
        compare_groups(data, {"Site": names}, None).gaps[0].p
        for data in (single, copied)
    )
    assert p_single < 0.001 < 0.05 < p_copied


def test_views_of_one_patient_are_dealt_within_the_patient() -> None:
    # Each patient has both views; all errors lie in one view of half of the patients.
    n = 40
    patients, view = np.repeat(np.arange(n), 2), np.tile(["AP", "PA"], n)
    wrong = (view == "AP") & (patients < n // 2)
    truth = patients % 2
    ill = np.where(wrong == (truth == 1), 0.2, 0.8)
    data = Predictions(["well", "ill"], truth, np.stack([1 - ill, ill], 1), patients)
    (gap,) = compare_groups(data, {"View": view.tolist()}, None).gaps
    assert gap.worst == "AP" and gap.p < 0.001


def test_one_patient_in_two_groups_does_not_hide_a_gap() -> None:
    # As somebody who had a birthday between two visits, or one entry of another sex.
    data, names = drawn([0.95, 0.6], n=200, copies=2)
    (gap,) = compare_groups(data, {"Sex": names}, None).gaps
    names[0] = "B"
    (mixed,) = compare_groups(data, {"Sex": names}, None).gaps
    assert gap.p < 0.001 and mixed.p < 0.001


def test_a_group_with_too_few_images_is_not_tested() -> None:
    data, names = drawn([0.9, 0.9])
    names[:9] = ["C"] * 9
    comparison = compare_groups(data, {"Site": names}, None)
    few = comparison.results["Site"][2]
    assert few.name == "C" and few.metrics["accuracy"].too_few is not None
    assert "C" not in {comparison.gaps[0].best, comparison.gaps[0].worst}
    only = compare_groups(data, {"Site": ["A"] * 195 + ["B"] * 5}, None)
    assert not only.gaps and "No attribute has two groups" in only.verdict


def test_images_without_the_attribute_stand_last_and_are_not_tested() -> None:
    data, names = drawn([0.9, 0.9, 0.1])
    names = ["" if name == "C" else name for name in names]
    comparison = compare_groups(data, {"Site": names}, 1)
    assert [r.name for r in comparison.results["Site"]] == ["A", "B", ""]
    assert all(gap.worst != "" for gap in comparison.gaps)
    assert "No significant difference" in comparison.verdict


def test_bands_stand_in_their_order() -> None:
    data, _names = drawn([0.9], n=60)
    bands = ["≥ 90", "18–39", "0–17", "65–89", "40–64", ""] * 10
    results = compare_groups(data, {"Age band": bands}, None).results["Age band"]
    assert [r.name for r in results] == ["0–17", "18–39", "40–64", "65–89", "≥ 90", ""]
