"""Commands with a model that outlines: evaluate, compare, external-test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.finished_run import write_finished_run
from tests.segmented_run import write_segmented_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_masked_folder(tmp_path / "data" / "discs")
    return write_segmented_run(folder, copies=1)


def test_evaluate_has_the_numbers_of_the_page(
    run: Run, json_of: Callable[..., Any], invoke: Invoke
) -> None:
    values = json_of("evaluate", run.id)
    assert (values["images"], values["patients"]) == (5, 5)
    assert values["copies_left_out"] == 1
    (lesion,) = values["classes"]
    assert (lesion["class"], lesion["images"]) == ("lesion", 5)
    assert lesion["metrics"]["dice"]["value"] == pytest.approx(0.675)
    assert lesion["metrics"]["dice"]["low"] is None
    text = invoke("evaluate", run.id).stdout
    assert "0.675, too few (5 patients)" in text
    assert "1 of 6 test images is a copy" in text


def test_evaluate_writes_its_documents(
    run: Run, invoke: Invoke, tmp_path: Path
) -> None:
    names = {"--html": "a.html", "--pdf": "a.pdf", "--predictions": "a.csv"}
    options = [f for o, name in names.items() for f in (o, tmp_path / name)]
    invoke("evaluate", run.id, *options)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert "lesion" in (tmp_path / "a.html").read_text("utf-8")
    lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("path,patient,split,class,dice")
    assert sum(",copy," in line for line in lines) == 1


def test_compare_by_dice(run: Run, json_of: Callable[..., Any], invoke: Invoke) -> None:
    other = write_segmented_run(Path(run.config.dataset), worse=0.1)
    values = json_of("compare", run.id, other.id)
    assert values["images"] == 5
    (pair,) = values["differences"]
    assert (pair["class"], pair["metric"], pair["better"]) == ("lesion", "dice", None)
    assert pair["difference"]["value"] == pytest.approx(0.1)
    assert [m["images_left_out"] for m in values["models"]] == [0, 1]
    assert "to tell them apart" in invoke("compare", run.id, other.id).stdout


def test_compare_refuses_a_classifier_beside_it(
    run: Run, invoke: Invoke, tmp_path: Path
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "easy")
    other = write_finished_run(folder, "classifier")
    result = invoke("compare", run.id, other.id, status=1)
    assert "no number in which both could be compared" in result.stderr


def test_an_external_test_takes_no_map(run: Run, invoke: Invoke) -> None:
    folder = run.config.dataset
    result = invoke("external-test", run.id, folder, "--map", "a=b", status=2)
    assert "leave out --map" in result.stderr
