"""A segmentation's evaluation and its model card as HTML that needs nothing else.

No image, no file name and no patient's name is in them.
"""

from __future__ import annotations

from medmodel.core.templating import render_template
from medmodel.evaluation.segmentation.evaluation import SegmentationEvaluation
from medmodel.language import _
from medmodel.reports import glossary
from medmodel.reports.card.items import (
    GuidelineItem,
    items_on_data,
    items_on_test,
    items_on_training,
    uncertainty_text,
)
from medmodel.reports.card.label import facts_label
from medmodel.reports.run_facts import Fact
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
        facts=segmentation_label(run, evaluation),
        items=guideline_items(run, evaluation),
        glossary=glossary.entries(glossary.CARD_TERMS),
    )


def segmentation_label(run: Run, evaluation: SegmentationEvaluation) -> list[Fact]:
    """Page one of the model card, see `facts_label`."""
    classes = _(", ").join(evaluation.classes)
    return facts_label(
        run,
        summary=_("Outlines on an image, pixel by pixel: {classes}.", classes=classes),
        outcome=classes,
        tested_on=facts.tested_on(run, evaluation),
        results=[
            (_("Copies in the test"), facts.test_copies(run)),
            (_("Dice"), facts.dice_of_classes(evaluation)),
        ],
        limits=facts.limits(run, evaluation),
    )


def guideline_items(
    run: Run, evaluation: SegmentationEvaluation
) -> list[GuidelineItem]:
    """The pages behind, in the order of CLAIM."""
    performance = _(
        "Mean Dice of {dice}; every metric: see the evaluation.",
        dice=facts.dice_of_classes(evaluation),
    )
    return [
        *items_on_data(run),
        *items_on_training(run),
        *items_on_test(
            run,
            tested_on=facts.tested_on(run, evaluation),
            metrics=_(", ").join(_(title) for title in TITLES.values()),
            uncertainty=uncertainty_text(evaluation.patients),
            performance=performance,
            limits=facts.limits(run, evaluation),
        ),
    ]
