"""Ensembles on the pages: made of ticked runs, their members named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.ensembles.members import submit
from medmodel.evaluation.robustness.corruption_test import (
    corrupted_members,
    known_from_training,
)
from medmodel.reports.card.model_texts import training_text
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import EnsembleMember, RunStatus, Status
from pages._shared.common.model_choice import day_and_time
from pages._shared.runs.bulk_actions import show_bulk_actions
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, show_part


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)


@pytest.fixture
def pair(class_folders: Path) -> list[Run]:
    return [write_finished_run(class_folders, f"run {n}", seed=n) for n in (1, 2)]


def bulk(runs: list[Run]) -> AppTest:
    ids = [run.id for run in runs]
    return show_part(lambda: show_bulk_actions(ids, 4))


def made() -> list[Run]:
    return [run for run in RunStore().list() if run.ensemble]


def test_two_ticked_runs_become_an_ensemble(pair: list[Run]) -> None:
    app = press(bulk(pair), "Make an ensemble")
    (run,) = made()
    assert run.ensemble and set(run.ensemble.members) == {r.id for r in pair}
    assert app.query_params["run"] == run.id


def test_one_run_is_none(pair: list[Run]) -> None:
    (button,) = (b for b in bulk(pair[:1]).button if b.label == "Make an ensemble")
    assert button.disabled


def test_why_it_cannot_be_made_is_said(pair: list[Run]) -> None:
    pair[1].predictions_path.unlink()
    app = press(bulk(pair), "Make an ensemble")
    assert "run 2 is not finished" in app.error[0].value and not made()


def trained_on_corrupted_images(run: Run) -> None:
    """As if half of its training images had been corrupted."""
    config = run.config
    augmentation = replace(config.augmentation, corruption=0.5)
    run.write_config(replace(config, augmentation=augmentation))


def test_members_on_corrupted_images_are_counted(pair: list[Run]) -> None:
    trained_on_corrupted_images(pair[0])
    run = submit(pair, RunStore(), "both")
    sentence = "1 of 2 members of this ensemble was trained on corrupted images."
    assert sentence in training_text(run)
    assert known_from_training(run).startswith(sentence)
    assert "50 % of the images corrupted" in training_text(pair[0])
    # Once it is made, it knows by itself, whatever becomes of the member.
    facts = pair[0].model_facts
    told = [
        EnsembleMember(r.id, r.title, "", facts.preprocessing, [], 1.0, share)
        for r, share in zip(pair, (0.5, 0.0), strict=True)
    ]
    run.write_model_facts(replace(facts, members=told))
    run.model_path.touch()
    RunStore().delete(pair[0])
    assert corrupted_members(run) == sentence
    # Of an ensemble of earlier versions, its members are asked while they are there.
    run.write_model_facts(
        replace(facts, members=[replace(m, corruption=0.0) for m in told])
    )
    assert corrupted_members(run) == ""
    trained_on_corrupted_images(pair[1])
    assert corrupted_members(run) == sentence


def test_what_a_damaged_model_was_trained_on_is_told_from_its_settings(
    pair: list[Run],
) -> None:
    trained_on_corrupted_images(pair[0])
    for run in pair:
        (run.folder / "model.json").write_text("{")
    assert "corruptions of these kinds" in known_from_training(pair[0])
    assert known_from_training(pair[1]) == ""


def test_its_page_names_the_members(pair: list[Run]) -> None:
    run = submit(pair, RunStore(), "both")
    facts = pair[0].model_facts
    members = [
        EnsembleMember(r.id, r.title, "instant", facts.preprocessing, [], 1.25, share)
        for r, share in zip(pair, (0.0, 0.5), strict=True)
    ]
    run.write_model_facts(
        type(facts)(facts.class_names, facts.preprocessing, [], 10, members=members)
    )
    run.model_path.touch()
    run.write_status(Status(RunStatus.DONE, phase="finished"))
    RunStore().delete(pair[1])
    page = open_page("models/runs.py", run=run.id)
    assert page.title[0].value == "both"
    assert "The mean of 2 models trained on easy" in page.markdown[0].value
    tables = [frame.value for frame in page.dataframe if "Temperature" in frame.value]
    # Members may be called alike: their dates tell them apart.
    dated = [f"run {n} · {day_and_time(r.id)}" for n, r in enumerate(pair, 1)]
    assert list(tables[0]["Run"]) == dated
    labels = [b.label for b in page.button]
    assert "Train again" not in labels
    captions = [caption.value for caption in page.caption]
    assert any("takes nothing from it" in caption for caption in captions)
    assert any("1 of 2 members of this ensemble was" in each for each in captions)


def test_while_it_is_made_the_page_says_how_far(pair: list[Run]) -> None:
    run = submit(pair, RunStore())
    page = open_page("models/runs.py", run=run.id)
    assert "Ensemble on easy" in page.title[0].value
