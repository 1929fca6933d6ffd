"""Operating points by hand, by textbook and by law."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.evaluation.decision.frozen_thresholds import (
    freeze_thresholds,
    frozen_thresholds,
    later_choices,
)
from medmodel.evaluation.decision.thresholds import (
    Rule,
    Rules,
    at_prevalence,
    choose_threshold,
    choose_thresholds,
    outcome,
)
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.predictions import Predictions
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

pytestmark = pytest.mark.usefixtures("every_interval")


def sick(scores: list[float], labels: list[int]) -> Predictions:
    first = np.array(scores)
    both = np.stack([first, 1 - first], axis=1)
    return Predictions(["sick", "well"], 1 - np.array(labels), both, None)


EIGHT = sick([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0, 0, 0, 1, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        (Rule(), 0.35),  # 1 + 3/4; also 3/4 + 1 at 0.55: the lower one finds more
        (Rule("sensitivity", 1.0), 0.35),
        (Rule("sensitivity", 0.75), 0.55),
        (Rule("specificity", 1.0), 0.55),
        (Rule("specificity", 0.5), 0.35),  # 0.25 finds no more
        (Rule("cost", 10), 0.35),
        (Rule("cost", 0.1), 0.55),
    ],
)
def test_rules_by_hand(rule: Rule, threshold: float) -> None:
    found = choose_threshold(EIGHT, 0, rule)
    if rule == Rule("specificity", 0.5):
        assert outcome(EIGHT, 0, found).missed == 0
    else:
        assert found == pytest.approx(threshold)


@pytest.mark.parametrize(("misses", "threshold"), [(2, 0.75), (3, 0.35), (4, 0.35)])
def test_costs_are_of_all_images_not_of_rates(misses: float, threshold: float) -> None:
    # One of four is sick. At 0.35 both are found and three of six called wrongly, at
    # 0.75 one and none: a miss for three false alarms. Of equal ones the lower.
    data = sick([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0, 0, 0, 1, 0, 0, 0, 1])
    assert choose_threshold(data, 0, Rule("cost", misses)) == pytest.approx(threshold)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1))
def test_rules_keep_their_word(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    labels = [0, 1, *rng.integers(2, size=20).tolist()]
    data = sick((rng.integers(0, 10, 22) / 10).tolist(), labels)
    cut = choose_threshold(data, 0, Rule("sensitivity", share))
    assert outcome(data, 0, cut).metrics["sensitivity"].value >= share - 1e-9
    cut = choose_threshold(data, 0, Rule("specificity", share))
    assert outcome(data, 0, cut).metrics["specificity"].value >= share - 1e-9
    best = outcome(data, 0, choose_threshold(data, 0, Rule())).metrics
    for other in np.arange(0, 1.1, 0.05):
        found = outcome(data, 0, other).metrics
        assert (
            found["sensitivity"].value + found["specificity"].value
            <= best["sensitivity"].value + best["specificity"].value + 1e-9
        )


def table(splits: list[str]) -> pd.DataFrame:
    n = len(splits)
    score = np.linspace(0.05, 0.95, n)
    return pd.DataFrame(
        {
            "path": [f"{k}.png" for k in range(n)],
            "patient": "",
            "split": splits,
            "label": ["well" if k % 3 else "sick" for k in range(n)],
            "score_sick": score,
            "score_well": 1 - score,
        }
    )


def test_test_images_have_no_say() -> None:
    both = table(["val"] * 12 + ["test"] * 12)
    other = both.copy()
    tests = other["split"] == "test"
    other.loc[tests, "score_sick"] = 0.5
    other.loc[tests, "label"] = "sick"
    assert choose_thresholds(both, Rule()) == choose_thresholds(other, Rule())
    with pytest.raises(DataError, match="no validation image"):
        choose_thresholds(table(["test"] * 6), Rule())


def test_thresholds_are_frozen(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert frozen_thresholds(run) is None
    freeze_thresholds(run, Rule("cost", 5), {"sick": 0.25, "well": math.nan})
    kept = frozen_thresholds(run)
    assert kept is not None
    assert kept[0] == Rule("cost", 5) and kept[1]["sick"] == 0.25
    assert math.isnan(kept[1]["well"])


def test_every_class_may_have_its_rule() -> None:
    rules = Rules((("sick", Rule("sensitivity", 1.0)), ("well", Rule("cost", 2))))
    found = choose_thresholds(table(["val"] * 12), rules)
    one, other = (
        choose_thresholds(table(["val"] * 12), rule) for _, rule in rules.rules
    )
    assert found == {"sick": one["sick"], "well": other["well"]}
    assert str(rules) == (
        "sick: sensitivity of at least 100 %; well: a false negative costs 2 × a false "
        "positive"
    )
    same = Rules((("sick", Rule()), ("well", Rule())))
    assert str(same) == str(Rule()) and same.of("new") == Rule()


def test_what_was_frozen_stays_when_somebody_chooses_again(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert later_choices(run) == []
    freeze_thresholds(run, Rule("cost", 5), {"sick": 0.25, "well": math.nan})
    first = frozen_thresholds(run)
    rules = Rules((("sick", Rule()), ("well", Rule("cost", 2))))
    freeze_thresholds(run, rules, {"sick": 0.5, "well": 0.75})
    freeze_thresholds(run, Rule(), {"sick": 0.1, "well": 0.2})
    assert str(frozen_thresholds(run)) == str(first)
    again, last = later_choices(run)
    assert again.rule == rules and again.thresholds == {"sick": 0.5, "well": 0.75}
    assert last.rule == Rule() and last.when >= again.when > 1e9


def test_people_who_choose_at_the_same_time_overwrite_nobody(workspace: Path) -> None:
    run = RunStore().create(TrainConfig("/data/x"))

    def choose(number: int) -> None:
        freeze_thresholds(run, Rule(), {"sick": number / 100})

    with ThreadPoolExecutor(8) as people:
        list(people.map(choose, range(16)))
    first = frozen_thresholds(run)
    assert first is not None
    chosen = [first[1], *(choice.thresholds for choice in later_choices(run))]
    assert sorted(kept["sick"] for kept in chosen) == [n / 100 for n in range(16)]


@pytest.mark.parametrize(
    ("kind", "value"), [("sensitivity", 0), ("specificity", 1.5), ("cost", -1)]
)
def test_rules_out_of_range(kind: str, value: float) -> None:
    with pytest.raises(DataError):
        Rule(kind, value)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no rule"):
        Rule("magic")  # type: ignore[arg-type]


def test_absent_class_and_missing_threshold() -> None:
    data = sick([0.2, 0.3], [0, 0])
    assert math.isnan(choose_threshold(data, 0, Rule()))
    with pytest.raises(DataError, match="sick has no threshold"):
        outcome(data, 0, math.nan)


def test_outcome_counts() -> None:
    found = outcome(EIGHT, 0, 0.5)
    counts = found.found, found.missed, found.false_alarms, found.left_alone
    assert counts == (3, 1, 1, 3)
    assert found.prevalence == 0.5
    nobody = outcome(EIGHT, 0, 0.81).metrics
    assert not nobody["ppv"].measurable and nobody["sensitivity"].value == 0


def test_prevalence_of_altman_and_bland() -> None:
    # BMJ 309 (1994) 102: liver scans, sensitivity 231/258, specificity 54/86. At the
    # sample's prevalence the predictive values are 0.88 and 0.67, at 0.25 they are
    # 0.45 and 0.95.
    sensitivity, specificity = wilson(231, 258), wilson(54, 86)
    sample = at_prevalence(sensitivity, specificity, 258 / 344)
    assert (round(sample.ppv.value, 2), round(sample.npv.value, 2)) == (0.88, 0.67)
    assert sample.ppv.value == pytest.approx(231 / 263)
    quarter = at_prevalence(sensitivity, specificity, 0.25)
    assert (round(quarter.ppv.value, 2), round(quarter.npv.value, 2)) == (0.45, 0.95)
    assert quarter.ppv.low < quarter.ppv.value < quarter.ppv.high
    assert (quarter.found, quarter.missed, quarter.false_alarms) == (224, 26, 279)
    assert str(quarter).endswith(
        "224 true positives, 26 false negatives, 279 false positives."
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 30), st.integers(0, 40), st.floats(0.001, 0.999), st.floats(1, 5))
def test_prevalence_laws(hits: int, rejected: int, share: float, effect: float) -> None:
    sensitivity, specificity = wilson(hits, 30, effect), wilson(rejected, 40, effect)
    found = at_prevalence(sensitivity, specificity, share)
    for value in (found.ppv, found.npv):
        if value.measurable:
            assert 0 <= value.low <= value.value + 1e-9
            assert value.value <= value.high + 1e-9 and value.high <= 1
    assert found.found + found.missed == round(1000 * share)
    mirrored = at_prevalence(specificity, sensitivity, 1 - share)
    assert mirrored.ppv.value == pytest.approx(found.npv.value, nan_ok=True)


def test_interval_of_a_predictive_value_by_hand() -> None:
    """Equation 9 of Donner and Zou for the likelihood ratio, then Bayes' odds."""
    hit, spared = wilson(231, 258), wilson(54, 86)
    alarm = Estimate(1 - spared.value, 1 - spared.high, 1 - spared.low, 86)
    ends = []
    for sign, near, far in ((-1, hit.low, alarm.high), (1, hit.high, alarm.low)):
        product, below = hit.value * alarm.value, far * (2 * alarm.value - far)
        root = math.sqrt(product**2 - near * (2 * hit.value - near) * below)
        odds = 0.25 / 0.75 * (product + sign * root) / below
        ends.append(odds / (1 + odds))
    found = at_prevalence(hit, spared, 0.25)
    assert (found.ppv.low, found.ppv.high) == pytest.approx(ends)
    mirrored = at_prevalence(spared, hit, 0.75).npv
    assert (mirrored.low, mirrored.high) == pytest.approx(ends)
    assert found.ppv.n == found.npv.n == 258 + 86


def test_predictive_values_where_nobody_or_everybody_is_called() -> None:
    nobody = at_prevalence(wilson(0, 30), wilson(40, 40), 0.1)
    assert not nobody.ppv.measurable and nobody.npv.value == pytest.approx(0.9)
    assert (nobody.found, nobody.missed, nobody.false_alarms) == (0, 100, 0)
    everybody = at_prevalence(wilson(30, 30), wilson(0, 40), 0.1)
    assert not everybody.npv.measurable and everybody.ppv.value == pytest.approx(0.1)
    perfect = at_prevalence(wilson(30, 30), wilson(40, 40), 0.1)
    assert (perfect.ppv.value, perfect.ppv.high) == (1, 1) and perfect.ppv.low < 0.9


def test_prevalence_out_of_range() -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        at_prevalence(wilson(3, 4), wilson(3, 4), 1.0)
    with pytest.raises(DataError, match="could not both"):
        at_prevalence(wilson(3, 4), Estimate(math.nan, math.nan, math.nan, 0), 0.1)
