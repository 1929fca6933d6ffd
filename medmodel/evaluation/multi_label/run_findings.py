"""The findings of one run: its test images without copies, decisions, results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from medmodel.core.errors import DataError, value_or_problem
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.multi_label.finding_results import (
    Decision,
    FindingResult,
    FindingsEvaluation,
    decide,
    evaluate_findings,
)
from medmodel.evaluation.multi_label.finding_sets import (
    COVERAGE,
    FindingSets,
    by_name,
    fit_sets,
)
from medmodel.language import _
from medmodel.runs.copies import Copies, copies_of, independent_findings
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import IMAGE_COLUMNS, read_findings, truth_and_score

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["missed", "false_alarm", "found", "left_alone"]
RATES = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True)
class RunFindings:
    """What is known of a run on several findings.

    Args:
        table: As from `copies.independent_findings`.
        copies: Which test images are copies.
        decisions: Threshold and temperature of each finding.
        evaluation: On the test images of `table`.
    """

    table: pd.DataFrame
    copies: Copies
    decisions: list[Decision]
    evaluation: FindingsEvaluation


def run_findings(run: Run) -> RunFindings:
    """Reads a run's answers, decides on validation images, evaluates on test images.

    Raises:
        RunError: There is no findings.csv yet, or it is damaged.
        DataError: There is no test image, or none for validation.
    """
    table = independent_findings(run)
    decisions = decide(table)
    evaluation = evaluate_findings(table, decisions)
    return RunFindings(table, copies_of(run), decisions, evaluation)


def run_decisions(run: Run) -> list[Decision]:
    """Threshold and temperature of a run's findings, also where no image was tested.

    Raises:
        RunError: There is no findings.csv yet, or it is damaged.
        DataError: There is no validation image.
    """
    return decide(read_findings(run))


def decisions_or_reason(
    run: Run, findings: Sequence[str]
) -> tuple[list[Decision], str]:
    """Threshold and temperature of each finding, and why they are not known.

    Args:
        run: The model's run.
        findings: In the order of the model's outputs.

    Returns:
        Where the reason is not "", no finding has a threshold.
    """
    known, reason = value_or_problem(run_decisions, run)
    return _of_each(findings, known or []), reason


def model_decisions(run: Run, findings: Sequence[str]) -> list[Decision]:
    """The same where a damaged file must not pass for one that says nothing.

    Returns:
        Without thresholds where the run has no findings.csv, as one that was stopped,
        or no validation image.

    Raises:
        RunError: findings.csv is damaged.
    """
    known: list[Decision] = []
    if run.findings_path.exists():
        with suppress(DataError):  # no validation image
            known = run_decisions(run)
    return _of_each(findings, known)


def model_sets(
    run: Run, findings: Sequence[str], coverage: float = COVERAGE
) -> list[FindingSets]:
    """The sets of each finding at a coverage.

    Returns:
        Without images, and therefore promising nothing, where the run has no
        findings.csv, as one that was stopped, or no validation image.

    Raises:
        RunError: findings.csv is damaged.
    """
    known: list[FindingSets] = []
    if run.findings_path.exists():
        with suppress(DataError):  # no validation image
            known = fit_sets(read_findings(run), coverage)
    return by_name(known, findings, coverage)


def _of_each(findings: Sequence[str], known: Iterable[Decision]) -> list[Decision]:
    by_name = {decision.name: decision for decision in known}
    unknown = [Decision(name, math.nan, 1.0, 0) for name in findings]
    return [by_name.get(each.name, each) for each in unknown]


def answers_table(table: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
    """What images have and what the model says of them, a row each, to take away.

    Args:
        table: As from `read_findings`.
        decisions: Of each finding.

    Returns:
        `path`, `patient`, `split`, and of each finding `true_<finding>` and
        `predicted_<finding>` (0 or 1; empty without a threshold), `score_<finding>` as
        trained, `probability_<finding>` as shown and `set_<finding>`, what cannot be
        ruled out at 95 % coverage; empty with too few validation images.
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    known: list[FindingSets] = []
    with suppress(DataError):  # no validation image
        known = fit_sets(table)
    sets = by_name(known, [decision.name for decision in decisions])
    for decision, held in zip(decisions, sets, strict=True):
        truth, score = truth_and_score(table, decision.name)
        shown = decision.shown(score)
        decided = not math.isnan(decision.threshold)
        called = (shown >= decision.threshold).astype(int) if decided else ""
        columns[f"true_{decision.name}"] = truth.astype(int)
        columns[f"score_{decision.name}"] = score
        columns[f"probability_{decision.name}"] = shown
        columns[f"predicted_{decision.name}"] = called
        columns[f"set_{decision.name}"] = held.answers(score)
    samples = table[list(IMAGE_COLUMNS)]
    return pd.concat([samples, pd.DataFrame(columns, index=table.index)], axis=1)


def images_of_kind(table: pd.DataFrame, decision: Decision, kind: Kind) -> pd.DataFrame:
    """Test images that a finding's threshold decides so, the most striking first.

    Args:
        table: As of `RunFindings`.
        decision: Of the finding; it has a threshold.
        kind: With the finding and below the threshold, without and above, with and
            above, without and below.

    Returns:
        Columns `path`, `patient`, `probability` (as shown).
    """
    rows = table[table["split"] == "test"]
    truth, score = truth_and_score(rows, decision.name)
    shown = decision.shown(score)
    called = shown >= decision.threshold
    wanted = {
        "missed": truth & ~called,
        "false_alarm": ~truth & called,
        "found": truth & called,
        "left_alone": ~truth & ~called,
    }[kind]
    chosen = rows.loc[wanted, ["path", "patient"]].assign(probability=shown[wanted])
    rising = kind in ("missed", "left_alone")
    return chosen.sort_values(["probability", "path"], ascending=[rising, True])


def results_table(evaluation: FindingsEvaluation) -> pd.DataFrame:
    """A row for each finding and one for the mean, to take away."""
    import pandas as pd

    rows = [_row(result) for result in evaluation.results]
    mean: dict[str, object] = {"finding": _("mean of those measured")}
    mean |= _columns("auc", evaluation.mean_auc)
    mean |= _columns("average_precision", evaluation.mean_precision)
    return pd.DataFrame([*rows, mean])


def _row(result: FindingResult) -> dict[str, object]:
    row: dict[str, object] = {
        "finding": result.name,
        "images": result.images,
        "positives": result.positives,
        "validation_positives": result.decision.positives,
        "threshold": result.decision.threshold,
        "temperature": result.decision.temperature,
    }
    row |= _columns("auc", result.auc)
    row |= _columns("average_precision", result.average_precision)
    for key in RATES:
        row |= _columns(key, result.rate(key))
    row |= _columns("calibration_error", result.calibration_error)
    return row | _columns("brier", result.brier)


def _columns(key: str, estimate: Estimate) -> dict[str, object]:
    low, high = estimate.ends
    return {key: estimate.value, f"{key}_low": low, f"{key}_high": high}
