"""A segmentation's evaluation and its model card as HTML that needs nothing else.

No image, no file name and no patient's name is in them.
"""

from __future__ import annotations

from medmodel.core.templating import render_template
from medmodel.evaluation.segmentation.evaluation import SegmentationEvaluation
from medmodel.language import _, join_sentences
from medmodel.reports import glossary, run_facts
from medmodel.reports.model_card import (
    GuidelineItem,
    items_on_data,
    items_on_training,
    network_text,
    preprocessing_text,
    version_text,
)
from medmodel.reports.run_facts import BLANK, Fact
from medmodel.reports.segmentation import facts
from medmodel.reports.segmentation.metric_rows import TITLES, metric_rows
from medmodel.runs.run import Run


def evaluation_page(run: Run) -> str:
    """The evaluation as one HTML document.

    Raises:
        RunError: There is no table, or no split.
        DataError: It holds no test image.
    """
    evaluation = facts.evaluate_run(run)
    return render_template(
        "segmentation.html",
        title=_("Evaluation of {title}", title=run.title),
        tested_on=facts.tested_on(run, evaluation),
        limits=facts.limits(run, evaluation),
        classes=[
            (
                name,
                int((rows["area"] > 0).sum()),
                int((rows["area"] == 0).sum()),
                metric_rows(evaluation, name),
            )
            for name, rows in evaluation.rows.items()
        ],
        metrics_are=facts.what_metrics_are(evaluation),
        glossary=glossary.entries(glossary.SEGMENTATION_TERMS),
    )


def model_card_html(run: Run) -> str:
    """The model card as one HTML document; takes and raises the same."""
    evaluation = facts.evaluate_run(run)
    return render_template(
        "model_card.html",
        title=_("Model card of {title}", title=run.title),
        facts=facts_label(run, evaluation),
        items=guideline_items(run, evaluation),
        glossary=glossary.entries(glossary.CARD_TERMS),
    )


def facts_label(run: Run, evaluation: SegmentationEvaluation) -> list[Fact]:
    """Page one: (heading, text), text `BLANK` where nothing is known."""
    classes = _(", ").join(evaluation.classes)
    seen = run.model_facts.preprocessing if run.model_path.exists() else None
    tested = facts.tested_on(run, evaluation)
    return [
        (_("Name"), run.title),
        (_("Version"), version_text(run)),
        (
            _("Summary"),
            _("Outlines on an image, pixel by pixel: {classes}.", classes=classes),
        ),
        (_("Mechanism"), network_text(run)),
        (_("Input"), preprocessing_text(seen) if seen else BLANK),
        (_("Outcome predicted"), classes),
        (_("Intended population"), BLANK),
        (_("Directions for use"), BLANK),
        (
            _("Do not use for"),
            _("Diagnosis, screening, triage, any decision about a person."),
        ),
        (_("Trained on"), run_facts.trained_on(run)),
        (_("Tested on"), tested),
        (_("Copies in the test"), facts.test_copies(run)),
        (_("Dice"), facts.dice_of_classes(evaluation)),
        (
            _("Warnings"),
            join_sentences(
                [
                    _("Not for clinical use: research and teaching only."),
                    *facts.limits(run, evaluation),
                ]
            ),
        ),
        (_("External validation"), tested if run.tested_model else BLANK),
        (_("Contact"), BLANK),
    ]


def guideline_items(
    run: Run, evaluation: SegmentationEvaluation
) -> list[GuidelineItem]:
    """The pages behind, in the order of CLAIM."""
    return [
        *items_on_data(run),
        *items_on_training(run),
        *_items_on_evaluation(run, evaluation),
    ]


def _items_on_evaluation(
    run: Run, evaluation: SegmentationEvaluation
) -> list[GuidelineItem]:
    """CLAIM 28 to 44, of which the program knows something."""
    tested = facts.tested_on(run, evaluation)
    internal, external = (BLANK, tested) if run.tested_model else (tested, BLANK)
    metrics = _(", ").join(_(title) for title in TITLES.values())
    uncertainty = (
        _("95 % intervals: patients kept together.")
        if evaluation.patients
        else _("95 % intervals: images as independent.")
    )
    performance = _(
        "Mean Dice of {dice}; every metric: see the evaluation.",
        dice=facts.dice_of_classes(evaluation),
    )
    limits = join_sentences(facts.limits(run, evaluation))
    intended = _("None: research and teaching.")
    return [
        GuidelineItem(_("Metrics"), "28", "12e", metrics),
        GuidelineItem(_("Uncertainty"), "29", "12e, 23a", uncertainty),
        GuidelineItem(_("Robustness"), "30", "", BLANK),
        GuidelineItem(_("Internal test"), "32", "16", internal),
        GuidelineItem(_("External test"), "33", "16", external),
        GuidelineItem(_("Performance"), "37–38", "23a", performance),
        GuidelineItem(_("Fairness and subgroups"), "38", "14, 23a", BLANK),
        GuidelineItem(_("Failure analysis"), "39", "", BLANK),
        GuidelineItem(_("Limitations"), "40", "26", limits),
        GuidelineItem(_("Intended use and clinical role"), "41", "27", intended),
        GuidelineItem(_("Funding and interests"), "44", "18a, 18b", BLANK),
    ]
