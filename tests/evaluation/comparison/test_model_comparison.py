"""Comparisons of models: the same images, corrected pairs, what sentences may say."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.comparison.model_comparison import (
    PairedDifference,
    common_images,
    compare,
    difference,
    disagreements,
)
from medmodel.evaluation.comparison.paired_tests import (
    holm,
)
from medmodel.evaluation.intervals.estimate import Estimate

pytestmark = pytest.mark.usefixtures("every_interval")


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
        "A and B: no significant difference (n = 156 images, p = 0.20); to show a "
        "difference this large, about 900 images would be needed."
    )
    beginning = "A and B: no significant difference (n = 156 images, p = 0.20)"
    shown = "; to show a difference this large, "
    for needed, end in (
        (None, "."),
        (1_000_000, f"{shown}about 1,000,000 images would be needed."),
        (1_100_000, f"{shown}more than a million images would be needed."),
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
            f"A and B: no significant difference (n = 624 images, {text}); to "
            "show a difference this large, about 13,000 images would be needed."
        )
