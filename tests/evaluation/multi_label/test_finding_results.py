"""Findings of hand-made tables: thresholds, calibration, AUC, intervals, counts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medmodel.core.errors import DataError
from medmodel.evaluation.multi_label import finding_results, run_findings
from medmodel.evaluation.multi_label.finding_results import (
    decide,
    evaluate_findings,
)
from medmodel.reports.multi_label.facts import mean_sentence
from medmodel.reports.multi_label.metric_rows import result_rows


def drawn(images: int = 300, seed: int = 0) -> pd.DataFrame:
    """Half validation, half test; `a` is common, `b` rare and too sure of itself."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {
        "path": [f"{n}.png" for n in range(images)],
        "patient": [f"p{n // 2}" for n in range(images)],
        "split": ["val" if n // 2 % 2 else "test" for n in range(images)],
    }
    for name, share, sure in (("a", 0.4, 1.0), ("b", 0.2, 4.0)):
        odds = random.normal(np.log(share / (1 - share)), 1.5, images)
        columns[f"true_{name}"] = random.random(images) < 1 / (1 + np.exp(-odds))
        columns[f"score_{name}"] = 1 / (1 + np.exp(-odds * sure))
    return pd.DataFrame(columns)


def test_areas_are_those_of_each_finding() -> None:
    table = drawn()
    evaluation = evaluate_findings(table, decide(table))
    tested = table[table["split"] == "test"]
    areas = [
        roc_auc_score(tested[f"true_{name}"], tested[f"score_{name}"]) for name in "ab"
    ]
    assert [r.auc.value for r in evaluation.results] == pytest.approx(areas)
    assert evaluation.mean_auc.value == pytest.approx(np.mean(areas))
    assert evaluation.mean_auc.low < np.mean(areas) < evaluation.mean_auc.high
    assert evaluation.patients == 75 and evaluation.images == 150
    positives = int(tested["true_b"].sum())
    assert evaluation.results[1].positives == positives
    assert evaluation.results[1].prevalence == positives / 150


def test_the_mean_is_no_wider_than_the_widest() -> None:
    table = drawn()
    evaluation = evaluate_findings(table, decide(table))
    widths = [r.auc.high - r.auc.low for r in evaluation.results]
    assert evaluation.mean_auc.high - evaluation.mean_auc.low < max(widths)


def test_temperature_and_threshold_come_from_validation() -> None:
    table = drawn(1200)
    decisions = decide(table)
    assert decisions[0].temperature == pytest.approx(1, abs=0.35)
    assert decisions[1].temperature > 2.5
    changed = table.copy()
    tested = changed["split"] == "test"
    changed.loc[tested, ["score_a", "score_b"]] = 0.5
    changed.loc[tested, "true_a"] = False
    assert decide(changed) == decisions


def test_the_threshold_decides_as_before_calibration() -> None:
    table = drawn(1200)
    [_a, decision] = decide(table)
    result = evaluate_findings(table, decide(table)).results[1]
    assert result.outcome is not None
    raw = finding_results.choose_threshold(
        finding_results.finding_predictions(table, "b", "val"),
        1,
        finding_results.YOUDEN,
    )
    tested = table[table["split"] == "test"]
    called = tested["score_b"] >= raw
    assert result.outcome.found == int((called & tested["true_b"]).sum())
    assert result.outcome.false_alarms == int((called & ~tested["true_b"]).sum())


def test_few_validation_images_calibrate_nothing() -> None:
    table = drawn(1200)
    positives = table.index[(table["split"] == "val") & table["true_b"]]
    table.loc[positives[9:], "true_b"] = False
    assert decide(table)[1].temperature == 1.0
    table.loc[positives[9], "true_b"] = True
    assert decide(table)[1].positives == 10
    table.loc[positives, "true_b"] = False
    [_a, none] = decide(table)
    assert math.isnan(none.threshold) and none.positives == 0


def test_a_finding_that_no_test_image_has_is_left_out_of_the_mean() -> None:
    table = drawn()
    table.loc[table["split"] == "test", "true_b"] = False
    evaluation = evaluate_findings(table, decide(table))
    assert evaluation.left_out == ["b"]
    assert evaluation.mean_auc.value == evaluation.results[0].auc.value
    assert not evaluation.results[1].auc.measurable


