"""The positive class: guessed from names in many spellings, chosen, kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.errors import FileError
from medmodel.core.storage import write_json
from medmodel.evaluation.decision.positive_class import (
    FILE,
    PositiveClass,
    choose_positive,
    guess_positive,
    positive_class,
)
from medmodel.runs.run import Run
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.mark.parametrize(
    ("absent", "finding"),
    [
        ("normal", "pneumonia"),
        ("NORMAL", "PNEUMONIA"),
        ("Normal", "Abnormal"),
        ("benign", "malignant"),
        ("healthy", "tuberculosis"),
        ("control", "case"),
        ("Controls", "AD"),
        ("negative", "positive"),
        ("neg", "pos"),
        ("no", "yes"),
        ("No_Finding", "Effusion"),
        ("NoFinding", "Finding"),
        ("no_contrast", "contrast"),
        ("non-covid", "covid"),
        ("nonCOVID", "COVID"),
        ("noncovid", "covid"),
        ("notumor", "tumor"),
        ("Uninfected", "Parasitized"),
        ("unaffected", "affected"),
        ("0", "1"),
        ("false", "true"),
        ("without fracture", "with fracture"),
        ("not cancer", "cancer"),
        ("normal chest", "chest with nodule"),
        ("正常", "肺炎"),
        ("gesund", "krank"),
    ],
)
def test_the_class_that_is_no_absence_is_positive(absent: str, finding: str) -> None:
    assert guess_positive([absent, finding]) == 1
    assert guess_positive([finding, absent]) == 0


@pytest.mark.parametrize(
    "classes",
    [
        ["cat", "dog"],
        ["dark", "light"],
        ["AbdomenCT", "Hand"],
        ["benign tumour", "benign cyst"],
        ["healthy", "normal"],
        ["nodule", "mass"],
        ["normal"],
        ["normal", "covid", "pneumonia"],
        ["--", "_"],
    ],
)
def test_nothing_is_guessed_where_names_do_not_tell(classes: list[str]) -> None:
    assert guess_positive(classes) is None


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "x", ("normal", "sick"), 6)
    return write_finished_run(folder, "a run")


def test_a_choice_counts_more_than_the_guess(run: Run) -> None:
    classes = ["normal", "sick"]
    assert positive_class(run, classes) == PositiveClass("sick", 1, guessed=True)
    choose_positive(run, "normal")
    chosen = positive_class(run, classes)
    assert chosen == PositiveClass("normal", 0, guessed=False)
    assert str(chosen) == "Positive class: normal (chosen by a user)."
    assert positive_class(run, ["a", "b", "c"]) is None
    # Of a model that was trained again with other classes.
    assert positive_class(run, ["cat", "dog"]) is None


def test_an_external_test_follows_its_model(run: Run, tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "y", ("normal", "sick"), 6)
    other = write_finished_run(folder, "elsewhere")
    write_json(other.folder / "external.json", {"model": run.id})
    choose_positive(run, "normal")
    chosen = positive_class(other, ["normal", "sick"])
    assert chosen is not None and chosen.name == "normal"


def test_a_damaged_choice_is_named(run: Run) -> None:
    (run.folder / FILE).write_text("{")
    with pytest.raises(FileError, match=r"positive_class\.json"):
        positive_class(run, ["normal", "sick"])
