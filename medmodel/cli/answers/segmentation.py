"""What commands say of models that outline instead of classifying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medmodel.cli.answers.numbers import (
    metric_values,
    paired_values,
)
from medmodel.cli.output import say, say_table
from medmodel.language import _
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.evaluation.segmentation.comparison import (
        CommonOutlines,
    )
    from medmodel.evaluation.segmentation.evaluation import SegmentationEvaluation


def predictions_csv(run: Run) -> str:
    """What it says of every image, as CSV."""
    from medmodel.reports.spreadsheet import csv_text
    from medmodel.runs.copies import independent_segmentation

    return csv_text(independent_segmentation(run))


def evaluation_values(run: Run, evaluation: SegmentationEvaluation) -> dict[str, Any]:
    """The evaluation as JSON has it."""
    from medmodel.reports.segmentation import facts
    from medmodel.runs.copies import copies_of

    copies = copies_of(run)
    return {
        "run": run.id,
        "title": run.title,
        "tested_on": facts.tested_on(run, evaluation),
        "images": evaluation.images,
        "patients": evaluation.patients,
        "copies_left_out": 0 if copies.all_are_copies else len(copies.paths),
        "classes": [
            {
                "class": name,
                "images": int((evaluation.rows[name]["area"] > 0).sum()),
                "metrics": metric_values(metrics),
            }
            for name, metrics in evaluation.metrics.items()
        ],
        "limits": facts.limits(run, evaluation),
    }


def say_evaluation(run: Run, evaluation: SegmentationEvaluation) -> None:
    """The evaluation as text."""
    from medmodel.reports.segmentation import facts
    from medmodel.reports.segmentation.metric_rows import metric_rows

    say(run.title)
    say(facts.tested_on(run, evaluation))
    for name in evaluation.classes:
        say()
        say(name)
        header = [_("Metric"), _("Value (95 % interval)"), "n"]
        say_table(header, metric_rows(evaluation, name), numbers=[2])
    say()
    say(facts.what_metrics_are(evaluation))
    for sentence in facts.limits(run, evaluation):
        say(f"- {sentence}")


def common_outlines_of(models: Mapping[str, Run]) -> CommonOutlines:
    """The test images that all of the segmentations have.

    Raises:
        DataError: They cannot be compared.
    """
    from medmodel.evaluation.cross_validation import digests_of_models
    from medmodel.evaluation.segmentation.comparison import common_outlines
    from medmodel.runs.copies import independent_segmentation

    tables = {name: independent_segmentation(run) for name, run in models.items()}
    digests = digests_of_models({name: [run] for name, run in models.items()})
    return common_outlines(tables, digests)


def comparison_values(
    models: Mapping[str, Run], common: CommonOutlines
) -> dict[str, Any]:
    """The comparison as JSON has it."""
    from medmodel.evaluation.segmentation.comparison import compare_dice
    from medmodel.evaluation.segmentation.summary import metrics

    return {
        "images": next(iter(common.models.values()))["path"].nunique(),
        "models": [
            {
                "name": name,
                "runs": [run.id],
                "images_left_out": common.left_out[name],
                "classes": {
                    each: metric_values(metrics(common.of_class(each)[name]))
                    for each in common.classes
                },
            }
            for name, run in models.items()
        ],
        "differences": [
            {"class": each, "metric": "dice", **paired_values(pair)}
            for each in common.classes
            for pair in compare_dice(common, each)
        ],
    }


def say_comparison(common: CommonOutlines) -> None:
    """The comparison as text."""
    import pandas as pd

    from medmodel.evaluation.comparison.paired_tests import correction
    from medmodel.evaluation.segmentation.comparison import compare_dice
    from medmodel.evaluation.segmentation.summary import metrics
    from medmodel.reports.segmentation.metric_rows import estimate_text, title

    for each in common.classes:
        rows = common.of_class(each)
        of_models = {name: metrics(of_model) for name, of_model in rows.items()}
        everything = pd.concat(rows.values())
        keys = ("dice", "iou", "lesion_sensitivity", "hd95")
        say(each)
        say_table(
            [_("Model"), *(title(key, everything) for key in keys)],
            [
                [name, *(estimate_text(key, m[key]) for key in keys)]
                for name, m in of_models.items()
            ],
        )
        say()
        images = everything["path"].nunique()
        say(_("{images:,} test images are common to all.", images=images))
        pairs = compare_dice(common, each)
        for pair in pairs:
            say(f"- {pair}")
        if said := correction(pairs):
            say(said)
