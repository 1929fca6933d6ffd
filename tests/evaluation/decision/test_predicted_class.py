"""One threshold, everywhere: tables, metrics, comparison, readers, batches, exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import RunError
from medmodel.evaluation.calibration.temperature_scaling import Temperature, calibrate
from medmodel.evaluation.comparison.model_comparison import common_images
from medmodel.evaluation.decision.predicted_class import (
    between_ends,
    calibrated_value,
    decision_sentence,
    predicted_positions,
)
from medmodel.evaluation.evaluation import evaluate
from medmodel.evaluation.image_prediction import Prediction
from medmodel.evaluation.predictions import split_predictions, subset
from medmodel.export.metadata import model_metadata
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import DecisionThreshold
from medmodel.runs.tables.predictions import predicted_position, read_predictions
from tests.finished_run import decide_by_threshold, write_finished_run

CLASSES = ["ill", "well"]
ILL = DecisionThreshold("ill", 0.2)
WARM = Temperature(2.0, 1.5, 2.5, 100, False)


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "decided")


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (None, [1, 1, 1, 0]),
        (ILL, [1, 0, 0, 0]),  # reached is enough
        (DecisionThreshold("well", 0.9), [1, 0, 0, 0]),
    ],
)
def test_the_threshold_or_the_highest_score_decides(
    threshold: DecisionThreshold | None, expected: list[int]
) -> None:
    ill = np.array([0.1, 0.2, 0.4, 0.6])
    scores = np.stack([ill, 1 - ill], axis=1)
    assert predicted_positions(scores, CLASSES, threshold).tolist() == expected


def test_calibration_changes_the_number_and_no_predicted_class() -> None:
    value = calibrated_value(ILL, WARM)
    assert value == pytest.approx(1 / 3)  # odds of 1 to 4 become 1 to 2
    ill = np.array([0.19, 0.21], np.float32)
    for raw in np.stack([ill, 1 - ill], axis=1):
        answer = Prediction(CLASSES, raw, WARM, threshold=ILL)
        assert (answer.calibrated[0] >= value) == (answer.predicted == 0)
    assert "ill from 33.3 % on, below it well" in decision_sentence(CLASSES, ILL, WARM)
    assert "from 20.0 %" in decision_sentence(CLASSES, ILL, None)
    assert decision_sentence(CLASSES, None, WARM) == ""


def test_every_number_of_a_run_follows_its_threshold(run: Run) -> None:
    before = evaluate(read_predictions(run))
    first = before.classes[0]
    decide_by_threshold(run, first, 0.05)
    table = read_predictions(run)
    data = split_predictions(table, "test")
    expected = np.where(data.scores[:, 0] >= 0.05, 0, 1)
    assert (data.predicted == expected).all()
    right = float((expected == data.truth).mean())
    after = evaluate(table)
    assert after.accuracy.value == pytest.approx(right) != before.accuracy.value
    assert after.auc.value == before.auc.value
    (entry,) = run_index.entries(RunStore())
    assert entry.test_accuracy == pytest.approx(right)
    kept = subset(calibrate(data, 2.0), np.arange(len(data.truth)) > 2)
    assert (kept.predicted == expected[3:]).all()
    row = table[table["split"] == "test"].iloc[0]
    assert predicted_position(row, data.classes) == expected[0]
    assert model_metadata(run)["decision_threshold"] == {"name": first, "value": 0.05}


def test_models_are_compared_each_by_its_own_threshold(
    run: Run, class_folders: Path
) -> None:
    other = write_finished_run(class_folders, "other", seed=1)
    first = run.model_facts.class_names[0]
    decide_by_threshold(run, first, 0.05)
    tables = {"a": read_predictions(run), "b": read_predictions(other)}
    models = common_images(tables).models
    assert (
        models["a"].predicted == np.where(models["a"].scores[:, 0] >= 0.05, 0, 1)
    ).all()
    assert (models["b"].predicted == models["b"].scores.argmax(axis=1)).all()


def test_runs_of_earlier_versions_say_what_they_said(run: Run) -> None:
    data = split_predictions(read_predictions(run), "test")
    assert data.choices is None
    assert (data.predicted == data.scores.argmax(axis=1)).all()
    assert model_metadata(run)["decision_threshold"] is None


def test_a_threshold_of_no_class_is_damage(run: Run) -> None:
    facts = replace(run.model_facts, threshold=DecisionThreshold("nobody", 0.5))
    run.write_model_facts(facts)
    with pytest.raises(RunError, match="its threshold is of none of two classes"):
        _ = run.model_facts


def test_a_predicted_class_without_scores_is_damage(run: Run) -> None:
    first = run.model_facts.class_names[0]
    decide_by_threshold(run, first, 0.05)
    (run.folder / "checksums.json").unlink()
    text = run.predictions_path.read_text()
    head, line, rest = text.split("\n", 2)
    cells = line.split(",")
    cells[4] = "elsewhere"
    run.predictions_path.write_text("\n".join([head, ",".join(cells), rest]))
    with pytest.raises(RunError, match="no scores of the class 'elsewhere'"):
        read_predictions(run)


@pytest.mark.parametrize(
    ("value", "end", "decimals", "text"),
    [
        (0.5, 1, 3, "0.500"),
        (0.9994, 1, 3, "0.999"),
        (0.9996, 1, 3, "0.9996"),
        (0.0004, 1, 3, "0.0004"),
        (0.999996, 1, 3, "0.999996"),
        (99.97, 100, 1, "99.97"),
        (0.04, 100, 1, "0.04"),
        (4e-7, 100, 1, "0.0000004"),
    ],
)
def test_a_threshold_is_rounded_neither_to_nothing_nor_to_all(
    value: float, end: int, decimals: int, text: str
) -> None:
    assert between_ends(value, end, decimals) == text


def test_the_sentence_never_says_that_all_images_are_called() -> None:
    low = decision_sentence(CLASSES, DecisionThreshold("ill", 0.0003), None)
    assert "ill from 0.03 % on" in low
    lowest = decision_sentence(CLASSES, DecisionThreshold("ill", 0.0000002), None)
    assert "ill from 0.00002 % on" in lowest
