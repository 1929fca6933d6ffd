"""`medmodel evaluate`: how good a model is on its test images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.answers import findings, segmentation
from medmodel.cli.output import json_option, print_json, say, say_table
from medmodel.cli.parameters import OutputParameter, run_argument
from medmodel.core import audit
from medmodel.core.errors import FileError, os_reason
from medmodel.core.storage import replacing
from medmodel.language import _
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.evaluation.evaluation import Evaluation
    from medmodel.evaluation.predictions import Predictions

_FILE = OutputParameter()


@click.command("evaluate")
@run_argument
@click.option("--all", "all_metrics", is_flag=True, help="Print every metric.")
@click.option("--html", type=_FILE, help="Write everything as one HTML file.")
@click.option("--pdf", type=_FILE, help="Write one page of PDF.")
@click.option("--model-card", type=_FILE, help="Write the model card as HTML.")
@click.option(
    "--predictions",
    type=_FILE,
    help="Write every image's scores as CSV. It names files and patients' stand-ins.",
)
@click.option(
    "--by-group",
    is_flag=True,
    help="Metrics by sex, age band, scanner, site, view or columns of a table.",
)
@json_option
def command(
    run: Run,
    all_metrics: bool,
    html: Path | None,
    pdf: Path | None,
    model_card: Path | None,
    predictions: Path | None,
    by_group: bool,
    as_json: bool,
) -> None:
    """Show how good a model is on its test images, with 95 % intervals.

    RUN is an id from medmodel list, or the word latest. Test images that are copies
    of training or validation images do not count.
    """
    if run.config.segments:
        if by_group:
            raise click.UsageError(
                _("--by-group is for models that classify; this one outlines.")
            )
        _show_segmentation(run, as_json)
    elif run.config.multi_label:
        if by_group:
            raise click.UsageError(
                _(
                    "--by-group is for models that give an image one class; this one "
                    "gives several findings."
                )
            )
        if as_json:
            print_json(findings.evaluation_values(run))
        else:
            findings.say_evaluation(run, all_metrics)
    else:
        _show_classification(run, all_metrics, by_group, as_json)
    wanted = {
        "evaluation html": html,
        "evaluation pdf": pdf,
        "model-card html": model_card,
        "predictions": predictions,
    }
    for kind, path in wanted.items():
        if path is not None:
            _write(run, kind, path)
            if not as_json:
                say(_("Written: {path}", path=path))


def _show_classification(
    run: Run, all_metrics: bool, by_group: bool, as_json: bool
) -> None:
    from medmodel.cli.answers.groups import group_values, say_groups
    from medmodel.evaluation.predictions import split_predictions
    from medmodel.reports import run_facts
    from medmodel.runs.copies import independent_predictions

    evaluation = run_facts.evaluate_run(run)
    data = split_predictions(independent_predictions(run), "test")
    if as_json:
        more = group_values(run) if by_group else {}
        print_json(_values(run, evaluation, data) | more)
    else:
        _say_evaluation(run, evaluation, data, all_metrics)
        if by_group:
            say_groups(run)


def _show_segmentation(run: Run, as_json: bool) -> None:
    from medmodel.reports.segmentation.facts import evaluate_run

    evaluation = evaluate_run(run)
    if as_json:
        print_json(segmentation.evaluation_values(run, evaluation))
    else:
        segmentation.say_evaluation(run, evaluation)


def _write(run: Run, kind: str, path: Path) -> None:
    """Writes a document as the Export view of Evaluate makes it, wholly or not.

    Raises:
        FileError: It cannot be written there.
    """
    from medmodel.export.documents import documents

    write = _predictions_csv if kind == "predictions" else documents(run)[kind]
    content = write(run)
    try:
        with replacing(path.absolute(), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise FileError(
            _("{path} cannot be written: {reason}.", path=path, reason=os_reason(error))
        ) from error
    audit.record("export", run=run.id, what=kind)


def _predictions_csv(run: Run) -> str:
    from medmodel.reports.spreadsheet import csv_text
    from medmodel.runs.copies import independent_predictions

    if run.config.segments:
        return segmentation.predictions_csv(run)
    if run.config.multi_label:
        return findings.predictions_csv(run)
    return csv_text(independent_predictions(run))


def _values(run: Run, evaluation: Evaluation, data: Predictions) -> dict[str, Any]:
    """The evaluation as JSON has it."""
    from medmodel.cli.answers.numbers import estimate_values, metric_values
    from medmodel.evaluation.decision.positive_class import positive_class
    from medmodel.evaluation.metrics.metric_table import class_metrics, overall_metrics
    from medmodel.reports import run_facts
    from medmodel.runs.copies import copies_of

    copies, positive = copies_of(run), positive_class(run, data.classes)
    return {
        "run": run.id,
        "title": run.title,
        "tested_on": run_facts.tested_on(run, evaluation),
        "images": evaluation.images,
        "patients": evaluation.patients,
        "copies_left_out": 0 if copies.all_are_copies else len(copies.paths),
        "baseline": {
            "class": evaluation.majority[0],
            "equally_common": evaluation.majority[1:],
            "accuracy": estimate_values(evaluation.baseline),
        },
        "positive_class": positive.name if positive else None,
        "decision_threshold": _decision(run),
        "metrics": metric_values(overall_metrics(data)),
        "classes": [
            {
                "class": result.name,
                "images": result.images,
                "predicted": result.predicted,
                "metrics": metric_values(class_metrics(data, position)),
            }
            for position, result in enumerate(evaluation.per_class)
        ],
        "confusion": {
            "classes": evaluation.classes,
            "counts": evaluation.confusion.tolist(),
        },
        "limits": run_facts.limits(run, evaluation),
    }


def _decision(run: Run) -> dict[str, Any] | None:
    """The threshold from validation images against 0.5; None without one."""
    from medmodel.cli.answers.numbers import estimate_values
    from medmodel.reports import run_facts

    effect = run_facts.run_threshold_effect(run)
    if effect is None:
        return None
    return {
        "class": effect.threshold.name,
        "value": effect.threshold.value,
        "decides": effect.decides,
        "accuracy": estimate_values(effect.accuracy),
        "accuracy_at_half": estimate_values(effect.at_half),
        "difference": estimate_values(effect.difference),
        "p": effect.p,
    }


def _say_evaluation(
    run: Run, evaluation: Evaluation, data: Predictions, every: bool
) -> None:
    from medmodel.cli.answers.numbers import metric_row
    from medmodel.evaluation.metrics.metric_table import overall_metrics
    from medmodel.reports import run_facts

    say(run.title)
    say(run_facts.tested_on(run, evaluation))
    if decision := run_facts.decision_sentences(run):
        say(decision)
    say()
    rows = [
        metric_row("accuracy", evaluation.accuracy),
        metric_row("balanced_accuracy", evaluation.balanced_accuracy),
        metric_row("auc", evaluation.auc),
    ]
    if every:
        metrics = overall_metrics(data).items()
        rows = [metric_row(key, estimate) for key, estimate in metrics]
    estimate = evaluation.baseline
    rows.append([evaluation.baseline_name, str(estimate), f"{estimate.n:,}"])
    value = _("Value (95 % interval)")
    say_table([_("Metric"), value, "n"], rows, numbers=[2])
    positive = run_facts.positive_facts(run)
    if positive:
        say()
        for name, text in positive:
            say(f"{name}: {text}")
    say()
    _say_classes(evaluation)
    if every:
        _say_class_metrics(data)
    say()
    _say_confusion(evaluation)
    say()
    for sentence in run_facts.limits(run, evaluation):
        say(f"- {sentence}")


def _say_classes(evaluation: Evaluation) -> None:
    header = [_("Class"), "n", _("Sensitivity"), _("Precision"), "AUC"]
    rows = [
        [r.name, f"{r.images:,}", *map(str, (r.sensitivity, r.precision, r.auc))]
        for r in evaluation.per_class
    ]
    say_table(header, rows, numbers=[1])


def _say_class_metrics(data: Predictions) -> None:
    """Every metric of every class against the rest."""
    from medmodel.cli.answers.numbers import metric_row
    from medmodel.evaluation.metrics.metric_table import class_metrics

    for position, name in enumerate(data.classes):
        say()
        say(_("{name}, against the rest", name=name))
        metrics = class_metrics(data, position).items()
        rows = [metric_row(key, estimate, whole=False) for key, estimate in metrics]
        value = _("Value (95 % interval)")
        say_table([_("Metric"), value, "n"], rows, numbers=[2])


def _say_confusion(evaluation: Evaluation) -> None:
    classes = evaluation.classes
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts in zip(classes, evaluation.confusion.tolist(), strict=True)
    ]
    header = [_("true class \\ predicted class"), *classes]
    say_table(header, rows, numbers=range(1, len(classes) + 1))
