"""Paired comparison of two segmentations."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.segmentation import comparison
from medmodel.evaluation.segmentation.comparison import (
    FEWEST,
    common_outlines,
    compare_dice,
    disagreements,
    permutation_p,
)
from medmodel.evaluation.segmentation.summary import in_mm, metrics
from medmodel.runs.tables.segmentation import SEGMENTATION_COLUMNS

NAN = float("nan")


def table(
    dice: list[float],
    *,
    patients: list[str] | None = None,
    name: str = "lesion",
    first: int = 0,
) -> pd.DataFrame:
    """Test images of a class; not-a-number is one without it."""
    rows = []
    for number, value in enumerate(dice):
        absent = np.isnan(value)
        area = 0 if absent else 100 + number
        predicted = number if absent else 90
        patient = patients[number] if patients else f"p{number}"
        facts = [f"{first + number:03}.png", patient, "test", name, value, value]
        rows.append([*facts, 1 - absent, 1, area, predicted, NAN, 1.0, NAN])
    return pd.DataFrame(rows, columns=list(SEGMENTATION_COLUMNS))


def dice_of(rng: np.random.Generator, count: int, shift: float = 0.0) -> list[float]:
    return (0.8 + shift + rng.normal(0, 0.04, count)).clip(0, 1).tolist()


def test_a_clear_difference_is_told() -> None:
    rng = np.random.default_rng(0)
    one, other = dice_of(rng, 30, 0.1), dice_of(rng, 30)
    common = common_outlines({"A": table(one), "B": table(other)})
    (pair,) = compare_dice(common, "lesion")
    assert pair.estimate.value == pytest.approx(np.mean(one) - np.mean(other))
    assert pair.values == pytest.approx((np.mean(one), np.mean(other)))
    assert 0 < pair.estimate.low < pair.estimate.value < pair.estimate.high
    assert pair.better == "A"
    assert str(pair).startswith("A is better than B: mean Dice is higher by 0.")
    assert pair.test == "Permutation test by patient"
    (turned,) = compare_dice(
        common_outlines({"B": table(other), "A": table(one)}), "lesion"
    )
    assert turned.better == "A"
    assert turned.estimate.value == pytest.approx(-pair.estimate.value)
    assert str(turned) == str(pair)


def test_chance_is_not_called_better() -> None:
    rng = np.random.default_rng(1)
    common = common_outlines(
        {"A": table(dice_of(rng, 30)), "B": table(dice_of(rng, 30))}
    )
    (pair,) = compare_dice(common, "lesion")
    assert pair.better == ""
    assert "no significant difference (n = 30 images, p = " in str(pair)


def test_images_of_one_patient_do_not_count_as_many() -> None:
    rng = np.random.default_rng(2)
    one, other = dice_of(rng, 60, 0.02), dice_of(rng, 60)
    alone = {"A": table(one), "B": table(other)}
    patients = [f"p{number // 3}" for number in range(60)]
    # Each patient's images err alike.
    shifts = np.repeat(rng.normal(0, 0.05, 20), 3)
    one = (np.array(one) + shifts).tolist()
    together = {
        "A": table(one, patients=patients),
        "B": table(other, patients=patients),
    }
    widths = [
        np.ptp(compare_dice(common_outlines(tables), "lesion")[0].estimate.ends)
        for tables in (alone, together)
    ]
    assert widths[1] > 1.3 * widths[0]


def test_too_few_patients_get_no_interval() -> None:
    rng = np.random.default_rng(3)
    for count, enough in ((FEWEST - 1, False), (FEWEST, True)):
        tables = {n: table(dice_of(rng, count, s)) for n, s in (("A", 0.1), ("B", 0))}
        (pair,) = compare_dice(common_outlines(tables), "lesion")
        assert pair.estimate.has_interval == enough
        assert (pair.better == "A") == enough
    tables = {n: table(dice_of(rng, 5)) for n in "AB"}
    (pair,) = compare_dice(common_outlines(tables), "lesion")
    assert str(pair) == "A and B: too few (5 patients) to tell them apart."


def test_equal_models_are_alike() -> None:
    rows = table([0.5] * 25)
    (pair,) = compare_dice(common_outlines({"A": rows, "B": rows}), "lesion")
    assert (pair.p, pair.better, pair.estimate.value) == (1.0, "", 0.0)


def test_where_no_image_holds_the_class_nothing_is_measured() -> None:
    rows = table([NAN] * 4)
    (pair,) = compare_dice(common_outlines({"A": rows, "B": rows}), "lesion")
    assert str(pair) == "A and B: not measurable."


def test_several_pairs_are_corrected() -> None:
    rng = np.random.default_rng(4)
    tables = {n: table(dice_of(rng, 30, 0.02 * i)) for i, n in enumerate("ABC")}
    common = common_outlines(tables)
    pairs = compare_dice(common, "lesion")
    assert [(p.first, p.second) for p in pairs] == [*itertools.combinations("ABC", 2)]
    (alone,) = compare_dice(common_outlines({n: tables[n] for n in "AC"}), "lesion")
    assert pairs[1].p == pytest.approx(3 * alone.p)


def test_the_permutation_test_by_hand() -> None:
    assert permutation_p(np.array([1.0, 1.0, 1.0])) == 2 / 8
    assert permutation_p(np.array([3.0, -1.0])) == 1.0
    assert permutation_p(np.zeros(5)) == 1.0
    many = permutation_p(np.ones(13))
    assert many == pytest.approx(2 / 2**13, abs=2e-4)
    assert many >= 1e-4


def test_only_common_test_images_count() -> None:
    one, other = table([0.5, 0.6, 0.7]), table([0.6, 0.7, 0.8], first=1)
    other["area"] += 1  # as named: each area tells its image
    common = common_outlines({"A": one, "B": other})
    assert [list(rows["path"]) for rows in common.models.values()] == [
        ["001.png", "002.png"]
    ] * 2
    assert common.left_out == {"A": 1, "B": 1}
    trained = one.assign(split=["train", "test", "test"])
    assert len(common_outlines({"A": trained, "B": one}).models["A"]) == 2


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (table([0.5], name="value 1"), "A do not have the same classes"),
        (table([0.5], first=7), "no test image in common"),
        (table([0.5]).assign(area=77), "B and A were tested with other masks of 1 ima"),
    ],
)
def test_what_cannot_be_compared_is_said(other: pd.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=said):
        common_outlines({"A": table([0.5]), "B": other})


def test_one_model_is_no_comparison() -> None:
    with pytest.raises(DataError, match="needs two models"):
        common_outlines({"A": table([0.5])})


def test_files_of_one_name_are_one_image_where_they_are_equal() -> None:
    rows = table([0.5, 0.6])
    digests = {
        "A": {"000.png": "x", "001.png": "y"},
        "B": {"000.png": "x", "001.png": "z"},
    }
    common = common_outlines({"A": rows, "B": rows}, digests)
    assert list(common.models["A"]["path"]) == ["000.png"]


def test_the_largest_disagreements_come_first() -> None:
    one, other = table([0.9, 0.5, NAN, 0.7, NAN]), table([0.8, 0.9, NAN, 0.7, NAN])
    one.loc[4, "predicted_area"], other.loc[4, "predicted_area"] = 50, 0
    rows = common_outlines({"A": one, "B": other}).of_class("lesion")
    shown = disagreements(rows, 9)
    assert list(shown["path"]) == ["001.png", "000.png", "004.png"]
    assert len(disagreements(rows, 1)) == 1


def test_distances_of_all_models_have_one_unit() -> None:
    measured, nothing, without_scale = (table([0.8, 0.9, 0.7]) for _each in range(3))
    measured["hd95_mm"] = [2.0, 4.0, 6.0]
    measured["hd95"] = [1.0, 2.0, 3.0]
    nothing["hd95"] = NAN
    of_class = common_outlines({"A": nothing, "B": measured}).of_class("lesion")
    assert metrics(of_class["B"])["hd95"].value == 4.0
    assert in_mm(pd.concat(of_class.values()))
    of_class = common_outlines({"A": without_scale, "B": measured}).of_class("lesion")
    assert metrics(of_class["B"])["hd95"].value == 2.0
    assert not in_mm(pd.concat(of_class.values()))


def test_many_images_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    common = common_outlines(
        {"A": table(dice_of(rng, 30, 0.02)), "B": table(dice_of(rng, 30))}
    )
    (at_once,) = compare_dice(common, "lesion")
    monkeypatch.setattr(comparison, "_AT_ONCE", 30 * 700)
    assert comparison._parts(2000, 30) == [700, 700, 600]
    assert comparison._parts(1400, 30) == [700, 700]
    assert comparison._parts(2, 10**9) == [1, 1]
    (in_parts,) = compare_dice(common, "lesion")
    assert in_parts.estimate == at_once.estimate
    assert in_parts.p == pytest.approx(at_once.p, abs=0.01)
