"""Several findings in one label, and what they count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medmodel.data.multi_label import findings
from medmodel.data.multi_label.sample_size import findings_warnings


@pytest.mark.parametrize(
    ("names", "label"),
    [
        ((), "No finding"),
        (("effusion",), "effusion"),
        (("a", "b"), "a|b"),
        (("a|b", " c  d "), "a/b|c d"),
    ],
)
def test_label_of_findings(names: tuple[str, ...], label: str) -> None:
    assert findings.join_findings(names) == label
    if "|" not in "".join(names):
        assert findings.split_findings(label) == tuple(names)


@pytest.mark.parametrize("name", ["No Finding", "no_finding", "NORMAL", "None"])
def test_words_for_no_finding(name: str) -> None:
    assert findings.is_no_finding(name)
    assert not findings.is_no_finding(f"{name} tissue")


def test_counts_and_indicators() -> None:
    labels = ["a|b", "b", "No finding"]
    assert findings.findings_of(labels) == ["a", "b"]
    expected = [[True, True], [False, True], [False, False]]
    np.testing.assert_array_equal(findings.indicators(labels, ["a", "b"]), expected)
    table = pd.DataFrame({"path": ["1", "2", "3"], "label": labels})
    rows = findings.row_per_finding(table)
    assert list(zip(rows["path"], rows["label"], strict=True)) == [
        ("1", "a"),
        ("1", "b"),
        ("2", "b"),
        ("3", "No finding"),
    ]


def test_warnings_name_findings_that_cannot_be_measured() -> None:
    counts = {
        "all": {"test": 40, "val": 3},
        "absent": {"train": 9},
        "rare": {"test": 9, "val": 2},
        "enough": {"test": 10, "val": 1},
        findings.NO_FINDING: {"test": 1},
    }
    said = findings_warnings(counts, {"train": 60, "val": 9, "test": 40})
    assert said == [
        "All test images, or none, have all, absent: no AUC can be measured there, and "
        "the mean leaves them out.",
        "Fewer than 10 test images with rare: no interval is given there.",
        "All validation images, or none, have absent: threshold and calibration cannot "
        "be chosen there.",
    ]


def test_warnings_of_small_sets() -> None:
    said = findings_warnings({"a": {"test": 29}}, {"train": 10, "test": 29})
    assert said[0].startswith("39 images in all")
    assert said[1].startswith("Only 29 test images")
    assert "No test images" in findings_warnings({}, {"train": 50})[0]
