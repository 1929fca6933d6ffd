"""`medmodel compare`: which of several models is better on the same test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.answers import compared_findings, compared_models, segmentation
from medmodel.cli.output import json_option, print_json, say, say_table
from medmodel.cli.parameters import RunParameter
from medmodel.core.errors import RunError
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

if TYPE_CHECKING:
    from medmodel.evaluation.comparison.model_comparison import (
        CommonImages,
        PairedDifference,
    )
    from medmodel.evaluation.cross_validation import Models
    from medmodel.evaluation.intervals.estimate import Estimate

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
    from medmodel.evaluation.cross_validation import check_one_kind
    from medmodel.evaluation.metrics.metric_table import METRICS

    if metric not in METRICS:
        raise click.UsageError(
            _(
                "There is no metric {metric!r}; there are {metrics}.",
                metric=metric,
                metrics=", ".join(METRICS),
            )
        )
    models = _models(runs)
    check_one_kind(models)
    config = next(iter(models.values()))[0].config
    if config.segments:
        _compare_outlines(models, as_json)
    elif config.multi_label:
        _compare_findings(models, as_json)
    else:
        _compare_classes(models, metric, as_json)


def _compare_outlines(models: Models, as_json: bool) -> None:
    alone = {name: runs[0] for name, runs in models.items()}
    outlines = segmentation.common_outlines_of(alone)
    limits = compared_models.copies_sentences(models)
    if as_json:
        values = segmentation.comparison_values(alone, outlines)
        print_json({**values, "limits": limits})
        return
    segmentation.say_comparison(outlines)
    _say_limits(limits)


def _compare_findings(models: Models, as_json: bool) -> None:
    from medmodel.evaluation.multi_label.comparison import common_of_models

    common = common_of_models(models)
    limits = compared_models.copies_sentences(models)
    if as_json:
        values = compared_findings.comparison_values(models, common)
        print_json({**values, "limits": limits})
        return
    compared_findings.say_comparison(common)
    _say_limits(limits)


def _compare_classes(models: Models, metric: str, as_json: bool) -> None:
    from medmodel.evaluation.comparison.model_comparison import common_images, compare
    from medmodel.evaluation.cross_validation import digests_of_models
    from medmodel.evaluation.metrics.metric_table import overall_metrics

    tables = {name: compared_models.table_of(runs) for name, runs in models.items()}
    common = common_images(tables, digests=digests_of_models(models))
    pairs = compare(common, metric)
    metrics = {name: overall_metrics(data) for name, data in common.models.items()}
    beside, unknown = compared_models.metrics_with_copies(models)
    limits = [*compared_models.limits(models, common), *filter(None, (unknown,))]
    if as_json:
        values = _values(models, common, (metrics, beside), pairs)
        print_json({**values, "limits": limits})
        return
    rows = list(metrics.items())
    rows += [(_("{model}, with copies", model=name), m) for name, m in beside.items()]
    _say_comparison(common, rows, metric, pairs)
    _say_limits(limits)


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


def _values(
    models: Models,
    common: CommonImages,
    metrics: tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]],
    pairs: list[PairedDifference],
) -> dict[str, Any]:
    """The comparison as JSON has it.

    Args:
        models: Name of each -> its runs.
        common: What they are compared on.
        metrics: Name of each model -> its metrics without copies; and with them, where
            copies were left out.
        pairs: Their differences.
    """
    from medmodel.cli.answers.numbers import difference_values, metric_values

    plain, beside = metrics
    return {
        "images": len(common.paths),
        "models": [
            {
                "name": name,
                "runs": [run.id for run in models[name]],
                "images_left_out": common.left_out[name],
                "metrics": metric_values(plain[name]),
                "metrics_with_copies": (
                    metric_values(beside[name]) if beside else None
                ),
            }
            for name in models
        ],
        "differences": [difference_values(pair) for pair in pairs],
    }


def _say_comparison(
    common: CommonImages,
    models: list[tuple[str, dict[str, Estimate]]],
    metric: str,
    pairs: list[PairedDifference],
) -> None:
    from medmodel.evaluation.comparison.paired_tests import correction
    from medmodel.evaluation.metrics.metric_table import METRICS

    shown = list(dict.fromkeys([metric, *_SHOWN]))
    header = [_("Model"), *(METRICS[key].overall_title for key in shown)]
    rows = [[name, *(str(m[key]) for key in shown)] for name, m in models]
    say_table(header, rows)
    say()
    say(str(common))
    say(_("Compared by {metric}:", metric=METRICS[metric].overall_title))
    for pair in pairs:
        say(f"- {pair}")
    if said := correction(pairs):
        say(said)


def _say_limits(sentences: list[str]) -> None:
    """What a reader must know, below the comparison."""
    if sentences:
        say()
    for sentence in sentences:
        say(f"- {sentence}")
