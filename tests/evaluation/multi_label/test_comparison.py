"""Comparison of models of several findings: DeLong per finding, corrected by Holm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medmodel.core.errors import DataError
from medmodel.evaluation.comparison.paired_tests import area_difference, holm
from medmodel.evaluation.cross_validation import (
    complete_cross_validation,
    pooled_findings,
)
from medmodel.evaluation.multi_label.comparison import (
    areas,
    common_findings,
    common_of_models,
    compare_findings,
    compare_means,
)
from medmodel.runs import run_index
from medmodel.runs.run_store import RunStore
from tests.evaluation.multi_label.test_finding_results import drawn
from tests.findings_folder import draw_findings_folder
from tests.findings_run import write_findings_folds, write_findings_run


def noisy(table: pd.DataFrame, seed: int, by: float = 2.0) -> pd.DataFrame:
    """The same images by a worse model."""
    random = np.random.default_rng(seed)
    changed = table.copy()
    for name in ("a", "b"):
        odds = np.log(table[f"score_{name}"] / (1 - table[f"score_{name}"]))
        odds += random.normal(0, by, len(table))
        changed[f"score_{name}"] = 1 / (1 + np.exp(-odds))
    return changed


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    table = drawn(600)
    return {"good": table, "noisy": noisy(table, 1), "same": table}


def test_areas_and_tests_are_those_of_each_finding(
    tables: dict[str, pd.DataFrame],
) -> None:
    common = common_findings(tables)
    assert len(common.paths) == 300 and common.findings == ["a", "b"]
    pairs = compare_findings(common)
    chosen = [("good", "noisy"), ("good", "same"), ("noisy", "same")]
    raw = {}
    for name in "ab":
        models = common.of_finding(name).models
        for one, other in chosen:
            raw[name, one, other] = area_difference(models[one], models[other])
    expected = dict(zip(raw, holm([p for _e, p, _n in raw.values()]), strict=True))
    for name, of_finding in pairs.items():
        for pair in of_finding:
            key = (name, pair.first, pair.second)
            assert pair.estimate == raw[key][0] and pair.p == expected[key]
    tested = tables["good"][tables["good"]["split"] == "test"]
    area = roc_auc_score(tested["true_a"], tested["score_a"])
    assert areas(common)["a"]["good"].value == pytest.approx(area)
    assert pairs["a"][0].better == "good" and not pairs["a"][1].better


def test_the_mean_is_compared_by_itself(tables: dict[str, pd.DataFrame]) -> None:
    common = common_findings({m: tables[m] for m in ("good", "noisy")})
    [mean] = compare_means(common)
    parts = [of[0].estimate.value for of in compare_findings(common).values()]
    assert mean.estimate.value == pytest.approx(np.mean(parts))
    assert mean.better == "good"
    assert mean.estimate.low < mean.estimate.value < mean.estimate.high
    [nothing] = compare_means(common_findings({m: tables[m] for m in ("good", "same")}))
    assert nothing.estimate.value == 0 and nothing.p == 1 and not nothing.better


def test_a_finding_that_no_common_image_has(tables: dict[str, pd.DataFrame]) -> None:
    without = {
        name: table.assign(true_b=table["true_b"] & (table["split"] != "test"))
        for name, table in tables.items()
    }
    common = common_findings(without)
    pairs = compare_findings(common)
    assert "not measurable" in str(pairs["b"][0])
    # What was not tested corrects nothing.
    models = common.of_finding("a").models
    alone = holm(
        [area_difference(models[e.first], models[e.second])[1] for e in pairs["a"]]
    )
    assert [pair.p for pair in pairs["a"]] == alone
    [mean, *_rest] = compare_means(common)
    assert mean.estimate.value == pytest.approx(pairs["a"][0].estimate.value)


def test_images_in_common_alone_are_compared(tables: dict[str, pd.DataFrame]) -> None:
    some = tables["noisy"].iloc[100:]
    common = common_findings({"good": tables["good"], "some": some})
    tested = set(some.loc[some["split"] == "test", "path"])
    assert set(common.paths) == tested
    assert common.left_out == {"good": 300 - len(tested), "some": 0}
    assert "are left out" in str(common)


def test_what_cannot_be_compared_is_refused(tables: dict[str, pd.DataFrame]) -> None:
    good = tables["good"]
    other = good.rename(columns={"true_b": "true_c", "score_b": "score_c"})
    for second, reason in (
        (other, "do not have the same findings"),
        (good.assign(true_a=~good["true_a"]), "have other labels for 300 images"),
        (good.assign(path="x" + good["path"]), "no test image in common"),
    ):
        with pytest.raises(DataError, match=reason):
            common_findings({"good": good, "other": second})
    with pytest.raises(DataError, match="two models"):
        common_findings({"good": good})
    digests = {"good": {"0.png": "1"}, "noisy": {"0.png": "2"}}
    common = common_findings({m: tables[m] for m in digests}, digests)
    assert "0.png" not in common.paths and len(common.paths) == 299


def test_folds_are_pooled_and_compared_as_one_model(tmp_path: Path) -> None:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=96)
    runs = write_findings_folds(folder)
    pooled = pooled_findings(runs)
    assert len(pooled) == 96 and set(pooled["split"]) == {"test"}
    assert pooled["fold"].value_counts().to_dict() == {1: 48, 2: 48}
    entries = run_index.entries(RunStore())
    assert complete_cross_validation(entries[0], entries) is not None
    single = write_findings_run(folder, "single", seed=2)
    common = common_of_models({"both": runs, "single": [single]})
    assert len(common.paths) == 48 and common.left_out == {"both": 48, "single": 0}
    with pytest.raises(DataError, match="changed while its folds"):
        pooled_findings([runs[0], runs[0]])
