"""What a report says of a segmentation's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.minima import LimitingGroup
from medmodel.reports.segmentation import facts
from medmodel.reports.segmentation.metric_rows import estimate_text, metric_rows
from medmodel.runs.copies import copies_of
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.segmented_run import write_segmented_run

NAN = float("nan")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_masked_folder(tmp_path / "data" / "discs")


def test_limits_name_copies_patients_and_source(folder: Path) -> None:
    run = write_segmented_run(folder, copies=2)
    said = " ".join(facts.limits(run, facts.evaluate_run(run)))
    assert "2 of 6 test images are copies" in said
    assert "With the copies (n = 6 images): mean Dice of lesion 0.650" in said
    assert "Only 4 patients: too few for intervals" in said
    assert "same source only" in said
    assert "Says nothing about images unlike its training images." in said
    assert "Patients are not known" not in said


def test_nothing_but_copies_stays_and_is_said(folder: Path) -> None:
    run = write_segmented_run(folder, copies=6)
    assert facts.evaluate_run(run).images == 6
    assert facts.evaluate_with_copies(run) is None
    assert facts.test_copies(run) == str(copies_of(run))
    assert "what was remembered" in facts.test_copies(run)


def test_without_copies_there_are_no_other_numbers(folder: Path) -> None:
    run = write_segmented_run(folder)
    assert facts.evaluate_with_copies(run) is None
    assert facts.test_copies(run).startswith("No copy of a training or validation")
    evaluation = facts.evaluate_run(run)
    assert facts.dice_of_classes(evaluation) == (
        "lesion 0.650, too few (6 patients), n = 6 images that hold it"
    )
    first = metric_rows(evaluation, "lesion")[0]
    assert first == ["Dice", "0.650, too few (6 patients)", "6"]
    assert facts.tested_on(run, evaluation).startswith("6 images of 6 patients")


@pytest.mark.parametrize(
    ("key", "estimate", "text"),
    [
        ("dice", Estimate(0.9, 0.85, 0.95, 20), "0.900 (0.850–0.950)"),
        ("area_error", Estimate(0.051, 0.02, 0.1, 20), "5.1 % (2.0 %–10.0 %)"),
        ("hd95", Estimate(1.234, 1.0, 2.0, 20), "1.23 (1.00–2.00)"),
        ("dice", Estimate(NAN, NAN, NAN, 0), "not measurable"),
        (
            "dice",
            Estimate(0.9, NAN, NAN, 3, LimitingGroup(3, False)),
            "0.900, too few (3 images)",
        ),
    ],
)
def test_numbers_are_written_with_their_intervals(
    key: str, estimate: Estimate, text: str
) -> None:
    assert estimate_text(key, estimate) == text
