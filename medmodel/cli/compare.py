"""`medmodel compare`: which of several models is better on the same test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.answers import compared_findings, segmentation
from medmodel.cli.output import json_option, print_json, say, say_table
from medmodel.cli.parameters import RunParameter
from medmodel.core.errors import RunError
from medmodel.language import _
from medmodel.runs.run import Run, RunStore

if TYPE_CHECKING:
    from medmodel.evaluation.comparison import CommonImages, PairedDifference
    from medmodel.evaluation.cross_validation import Models
    from medmodel.evaluation.intervals import Estimate

_SHOWN = ("accuracy", "auc", "balanced_accuracy")


@click.command("compare")
@click.argument("runs", type=RunParameter(), nargs=-1, required=True)
@click.option(
    "--metric",
    default="accuracy",
    show_default=True,
    help="What is compared: accuracy, auc, balanced_accuracy, f1, log_loss, ...; of "
    "segmentations always Dice, of several findings the AUC of each.",
)
@json_option
def command(runs: tuple[Run, ...], metric: str, as_json: bool) -> None:
    """Compare models image by image on the test images that all of them have.

    RUNS are two or more ids from medmodel list. A fold stands for its whole
    cross-validation, once that has ended. One model is called better only where a
    paired test and its interval say so.
    """
    from medmodel.evaluation.comparison import common_images, compare
    from medmodel.evaluation.cross_validation import check_one_kind, digests_of_models
    from medmodel.evaluation.metrics import METRICS, overall_metrics

    if metric not in METRICS:
        raise click.UsageError(
            _(
                "There is no metric {metric!r}; there are {metrics}.",
                metric=metric,
                metrics=", ".join(METRICS),
            )
        )
    models = _models(runs)
    alone = {name: of_model[0] for name, of_model in models.items()}
    check_one_kind(models)
    if next(iter(alone.values())).config.segments:
        outlines = segmentation.common_outlines_of(alone)
        if as_json:
            print_json(segmentation.comparison_values(alone, outlines))
        else:
            segmentation.say_comparison(outlines)
        return
    if next(iter(alone.values())).config.multi_label:
        from medmodel.evaluation.multi_label.comparison import common_of_models

        several = common_of_models(models)
        if as_json:
            print_json(compared_findings.comparison_values(models, several))
        else:
            compared_findings.say_comparison(several)
        return
    common = common_images(
        {name: _table(of_model) for name, of_model in models.items()},
        digests=digests_of_models(models),
    )
    pairs = compare(common, metric)
    metrics = {name: overall_metrics(data) for name, data in common.models.items()}
    if as_json:
        print_json(_values(models, common, metrics, pairs))
    else:
        _say_comparison(common, metrics, metric, pairs)


def _models(runs: tuple[Run, ...]) -> Models:
    """The models that the runs stand for.

    Raises:
        click.UsageError: They are fewer than two.
        RunError: The files of one are damaged.
    """
    from medmodel.evaluation.cross_validation import compared_models
    from medmodel.runs import run_index

    all_entries = run_index.entries(RunStore())
    by_id = {entry.run.id: entry for entry in all_entries}
    ids = dict.fromkeys(run.id for run in runs)
    for run_id in ids:
        if run_id not in by_id:
            raise RunError(_("The files of run {id} are damaged.", id=run_id))
    models = compared_models([by_id[run_id] for run_id in ids], all_entries)
    if len(models) < 2:
        raise click.UsageError(
            _("A comparison needs two models; folds of one cross-validation are one.")
        )
    return models


def _table(runs: Any) -> Any:
    """Predictions of a model; of a cross-validation those of all folds."""
    from medmodel.evaluation.cross_validation import pooled_predictions
    from medmodel.runs.copies import independent_predictions

    return (
        independent_predictions(runs[0]) if len(runs) == 1 else pooled_predictions(runs)
    )


def _values(
    models: Models,
    common: CommonImages,
    metrics: dict[str, dict[str, Estimate]],
    pairs: list[PairedDifference],
) -> dict[str, Any]:
    """The comparison as JSON has it."""
    from medmodel.cli.answers.numbers import difference_values, metric_values

    return {
        "images": len(common.paths),
        "models": [
            {
                "name": name,
                "runs": [run.id for run in models[name]],
                "images_left_out": common.left_out[name],
                "metrics": metric_values(metrics[name]),
            }
            for name in models
        ],
        "differences": [difference_values(pair) for pair in pairs],
    }


def _say_comparison(
    common: CommonImages,
    metrics: dict[str, dict[str, Estimate]],
    metric: str,
    pairs: list[PairedDifference],
) -> None:
    from medmodel.evaluation.metrics import METRICS

    shown = list(dict.fromkeys([metric, *_SHOWN]))
    header = [_("Model"), *(METRICS[key].overall_title for key in shown)]
    rows = [[name, *(str(m[key]) for key in shown)] for name, m in metrics.items()]
    say_table(header, rows)
    say()
    say(str(common))
    say(_("Compared by {metric}:", metric=METRICS[metric].overall_title))
    for pair in pairs:
        say(f"- {pair}")
    if len(pairs) > 1:
        say(_("p values are corrected for {count} pairs (Holm).", count=len(pairs)))
