"""Evaluation and model card as documents that stand alone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.storage import write_json
from medmodel.core.templating import render_template
from medmodel.evaluation.calibration.temperature_scaling import (
    fit_temperature,
    store_temperature,
)
from medmodel.evaluation.decision.frozen_thresholds import freeze_thresholds
from medmodel.evaluation.decision.thresholds import Rule, choose_thresholds
from medmodel.evaluation.evaluation import evaluate
from medmodel.evaluation.predictions import split_predictions
from medmodel.language import speaking
from medmodel.quality import indexing, report_store
from medmodel.quality.issues import Issue
from medmodel.reports import evaluation_html, glossary, model_card, run_facts, svg
from medmodel.reports.card.model_texts import network_text
from medmodel.runs.notes import change_notes
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from tests.conftest import draw_class_folders
from tests.corrupted import write_corrupted
from tests.finished_run import write_finished_run
from tests.html_elements import HOSTILE, HTMLElements

documents = pytest.mark.parametrize(
    "write", [evaluation_html.evaluation_page, evaluation_html.model_card_html]
)


class Tags(HTMLParser):
    """Counts what is opened and closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in ("meta", "html", "rect", "polygon", "polyline", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


@pytest.fixture
def run(tmp_path: Path) -> Run:
    names = ("dark", "<script>alert(1)", "light")
    folder = draw_class_folders(tmp_path / "data" / "easy", names, 15)
    return write_finished_run(folder, "A <b>run</b>", patients=9)


@documents
def test_documents_stand_alone_and_run_nothing(
    run: Run, write: Callable[[Run], str]
) -> None:
    text = write(run)
    tags = Tags(text)
    assert not tags.open and not tags.addresses
    assert not tags.seen & {"script", "img", "link", "iframe", "b>run"}
    assert "Not for clinical use" in text and "&lt;b&gt;run" in text
    assert "url(" not in text and "http" not in text
    paths = read_predictions(run)["path"]
    assert not any(path.split("/")[-1] in text for path in paths)
    assert not re.search(r"\bp[0-8]\b", text)  # a patient


def run_with(folder: Path, name: str) -> Run:
    """A run where every name ends in `name`; its third class was never tested on."""
    classes = (f"a{name}", f"b{name}", f"c{name}")
    dataset = draw_class_folders(folder / f"data{name}", classes, 15)
    run = write_finished_run(dataset, f"run{name}", patients=9)
    change_notes(run, tags=[name[:40]], note=name)
    write_json(run.folder / "environment.json", {"device": f"device{name}"})
    indexing.check_folder(dataset)
    issue = Issue("kind", f"issue{name}", name, "warning", 1, [[name]])
    report_store.save_issues(dataset, [issue])
    table = read_predictions(run)
    freeze_thresholds(run, Rule(), choose_thresholds(table, Rule()))
    never = (table["split"] == "test") & (table["label"] == classes[2])
    (run.folder / "checksums.json").unlink()
    table[~never].to_csv(run.folder / "predictions.csv", index=False)
    return run


@documents
def test_names_are_text_whatever_they_hold(
    tmp_path: Path, write: Callable[[Run], str]
) -> None:
    plain = HTMLElements(write(run_with(tmp_path, "plain")))
    hostile = HTMLElements(write(run_with(tmp_path, HOSTILE)))
    assert hostile.elements == plain.elements
    names = ["a", "b", "c", "run"]
    if write is evaluation_html.model_card_html:
        names += ["data", "device", "issue"]
    assert all(f"{name}{HOSTILE}" in hostile.text for name in names)


def test_the_numbers_are_those_of_the_evaluation(run: Run) -> None:
    table = read_predictions(run)
    freeze_thresholds(run, Rule(), choose_thresholds(table, Rule()))
    text = evaluation_html.evaluation_page(run)
    found = evaluate(table)
    for estimate in (found.accuracy, found.auc, found.per_class[0].sensitivity):
        assert html.escape(str(estimate)) in text
    assert "Chosen on validation images only and frozen" in text
    assert text.count("<svg") == 2 * 3 + 2


def test_a_temperature_that_cannot_be_known_is_not_drawn(run: Run) -> None:
    path = run.folder / "predictions.csv"
    table = read_predictions(run)
    right = table["split"] == "val"
    names = [name for name in map(str, table) if name.startswith("score_")]
    for name in names:
        table.loc[right, name] = (table["label"] == name[6:]) * 0.9 + 0.05
    table.loc[right, names] /= table.loc[right, names].sum(axis=1).to_numpy()[:, None]
    (run.folder / "checksums.json").unlink()
    table.to_csv(path, index=False)
    text = evaluation_html.evaluation_page(run)
    assert "The temperature cannot be known" in text and "At temperature" not in text


def test_the_card_says_what_is_known_and_leaves_blanks(run: Run) -> None:
    found = run_facts.evaluate_run(run)
    label = dict(model_card.model_facts_label(run, found))
    assert label["Intended population"] == run_facts.BLANK
    assert label["Calibration"] == "Scores are not calibrated."
    assert str(found.accuracy) in label["Accuracy"]
    store_temperature(
        run, fit_temperature(split_predictions(read_predictions(run), "val"))
    )
    label = dict(model_card.model_facts_label(run, found))
    assert label["Calibration"].startswith("Temperature ")
    assert label["Contact"] == run_facts.BLANK and "patients" in label["Warnings"]
    items = {item.topic: item.text for item in model_card.guideline_items(run, found)}
    assert items["Sample size"].startswith("val: 15 (")
    assert items["Quality and leakage checks"] == run_facts.BLANK
    assert "dark 5" in items["Sample size"]
    assert (
        "no patient number is in more than one split"
        in items["Partitions and their level"]
    )
    assert " taken for " in items["Failure analysis"]
    assert 'class="blank"' in evaluation_html.model_card_html(run)


def test_the_card_counts_the_mistakes_that_it_does_not_name(tmp_path: Path) -> None:
    """Three kinds of mistakes were named, as if there were no others."""
    folder = draw_class_folders(tmp_path / "data" / "four", tuple("abcd"), 30)
    run = write_finished_run(folder, "four", sharpness=0.3)
    found = run_facts.evaluate_run(run)
    items = {item.topic: item.text for item in model_card.guideline_items(run, found)}
    said = items["Failure analysis"]
    named = [int(n) for n in re.findall(r"(\d+) ×", said)]
    (others,) = re.findall(r"(\d+) other images misclassified", said)
    wrong = int(found.confusion.sum() - np.trace(found.confusion))
    assert len(named) == 3 and sum(named) + int(others) == wrong


def test_the_card_speaks_of_no_intervals_where_there_are_none(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "few", images_per_class=6)
    run = write_finished_run(folder, "few")
    found = run_facts.evaluate_run(run)
    items = {item.topic: item.text for item in model_card.guideline_items(run, found)}
    assert items["Uncertainty"] == "No intervals: too few (8 images)."


def test_the_card_says_how_scans_are_seen(run: Run) -> None:
    facts = run.model_facts
    seen = replace(facts.preprocessing, axis="coronal", window="lung")
    run.write_model_facts(replace(facts, preprocessing=seen))
    said = dict(model_card.model_facts_label(run, run_facts.evaluate_run(run)))["Input"]
    assert said.endswith("scans through the window lung, coronal slices")


def test_a_fold_says_that_it_is_one(run: Run) -> None:
    path = run.folder / "config.json"
    write_json(path, replace(run.config, folds=5, fold=2))
    level = run_facts.split_level(run)
    assert level.endswith(" Tested on fold 2 of 5 of a cross-validation.")
    assert run.title.endswith(", fold 2 of 5")


def test_items_stand_under_their_numbers(run: Run) -> None:
    items = model_card.guideline_items(run, run_facts.evaluate_run(run))
    first = [int(re.findall(r"\d+", item.claim)[0]) for item in items]
    assert all(1 <= number <= 44 for number in first)
    numbers = {item.topic: (item.claim, item.tripod) for item in items}
    assert numbers["External test"][0] == "33"
    assert numbers["Limitations"] == ("40", "26")
    text = evaluation_html.model_card_html(run)
    assert "<td>19–20</td>" in text and "<td>12e, 23a</td>" in text


def test_findings_about_the_data_are_on_the_card(run: Run) -> None:
    folder = Path(run.config.dataset)
    (folder / "light" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    copy = folder / "dark" / "copy.png"
    copy.write_bytes((folder / "light" / "light_000.png").read_bytes())
    indexing.check_folder(folder)
    items = {
        i.topic: i.text
        for i in model_card.guideline_items(run, run_facts.evaluate_run(run))
    }
    assert items["Missing and unreadable data"].startswith("1 image file could")
    assert "dentical images" in items["Quality and leakage checks"]


def test_few_patients_are_told(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "few", images_per_class=9)
    few = write_finished_run(folder, "few", patients=6)
    said = " ".join(run_facts.limits(few, run_facts.evaluate_run(few)))
    assert "Only 4 patients: too few for intervals, which need 10" in said
    assert "also occur in training" not in said
    assert "Only 4 patients" in evaluation_html.evaluation_page(few)


def test_equal_patient_numbers_may_be_other_people(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "numbered", patients=5)
    said = " ".join(run_facts.limits(run, run_facts.evaluate_run(run)))
    assert "5 patient numbers of the test split also occur" in said
    assert "where they are the same people, expect worse" in said


def test_a_sketch_has_its_points_where_they_belong() -> None:
    line = svg.Line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "#000", marked=True)
    square = svg.UnitSquare([line], "T & t", "x", "y")
    drawn = render_template("unit_square.svg", square=square)
    assert 'points="48.0,272.0 308.0,12.0 "' in drawn
    assert drawn.count("<circle") == 2 and "T &amp; t" in drawn
    band = svg.band_points(np.array([0.0, 1.0]), np.zeros(2), np.ones(2))
    assert band == [(48, 272), (308, 272), (308, 12), (48, 12)]


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh_Hans", "zh-Hans")])
def test_a_document_says_its_language(run: Run, language: str, tag: str) -> None:
    with speaking(language):
        for write in (evaluation_html.evaluation_page, evaluation_html.model_card_html):
            assert f'<html lang="{tag}">' in write(run)


@pytest.mark.parametrize(
    ("write", "terms"),
    [
        (evaluation_html.evaluation_page, glossary.EVALUATION_TERMS),
        (evaluation_html.model_card_html, glossary.CARD_TERMS),
    ],
)
def test_documents_end_with_their_terms(
    run: Run, write: Callable[[Run], str], terms: tuple[str, ...]
) -> None:
    with speaking("zh_Hans"):
        text, shown = write(run), glossary.entries(terms)
    assert len(shown) == len(terms) > 10
    for entry in shown:
        assert f"<dt><b>{entry.term}</b></dt><dd>{entry.meaning}</dd>" in text


def test_what_corruptions_cost_is_on_one_page_of_it(tmp_path: Path) -> None:
    many = draw_class_folders(tmp_path / "data" / "many", images_per_class=45)
    run = write_finished_run(many, "many")
    assert "Robustness" not in evaluation_html.evaluation_page(run)
    write_corrupted(run, images=60, blurred=30)
    page = evaluation_html.evaluation_page(run)
    assert "Largest loss among these: Blur, 50.0 percentage points" in page
    assert "<td>Blur</td><td>1.000" in page and "<td>0.500" in page
    card = evaluation_html.model_card_html(run)
    assert "Largest loss among these: Blur" in card
    seen = "was trained on images with corruptions of these kinds"
    assert seen not in page + card
    corrupted = replace(run.config, augmentation=Augmentation(corruption=0.5))
    write_json(run.folder / "config.json", corrupted)
    run = Run(run.folder)
    assert seen in evaluation_html.evaluation_page(run)
    assert seen in evaluation_html.model_card_html(run)
    path = run.folder / "corruptions.npz"
    path.write_bytes(path.read_bytes()[:-50])
    page = evaluation_html.evaluation_page(run)
    assert "The test under image corruptions is damaged" in page
    card = evaluation_html.model_card_html(run)
    assert "The test under image corruptions is damaged" in card
    assert str(run.folder) not in page


def test_an_external_test_names_the_members_of_the_ensemble(tmp_path: Path) -> None:
    ensemble, test = run_with(tmp_path / "a", "mean"), run_with(tmp_path / "b", "test")
    for each in (ensemble, test):
        each.write_config(replace(each.config, recipe="ensemble", training="fine_tune"))
    members = {"20260101-000000-000000": "first", "20260101-000001-000000": "second"}
    write_json(ensemble.folder / "ensemble.json", {"members": members})
    external = {"model": ensemble.id, "mapping": {}}
    write_json(test.folder / "external.json", external)
    for each in (ensemble, test):
        assert network_text(each).endswith("of first, second")
    external["model"] = "20260101-000002-000000"
    write_json(test.folder / "external.json", external)
    assert network_text(test) == "Ensemble"


@documents
def test_long_names_without_blanks_do_not_widen_the_page(
    run: Run, write: Callable[[Run], str]
) -> None:
    """Letters break anywhere, but a column keeps the width of an interval."""
    style = write(run).partition("</style>")[0]
    assert "overflow-wrap: anywhere" in style and "min-width: 7em" in style


@documents
def test_on_a_phone_a_table_scrolls_in_place_of_the_page(
    run: Run, write: Callable[[Run], str]
) -> None:
    text = write(run)
    assert ".wide { overflow-x: auto }" in text
    assert text.count("<table") == text.count('<div class="wide"><table') > 0