def test_few_test_images_have_no_interval() -> None:
    table = drawn()
    positives = table.index[(table["split"] == "test") & table["true_b"]]
    table.loc[positives[6:], "true_b"] = False
    evaluation = evaluate_findings(table, decide(table))
    assert "too few" in str(evaluation.results[1].auc)
    assert "too few" in str(evaluation.mean_auc)
    # Its few images are not to hide what is known of the others.
    assert evaluation.enough == ["a"]
    assert evaluation.mean_of_enough.interval == evaluation.results[0].auc.interval
    sentence = mean_sentence(evaluation)
    assert sentence.endswith(f"enough test images: {evaluation.results[0].auc}.")
    few = evaluation.results[1].auc.too_few
    assert few is not None
    assert result_rows(evaluation, short=True)[1][2].endswith(f"too few ({few.count})")
    assert str(evaluation.results[1].auc) in result_rows(evaluation)[1]


def test_where_no_finding_has_too_few_the_mean_stands_alone() -> None:
    table = drawn()
    evaluation = evaluate_findings(table, decide(table))
    assert evaluation.enough == []
    assert mean_sentence(evaluation).count("AUC") == 1
    assert "enough" not in mean_sentence(evaluation)


def test_what_is_too_few_is_called_by_the_finding() -> None:
    table = drawn()
    tested = table.index[table["split"] == "test"]
    table.loc[tested, "true_b"] = [number < 4 for number in range(len(tested))]
    decisions = decide(table)
    rare = evaluate_findings(table, decisions).results[1]
    found = f"too few ({rare.auc.too_few})"
    patients = table.loc[tested[:4], "patient"].nunique()
    assert found == f"too few ({patients} patients with images positive for b)"
    assert found in str(rare.rate("sensitivity"))
    table.loc[tested, "true_b"] = [number >= 1 for number in range(len(tested))]
    table["patient"] = ""
    common = evaluate_findings(table, decisions).results[1]
    assert "too few (1 image negative for b)" in str(common.auc)
    assert "too few (1 image negative for b)" in str(common.rate("specificity"))


def test_all_findings_right_counts_images() -> None:
    table = drawn()
    decisions = decide(table)
    evaluation = evaluate_findings(table, decisions)
    tested = table[table["split"] == "test"]
    right = np.ones(len(tested), bool)
    for decision in decisions:
        shown = decision.shown(tested[f"score_{decision.name}"].to_numpy())
        right &= (shown >= decision.threshold) == tested[f"true_{decision.name}"]
    assert evaluation.exact.value == pytest.approx(right.mean())


def test_images_of_each_kind_part_the_test() -> None:
    table = drawn()
    [decision, _b] = decide(table)
    kinds = {
        kind: run_findings.images_of_kind(table, decision, kind)  # type: ignore[arg-type]
        for kind in ("missed", "false_alarm", "found", "left_alone")
    }
    assert sum(map(len, kinds.values())) == 150
    assert kinds["missed"]["probability"].is_monotonic_increasing
    assert kinds["false_alarm"]["probability"].is_monotonic_decreasing
    assert (kinds["missed"]["probability"] < decision.threshold).all()
    assert (kinds["false_alarm"]["probability"] >= decision.threshold).all()


def test_table_to_take_away() -> None:
    table = drawn()
    rows = run_findings.results_table(evaluate_findings(table, decide(table)))
    assert list(rows["finding"])[:2] == ["a", "b"]
    assert rows["auc"].iloc[2] == pytest.approx(rows["auc"].iloc[:2].mean())


def test_answers_of_many_findings() -> None:
    table = drawn(20)
    names = [f"f{number}" for number in range(30)]
    copies = {
        f"{kind}{name}": table[f"{kind}a"]
        for name in names
        for kind in ("true_", "score_")
    }
    wide = pd.concat([table, pd.DataFrame(copies)], axis=1)
    decisions = [finding_results.Decision(name, 0.5, 1.0, 5) for name in names]
    answers = run_findings.answers_table(wide, decisions)
    assert answers.shape == (20, 3 + 5 * 30)
    assert set(answers["set_f29"]) == {""}  # 20 images promise nothing
    called = (table["score_a"] >= 0.5).astype(int)
    assert list(answers["predicted_f29"]) == list(called)
    unknown = [finding_results.Decision("f0", math.nan, 1.0, 0)]
    assert set(run_findings.answers_table(wide, unknown)["predicted_f0"]) == {""}


def test_no_validation_images() -> None:
    table = drawn()
    with pytest.raises(DataError, match="no validation image"):
        decide(table[table["split"] == "test"])
