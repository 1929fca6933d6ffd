"""Sets of each finding: by hand, by the promise, and where images are too few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from medmodel.evaluation.decision import conformal
from medmodel.evaluation.decision.conformal import below_target
from medmodel.evaluation.multi_label.finding_sets import (
    FindingSets,
    by_name,
    fit_sets,
    measure_finding,
    measure_sets,
)
from tests.evaluation.multi_label.test_finding_results import drawn

pytestmark = pytest.mark.usefixtures("every_interval")


def table_of(
    with_it: Sequence[float], without: Sequence[float], split: str = "val"
) -> pd.DataFrame:
    """Images of one finding with these scores."""
    scores = [*with_it, *without]
    return pd.DataFrame(
        {
            "path": [f"{split}{n}.png" for n in range(len(scores))],
            "patient": "",
            "split": split,
            "true_a": [n < len(with_it) for n in range(len(scores))],
            "score_a": scores,
        }
    )


def test_by_hand() -> None:
    table = table_of([0.9, 0.4, 0.7, 0.8], [0.1, 0.6, 0.3, 0.2])
    (sets,) = fit_sets(table, 0.8)
    assert (sets.present_from, sets.absent_to) == (0.4, 0.6)
    scores = np.array([0.39, 0.4, 0.6, 0.61])
    assert sets.answers(scores) == [
        "absent",
        "present|absent",
        "present|absent",
        "present",
    ]


def test_no_set_is_empty() -> None:
    (sets,) = fit_sets(table_of([0.9] * 4, [0.1] * 4), 0.8)
    assert sets.present_from == sets.absent_to == pytest.approx(0.5)
    assert sets.answers(np.array([0.2, 0.49, 0.51])) == ["absent", "absent", "present"]


@pytest.mark.parametrize(("with_it", "without"), [(3, 40), (40, 3), (0, 40), (40, 0)])
def test_too_few_of_either_kind_promise_nothing(with_it: int, without: int) -> None:
    (sets,) = fit_sets(table_of([0.9] * with_it, [0.1] * without), 0.8)
    assert not sets.enough and sets.answers(np.array([0.5])) == [""]
    assert measure_finding(table_of([0.9], [0.1], "test"), sets) is None


def test_the_promise_holds_for_images_with_a_rare_finding() -> None:
    held = []
    for seed in range(60):
        table = drawn(1200, seed)
        for sets in fit_sets(table, 0.9):
            result = measure_finding(table, sets)
            assert result is not None
            held.append((result.present.value, result.absent.value))
    assert (np.mean(held, axis=0) > 0.89).all()
    assert (np.mean(held, axis=0) < 0.93).all()


def test_what_was_held_is_measured_for_both_kinds() -> None:
    sets = FindingSets("a", 0.8, 0.4, 0.6, 50, 50)
    test = table_of([0.3, 0.5, 0.9, 0.9], [0.7, 0.1], "test")
    result = measure_finding(test, sets)
    assert result is not None
    assert (result.present.value, result.present.n) == (0.75, 4)
    assert (result.absent.value, result.absent.n) == (0.5, 2)
    assert result.either == pytest.approx(1 / 6)
    none = measure_finding(table_of([], [0.7, 0.1], "test"), sets)
    assert none is not None and not none.present.measurable
    assert not none.present.has_interval


def test_other_test_images_break_the_promise() -> None:
    sets = FindingSets("a", 0.9, 0.5, 0.5, 200, 200)
    strange = measure_finding(table_of([0.1] * 100, [0.1] * 100, "test"), sets)
    alike = measure_finding(table_of([0.9] * 100, [0.1] * 100, "test"), sets)
    assert strange is not None and below_target(strange.shortfalls) == [True, False]
    assert alike is not None and below_target(alike.shortfalls) == [False, False]


def test_of_many_findings_few_are_blamed_for_chance() -> None:
    """Validation and test images of one place: each by itself blamed 60 % of models."""
    rng = np.random.default_rng(0)
    alone = together = 0
    for _ in range(10):
        has = rng.random((3000, 14)) < 0.2
        scores = 1 / (1 + np.exp(-rng.normal(2.0 * has - 1)))
        table = pd.DataFrame(
            {
                "path": [f"{n}.png" for n in range(3000)],
                "patient": "",
                "split": np.repeat(["val", "test"], 1500),
                **{f"true_{k}": has[:, k] for k in range(14)},
                **{f"score_{k}": scores[:, k] for k in range(14)},
            }
        )
        measured = measure_sets(table)
        every = [result for of_all in measured.values() for result in of_all if result]
        assert len(every) == 4 * 14
        together += any(result.undercovers for result in every)
        alone += any(
            p < 0.025 for each in measured[0.9] if each for p in each.shortfalls
        )
    assert alone > 2 and together < 3


def test_where_images_changed_that_finding_alone_is_blamed() -> None:
    good = pd.concat(
        [table_of([0.9] * 60, [0.1] * 60), table_of([0.9] * 60, [0.1] * 60, "test")]
    )
    table = good.assign(true_b=good["true_a"], score_b=good["score_a"])
    table.loc[table["split"] == "test", "score_b"] = 0.1
    for changed, alike in ((b, a) for a, b in measure_sets(table).values() if a and b):
        assert changed.undercovers and not alike.undercovers


def test_a_finding_that_the_table_lacks_has_no_set() -> None:
    sets = by_name(fit_sets(table_of([0.9] * 9, [0.1] * 9), 0.8), ["b", "a"], 0.8)
    assert [each.name for each in sets] == ["b", "a"]
    assert [each.enough for each in sets] == [False, True]


def test_scores_that_were_rounded_stay_in() -> None:
    (sets,) = fit_sets(table_of([1.0 - 1e-9] * 9, [0.0] * 9), 0.9)
    assert sets.answers(np.array([1.0, 0.0])) == ["present", "absent"]
    assert conformal.ROUNDING < 1e-6
