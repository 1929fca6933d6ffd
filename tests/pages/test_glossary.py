"""The glossary on pages is that of the documents; every term that is used is in it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import speaking
from medmodel.reports.glossary import (
    CARD_TERMS,
    EVALUATION_TERMS,
    METRIC_TERMS,
    SEGMENTATION_TERMS,
    TRANSLATED,
    entries,
)
from pages._shared.common.glossary import glossary, meaning

PAGES = Path(__file__).resolve().parent.parent.parent / "pages"


def used_terms() -> list[str]:
    """The texts that `meaning` is called with."""
    calls = (
        node
        for path in PAGES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "meaning"
    )
    constants = (argument for call in calls for argument in call.args)
    terms = [str(c.value) for c in constants if isinstance(c, ast.Constant)]
    return [*terms, *METRIC_TERMS.values()]


def test_every_row_of_the_document_is_an_entry() -> None:
    text = (PAGES.parent / "docs" / "glossary.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    titles = [line for line in rows if line.startswith(("| word |", "| --- |"))]
    assert len(glossary()) == len(rows) - len(titles) > 80


def test_terms_that_pages_use_are_in_the_glossary() -> None:
    assert used_terms()
    assert set(used_terms()) <= set(glossary())


def test_entries_that_pages_show_are_for_translators_as_in_the_document() -> None:
    shown = {*used_terms(), *EVALUATION_TERMS, *CARD_TERMS, *SEGMENTATION_TERMS}
    assert shown == set(TRANSLATED)
    assert {term: glossary()[term] for term in TRANSLATED} == TRANSLATED


def test_an_entry_is_one_plain_sentence() -> None:
    assert meaning("fold").startswith("Fold\\: one of k parts")
    with pytest.raises(KeyError):
        meaning("no such term")


def test_every_metric_has_an_entry() -> None:
    assert set(METRIC_TERMS) == set(METRICS)


def test_several_terms_are_paragraphs_in_the_present_language() -> None:
    first, second = meaning("AUC", "interval").split("\n\n")
    assert first.startswith("AUC\\: area under the ROC curve")
    assert second.startswith("Interval\\: the 95 % confidence interval")
    with speaking("zh_Hans"):
        said = [meaning(term) for term in TRANSLATED]
        assert all(text.endswith("。") for text in said)
        assert len(set(said)) == len(TRANSLATED)


def test_entries_of_documents_are_sorted_and_without_marks() -> None:
    shown = entries(["window", "AUC", "split"])
    assert [each.term for each in shown] == ["AUC", "Split", "Window"]
    assert shown[0].meaning.startswith("area under the ROC curve")
