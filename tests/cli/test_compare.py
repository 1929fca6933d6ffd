"""`medmodel compare`: the same pairs, tests and sentences as on the Compare page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmodel.core.storage import write_json
from medmodel.evaluation.comparison.model_comparison import common_images, compare
from medmodel.runs.copies import independent_predictions, write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import (
    read_predictions,
    score_array,
    scored_classes,
    write_predictions,
)
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.mark.parametrize("metric", ["accuracy", "auc", "f1"])
def test_pairs_as_on_the_page(
    runs: list[Run], metric: str, json_of: Callable[..., Any]
) -> None:
    ids = [run.id for run in runs]
    values = json_of("compare", *ids, "--metric", metric)
    tables = {run.config.name: independent_predictions(run) for run in runs}
    pairs = compare(common_images(tables), metric)
    assert values["images"] == 80
    assert [m["name"] for m in values["models"]] == ["sharp", "blunt", "middle"]
    assert [m["runs"] for m in values["models"]] == [[i] for i in ids]
    assert [d["sentence"] for d in values["differences"]] == list(map(str, pairs))
    assert [d["better"] for d in values["differences"]] == [
        pair.better or None for pair in pairs
    ]
    if metric == "accuracy":
        assert values["differences"][0]["better"] == "sharp"
    assert values["differences"][0]["p"] == pairs[0].p
    assert {d["metric"] for d in values["differences"]} == {metric}


def test_text(runs: list[Run], invoke: Invoke) -> None:
    said = invoke("compare", runs[0].id, runs[1].id).stdout
    assert "- sharp is better than blunt by" in said
    assert "80 test images are common to all." in said and "Holm" not in said
    assert "Compared by Accuracy:" in said
    ids = [run.id for run in runs]
    assert "corrected for 3 pairs (Holm)" in invoke("compare", *ids).stdout
    # Of so few images the log loss has no interval: nothing was tested.
    said = invoke("compare", *ids, "--metric", "log_loss").stdout
    assert "Log loss" in said and "Holm" not in said


def test_labels_of_copies_that_were_corrected_stop_nothing(
    runs: list[Run], json_of: Callable[..., Any], invoke: Invoke
) -> None:
    first, second = runs[:2]
    table = read_predictions(second)
    path = str(table.loc[table["split"] == "test", "path"].iloc[0])
    for run in (first, second):
        write_near_copies(run, {path} if run is first else set())
    values = json_of("compare", first.id, second.id)
    assert values["models"][0]["metrics_with_copies"]["accuracy"]["n"] == 80
    classes, row = scored_classes(table), table["path"] == path
    (wrong,) = set(classes) - set(table.loc[row, "label"])
    table.loc[row, "label"] = wrong
    (second.folder / "checksums.json").unlink(missing_ok=True)
    write_predictions(second, classes, table, score_array(table, classes))
    values = json_of("compare", first.id, second.id)
    assert values["images"] == 79 and len(values["differences"]) == 1
    assert values["models"][0]["metrics_with_copies"] is None
    sentence = "blunt and sharp have other labels for 1 image."
    assert values["limits"][-1] == f"Numbers with copies are not given: {sentence}"
    assert sentence in invoke("compare", first.id, second.id).stdout
    # Where no run has it as a copy, labels that differ still end the comparison.
    write_near_copies(first, set())
    assert sentence in invoke("compare", first.id, second.id, status=1).stderr


def test_equal_models_are_not_called_better(
    runs: list[Run], json_of: Callable[..., Any]
) -> None:
    again = write_finished_run(Path(runs[0].config.dataset), "twin", 4.0, seed=1)
    (pair,) = json_of("compare", runs[0].id, again.id)["differences"]
    assert pair["better"] is None


def test_folds_stand_for_their_cross_validation(
    runs: list[Run], invoke: Invoke
) -> None:
    for fold, run in enumerate(runs[:2], start=1):
        config = replace(run.config, name="cv", seed=0, folds=2, fold=fold)
        write_json(run.folder / "config.json", config)
    said = invoke("compare", runs[0].id, runs[1].id, status=2).stderr
    assert "needs two models" in said


def test_wrong_use(runs: list[Run], invoke: Invoke) -> None:
    first, second = runs[0].id, runs[1].id
    assert "needs two models" in invoke("compare", first, status=2).stderr
    assert "needs two models" in invoke("compare", first, first, status=2).stderr
    said = invoke("compare", first, second, "--metric", "dice", status=2).stderr
    assert "no metric 'dice'" in said and "accuracy" in said
    invoke("compare", status=2)


def test_models_that_cannot_be_compared(
    runs: list[Run], tmp_path: Path, invoke: Invoke
) -> None:
    other = draw_class_folders(tmp_path / "data" / "other", ("a", "b"), 60)
    run = write_finished_run(other, "elsewhere")
    said = invoke("compare", runs[0].id, run.id, status=1).stderr
    assert "no test image in common" in said
    (run.folder / "status.json").write_text("{")
    (run.folder / "best.keras").unlink()
    said = invoke("compare", runs[0].id, run.id, status=1).stderr
    assert run.id in said and "damaged" in said
