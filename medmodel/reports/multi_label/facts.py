"""What the numbers of a run on several findings rest on, and what limits them."""

from __future__ import annotations

from medmodel.core.errors import value_or_problem
from medmodel.data.multi_label.findings import split_findings
from medmodel.data.multi_label.sample_size import findings_warnings
from medmodel.evaluation.intervals.minima import MINIMA
from medmodel.evaluation.multi_label.finding_results import (
    FindingResult,
    FindingsEvaluation,
    finding_predictions,
    mean_area_of,
)
from medmodel.evaluation.multi_label.run_findings import RunFindings
from medmodel.language import _, join_sentences, ngettext
from medmodel.reports import run_facts
from medmodel.runs.copies import with_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split


def tested_on(run: Run, evaluation: FindingsEvaluation) -> str:
    """What the numbers rest on, as a sentence."""
    return run_facts.tested_images(run, evaluation.images, evaluation.patients)


def mean_sentence(evaluation: FindingsEvaluation) -> str:
    """What the model is worth, in one sentence, and which findings it leaves out."""
    measured = len(evaluation.results) - len(evaluation.left_out)
    sentence = ngettext(
        "Mean AUC of {count} finding: {auc}.",
        "Mean AUC of {count} findings: {auc}.",
        measured,
        auc=evaluation.mean_auc.with_n,
    )
    sentences = [sentence]
    if evaluation.enough:
        sentences.append(
            ngettext(
                "Of the {count} finding with enough test images: {auc}.",
                "Mean of the {count} findings with enough test images: {auc}.",
                len(evaluation.enough),
                auc=evaluation.mean_of_enough,
            )
        )
    if evaluation.left_out:
        sentences.append(
            _(
                "Left out, since all test images have it or none: {findings}.",
                findings=_(", ").join(evaluation.left_out),
            )
        )
    return join_sentences(sentences)


def how_measured(results: list[FindingResult]) -> str:
    """Where thresholds and probabilities come from."""
    sentences = [
        _(
            "Thresholds were chosen on validation images: largest sum of sensitivity "
            "and specificity (Youden). Each finding is measured by itself."
        )
    ]
    raw = [r.name for r in results if not r.decision.calibrated]
    if len(raw) < len(results):
        sentences.append(
            _("Probabilities are calibrated on validation images (temperature).")
        )
    if raw:
        sentences.append(
            _(
                "Not calibrated, since validation images do not tell the temperature "
                "well enough: {findings}.",
                findings=_(", ").join(raw),
            )
        )
    return join_sentences(sentences)


def test_copies(findings: RunFindings) -> str:
    """Which test images are copies, and the numbers with them, in sentences."""
    copies = findings.copies
    if not copies.paths or copies.all_are_copies:
        return str(copies)
    table = with_copies(findings.table)
    data = [finding_predictions(table, d.name, "test") for d in findings.decisions]
    beside = _(
        "With the copies (n = {images:,} images): mean AUC {auc}.",
        images=len(data[0].truth),
        auc=mean_area_of(data),
    )
    return f"{copies} {beside}"


def limits(run: Run, findings: RunFindings) -> list[str]:
    """What a reader of the numbers must know, a sentence each."""
    evaluation = findings.evaluation
    said = [test_copies(findings)]
    if not evaluation.patients:
        said.append(
            _(
                "Patients are not known: images count as independent, so intervals "
                "may be too narrow."
            )
        )
    said += run_facts.patient_overlap(run)
    said += few_units(run, evaluation)
    said += run_facts.same_source(run)
    said += untested(run, evaluation)
    return [
        *said,
        _(run_facts.UNLIKE),
        _(
            "Each finding has a probability of its own: together they do not sum to "
            "100 %."
        ),
        _(
            "A heat map shows where the network was sensitive, not the outline "
            "of a lesion."
        ),
    ]


def untested(run: Run, evaluation: FindingsEvaluation) -> list[str]:
    """The model's findings of which another folder says nothing, as a sentence."""
    if not run.tested_model or not run.has_model:
        return []
    tested = {each.name for each in evaluation.results}
    missing = [name for name in run.model_facts.class_names if name not in tested]
    if not missing:
        return []
    return [
        _(
            "Not tested, since the other folder says nothing of them: {findings}.",
            findings=_(", ").join(missing),
        )
    ]


def few_units(run: Run, evaluation: FindingsEvaluation) -> list[str]:
    """What there were too few patients or images for, a sentence each."""
    few = []
    if 0 < evaluation.patients < MINIMA["auc"].patients:
        few.append(run_facts.few_patients(evaluation.patients))
    return few + _sample_size_warnings(run, evaluation)


def _sample_size_warnings(run: Run, evaluation: FindingsEvaluation) -> list[str]:
    """What there were too few images for; test images are those that count."""
    rows, damaged = value_or_problem(read_split, run)
    if damaged or rows is None or run.tested_model:
        return []
    counts: dict[str, dict[str, int]] = {}
    for result in evaluation.results:
        has = rows["label"].map(
            lambda label, name=result.name: name in split_findings(label)
        )
        by_split = rows.loc[has, "split"].value_counts()
        counts[result.name] = {
            "train": int(by_split.get("train", 0)),
            "val": result.decision.positives,
            "test": result.positives,
        }
    images = {str(k): int(n) for k, n in rows["split"].value_counts().items()}
    return findings_warnings(counts, {**images, "test": evaluation.images})
