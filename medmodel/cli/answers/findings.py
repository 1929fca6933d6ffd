"""What commands say of models that give an image several findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from medmodel.cli.answers.numbers import estimate_values, metric_values
from medmodel.cli.output import say, say_table
from medmodel.language import _, translate
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.cli.answers.image_answers import ImageAnswer
    from medmodel.evaluation.multi_label.finding_results import (
        Decision,
        FindingResult,
        FindingsEvaluation,
    )
    from medmodel.evaluation.multi_label.finding_sets import FindingSets, SetsResult
    from medmodel.evaluation.multi_label.run_findings import RunFindings


def predictions_csv(run: Run) -> str:
    """What it says of every image, as CSV."""
    from medmodel.evaluation.multi_label.run_findings import answers_table, run_findings
    from medmodel.reports.spreadsheet import csv_text

    findings = run_findings(run)
    return csv_text(answers_table(findings.table, findings.decisions))


def evaluation_values(run: Run) -> dict[str, Any]:
    """The evaluation as JSON has it."""
    from medmodel.evaluation.multi_label.run_findings import run_findings
    from medmodel.reports.multi_label import facts

    findings = run_findings(run)
    evaluation, copies = findings.evaluation, findings.copies
    sets = zip(evaluation.results, _measured_sets(findings), strict=True)
    return {
        "run": run.id,
        "title": run.title,
        "tested_on": facts.tested_on(run, evaluation),
        "images": evaluation.images,
        "patients": evaluation.patients,
        "copies_left_out": 0 if copies.all_are_copies else len(copies.paths),
        "metrics": metric_values(
            {
                "auc": evaluation.mean_auc,
                "average_precision": evaluation.mean_precision,
                "all_findings_right": evaluation.exact,
            }
        ),
        "left_out": evaluation.left_out,
        "findings": [
            {**_result_values(result), "prediction_sets": _sets_values(held)}
            for result, held in sets
        ],
        "limits": facts.limits(run, findings),
    }


def _measured_sets(findings: RunFindings) -> list[SetsResult | None]:
    """What the sets of each finding held on test images; None with too few."""
    from medmodel.evaluation.multi_label.finding_sets import COVERAGE, measure_sets

    return measure_sets(findings.table)[COVERAGE]


def _sets_values(held: SetsResult | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {
        "coverage": held.sets.coverage,
        "observed_with": estimate_values(held.present),
        "observed_without": estimate_values(held.absent),
        "either": held.either,
        "below_target": held.undercovers,
    }


def _result_values(result: FindingResult) -> dict[str, Any]:
    from medmodel.evaluation.multi_label.run_findings import RATES

    return {
        "finding": result.name,
        "images": result.positives,
        **_decision_values(result.decision),
        "metrics": metric_values(
            {
                "auc": result.auc,
                "average_precision": result.average_precision,
                **{key: result.rate(key) for key in RATES},
                "calibration_error": result.calibration_error,
                "brier": result.brier,
            }
        ),
    }


def _decision_values(decision: Decision) -> dict[str, Any]:
    known = decision.threshold == decision.threshold
    return {
        "threshold": decision.threshold if known else None,
        "calibrated": decision.calibrated,
        "validation_images": decision.positives,
    }


def say_evaluation(run: Run, every: bool) -> None:
    """The evaluation as text.

    Args:
        run: What was tested.
        every: Whether every metric of each finding is said.
    """
    from medmodel.evaluation.multi_label.run_findings import run_findings
    from medmodel.reports.multi_label import facts, metric_rows

    findings = run_findings(run)
    evaluation = findings.evaluation
    say(run.title)
    say(facts.tested_on(run, evaluation))
    say(facts.mean_sentence(evaluation))
    say()
    head = [_("Metric"), _("Value (95 % interval)"), "n"]
    say_table(head, metric_rows.overall_rows(evaluation), numbers=[2])
    say()
    _say_findings(evaluation, every)
    say()
    _say_sets(findings)
    say()
    say(facts.how_measured(evaluation.results))
    for sentence in facts.limits(run, findings):
        say(f"- {sentence}")


def _say_sets(findings: RunFindings) -> None:
    """How often the prediction sets of each finding held the truth."""
    from medmodel.evaluation.multi_label.finding_sets import COVERAGE
    from medmodel.reports.multi_label import metric_rows

    measured = _measured_sets(findings)
    names = [result.name for result in findings.evaluation.results]
    say(_("Prediction sets with {coverage:.0f} % coverage", coverage=100 * COVERAGE))
    say_table(metric_rows.set_heads(), metric_rows.set_rows(measured, names))
    below = [each.sets.name for each in measured if each and each.undercovers]
    if below:
        say(
            _(
                "Below the target coverage on test images, which differ from the "
                "validation images: {findings}.",
                findings=_(", ").join(below),
            )
        )


def _say_findings(evaluation: FindingsEvaluation, every: bool) -> None:
    """A line for each finding, or of every metric a table for each."""
    from medmodel.reports.multi_label import metric_rows

    heads, rows = metric_rows.result_heads(), metric_rows.result_rows(evaluation)
    if not every:
        # Predictive values and calibration follow with --all: a line has its end.
        wanted = [0, 1, 2, 4, 5, 6]
        say_table(
            [heads[at] for at in wanted], [[r[at] for at in wanted] for r in rows]
        )
        return
    for row in rows:
        say()
        say(row[0])
        pairs = zip(heads[1:], row[1:], strict=True)
        say_table(
            [_("Metric"), _("Value (95 % interval)")], [[*pair] for pair in pairs]
        )


def prediction_values(run: Run, answers: Sequence[ImageAnswer]) -> dict[str, Any]:
    """Answers about image files as JSON has them."""
    decisions, reason = _decisions(run)
    sets = _sets(run)
    return {
        "run": run.id,
        "title": run.title,
        "calibrated": all(each.calibrated for each in decisions),
        "thresholds_unknown": reason or None,
        "findings": [
            {"finding": each.name, **_decision_values(each)} for each in decisions
        ],
        "images": [_image_values(answer, decisions, sets) for answer in answers],
    }


def _image_values(
    answer: ImageAnswer, decisions: list[Decision], sets: list[FindingSets]
) -> dict[str, Any]:
    shown = _probabilities(answer, decisions)
    found = [d.name for d in decisions if shown and shown[d.name] >= d.threshold]
    return {
        "file": answer.file,
        "error": answer.error or None,
        "predicted_findings": found if shown else None,
        "probabilities": shown or None,
        "prediction_sets": _set_values(answer, sets) if shown else None,
        "unlike_training": answer.unlike_training,
        "withheld": answer.withheld or None,
        "split": answer.split or None,
        "frame": answer.frame,
        "frames": answer.frames,
    }


def _set_values(
    answer: ImageAnswer, sets: list[FindingSets]
) -> dict[str, list[str] | None]:
    """Finding -> what cannot be ruled out of it; null with too few to say."""
    assert answer.prediction
    raw = answer.prediction.raw
    held = {
        each.name: each.answers(raw[at : at + 1])[0] for at, each in enumerate(sets)
    }
    return {name: of.split("|") if of else None for name, of in held.items()}


def say_answers(run: Run, answers: Sequence[ImageAnswer]) -> None:
    """Answers about image files as text: predicted findings, then probabilities."""
    decisions, reason = _decisions(run)
    sets = _sets(run)
    for answer in answers:
        _say_answer(answer, decisions, sets)
    if reason:
        say(_("No finding has a threshold. {reason}", reason=translate(reason)))
    raw = [each.name for each in decisions if not each.calibrated]
    if raw and any(_probabilities(answer, decisions) for answer in answers):
        names = _(", ").join(raw)
        say(_("Probabilities that are not calibrated: {findings}.", findings=names))


def _say_answer(
    answer: ImageAnswer, decisions: list[Decision], sets: list[FindingSets]
) -> None:
    from medmodel.cli.answers.image_answers import beside_sentences, say_withheld
    from medmodel.reports.multi_label.finding_sentences import (
        predicted_sentence,
        sets_sentence,
    )
    from medmodel.reports.plots import per_cent

    shown = _probabilities(answer, decisions)
    if not shown:
        say_withheld(answer)
        return
    values = [shown[each.name] for each in decisions]
    say(f"{answer.file}: {predicted_sentence(values, decisions)}")
    order = sorted(shown, key=lambda name: -shown[name])
    listed = (f"{name} {per_cent(shown[name])}" for name in order)
    say("  " + _("Probabilities: {listed}.", listed=_(", ").join(listed)))
    assert answer.prediction
    if any(each.enough for each in sets):
        say("  " + sets_sentence(answer.prediction.raw, sets, sets[0].coverage))
    for sentence in beside_sentences(answer):
        say(f"  {sentence}")


def _decisions(run: Run) -> tuple[list[Decision], str]:
    """Of each finding of the model, and why they are not known."""
    from medmodel.evaluation.multi_label.run_findings import decisions_or_reason

    return decisions_or_reason(run, run.model_facts.class_names)


def _sets(run: Run) -> list[FindingSets]:
    """Of each finding of the model; none promises anything where a file is damaged."""
    from medmodel.core.errors import value_or_problem
    from medmodel.evaluation.multi_label.finding_sets import by_name
    from medmodel.evaluation.multi_label.run_findings import model_sets

    names = run.model_facts.class_names
    known, _damaged = value_or_problem(model_sets, run, names)
    return known or by_name([], names)


def _probabilities(answer: ImageAnswer, decisions: list[Decision]) -> dict[str, float]:
    """Finding -> probability as shown; empty where none is."""
    if answer.prediction is None or answer.withheld:
        return {}
    raw = answer.prediction.raw
    return {
        each.name: float(each.shown(raw[at : at + 1])[0])
        for at, each in enumerate(decisions)
    }
