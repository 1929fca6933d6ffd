"""Facts label: page one of a model card, for those who would use the model."""

from __future__ import annotations

from collections.abc import Sequence

from medmodel.language import _, join_sentences
from medmodel.reports import run_facts
from medmodel.reports.card.model_texts import (
    network_text,
    preprocessing_text,
    version_text,
)
from medmodel.reports.run_facts import BLANK, Fact
from medmodel.runs.run import Run


def facts_label(
    run: Run,
    summary: str,
    outcome: str,
    tested_on: str,
    results: Sequence[Fact],
    limits: Sequence[str],
) -> list[Fact]:
    """Page one: (heading, text), text `BLANK` where nothing is known.

    Args:
        run: The run.
        summary: What the model answers, in a sentence.
        outcome: What it may answer: classes or findings.
        tested_on: On which images, in a sentence.
        results: What the test showed.
        limits: In sentences.
    """
    seen = run.model_facts.preprocessing if run.model_path.exists() else None
    warnings = [_("Not for clinical use: research and teaching only."), *limits]
    return [
        (_("Name"), run.title),
        (_("Version"), version_text(run)),
        (_("Summary"), summary),
        (_("Mechanism"), network_text(run)),
        (_("Input"), preprocessing_text(seen) if seen else BLANK),
        (_("Outcome predicted"), outcome),
        (_("Intended population"), BLANK),
        (_("Directions for use"), BLANK),
        (
            _("Do not use for"),
            _("Diagnosis, screening, triage, any decision about a person."),
        ),
        (_("Trained on"), run_facts.trained_on(run)),
        (_("Tested on"), tested_on),
        *results,
        (_("Warnings"), join_sentences(warnings)),
        (_("External validation"), tested_on if run.tested_model else BLANK),
        (_("Contact"), BLANK),
    ]
