"""How well a model tells several findings on one image: numbers, curves, images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.multi_label.finding_results import (
    Decision,
    FindingResult,
    FindingsEvaluation,
)
from medmodel.evaluation.multi_label.run_findings import (
    Kind,
    RunFindings,
    images_of_kind,
    results_table,
    run_decisions,
    run_findings,
)
from medmodel.imaging.images import png_bytes
from medmodel.language import N_, _, join_sentences, ngettext
from medmodel.runs.run import Run
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible
from pages._shared.common.tables import show_table
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of

AT_ONCE = 6
KINDS: dict[Kind, str] = {
    "missed": N_("Missed"),
    "false_alarm": N_("False positives"),
    "found": N_("Found"),
    "left_alone": N_("Rightly without"),
}


def show_findings(run: Run) -> None:
    """All of the page for a run on several findings."""
    findings = findings_of(run)
    missing = show_missing_dataset(run.config.dataset)
    _show_headline(findings)
    _show_results(findings.evaluation)
    csv_button(lambda: results_table(findings.evaluation), "findings", run)
    if not missing:
        _show_images(run, findings)


def findings_of(run: Run) -> RunFindings:
    """The run's findings, read once for all sessions.

    Raises:
        MedModelError: There are none yet, or a file is damaged.
    """
    return _findings(str(run.folder), _version(run))


def decisions_of_run(run: Run) -> list[Decision]:
    """Thresholds and temperatures of the run's findings, read once for all sessions.

    Raises:
        MedModelError: There are none yet, or a file is damaged.
    """
    return _decisions(str(run.folder), _version(run))


def _version(run: Run) -> int:
    path = run.findings_path
    return path.stat().st_mtime_ns if path.exists() else 0


@st.cache_resource(max_entries=32, show_spinner=False)
def _findings(folder: str, version: int) -> RunFindings:
    return run_findings(Run(Path(folder)))


@st.cache_resource(max_entries=32, show_spinner=False)
def _decisions(folder: str, version: int) -> list[Decision]:
    return run_decisions(Run(Path(folder)))


def mean_sentence(evaluation: FindingsEvaluation) -> str:
    """What the model is worth, in one sentence, and which findings it leaves out."""
    measured = len(evaluation.results) - len(evaluation.left_out)
    sentence = ngettext(
        "Mean AUC of {count} finding: {auc}.",
        "Mean AUC of {count} findings: {auc}.",
        measured,
        auc=evaluation.mean_auc.with_n,
    )
    if not evaluation.left_out:
        return sentence
    left = _(
        "Left out, since all test images have it or none: {findings}.",
        findings=_(", ").join(evaluation.left_out),
    )
    return join_sentences([sentence, left])


def _show_headline(findings: RunFindings) -> None:
    evaluation = findings.evaluation
    with st.container(horizontal=True, gap="small"):
        _tile(_("Mean AUC"), evaluation.mean_auc, meaning("AUC", "interval"))
        _tile(
            _("Mean average precision"),
            evaluation.mean_precision,
            meaning("average precision", "interval"),
        )
        _tile(
            _("All findings right"),
            evaluation.exact,
            _(
                "Share of test images of which every finding is told right at its "
                "threshold (exact match)."
            ),
        )
    st.markdown(plain(mean_sentence(evaluation)))
    patients = (
        ngettext(
            "Intervals are those of {count:,} patient with all images.",
            "Intervals are those of {count:,} patients with all their images.",
            evaluation.patients,
        )
        if evaluation.patients
        else _("Patients are unknown: intervals count each image by itself.")
    )
    st.caption(plain(join_sentences([patients, str(findings.copies)])))


def _tile(title: str, estimate: Estimate, entry: str) -> None:
    value = f"{estimate.value:.3f}" if estimate.measurable else _("not measurable")
    interval = estimate.interval if estimate.measurable else None
    st.metric(
        title,
        value,
        delta=interval,
        delta_color="off",
        delta_arrow="off",
        help=entry,
        border=True,
        width="content",
    )


def _show_results(evaluation: FindingsEvaluation) -> None:
    results = evaluation.results
    show_table(
        pd.DataFrame(
            {
                _("Image finding"): [r.name for r in results],
                _("With it"): [
                    f"{r.positives:,} / {r.images:,} ({r.prevalence:.0%})".replace(
                        "%", " %"
                    )
                    for r in results
                ],
                _("AUC"): [str(r.auc) for r in results],
                _("Average precision"): [str(r.average_precision) for r in results],
                _("Threshold"): [threshold_text(r.decision) for r in results],
                _("Sensitivity"): [_rate(r, "sensitivity") for r in results],
                _("Specificity"): [_rate(r, "specificity") for r in results],
                _("PPV (precision)"): [_rate(r, "ppv") for r in results],
                _("NPV"): [_rate(r, "npv") for r in results],
                _("Calibration error"): [str(r.calibration_error) for r in results],
            }
        ),
        hide_index=True,
        column_config={
            _("Image finding"): st.column_config.TextColumn(pinned=True),
        },
        alt=_("Metrics of each finding with intervals"),
    )
    st.caption(plain(_how(results)))


def threshold_text(decision: Decision) -> str:
    """The threshold of a finding, or that it has none."""
    if decision.threshold != decision.threshold:
        return _("none")
    return f"{decision.threshold:.3f}"


def _rate(result: FindingResult, key: str) -> str:
    return str(result.rate(key)) if result.outcome else _("no threshold")


def _how(results: list[FindingResult]) -> str:
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


def _show_images(run: Run, findings: RunFindings) -> None:
    """Test images of one finding by how its threshold decides."""
    st.subheader(_("Test images by finding"), anchor=False)
    decided = {d.name: d for d in findings.decisions if d.threshold == d.threshold}
    if not decided:
        st.caption(_("No finding has a threshold: validation images tell none."))
        return
    with st.container(horizontal=True, gap="medium"):
        name = st.selectbox(
            _("Image finding"), list(decided), format_func=plain, key="finding"
        )
        kind = st.segmented_control(
            _("Images"),
            list(KINDS),
            format_func=legible(lambda kind: _(KINDS[kind])),
            default="missed",
            required=True,
            key="finding-kind",
        )
    rows = images_of_kind(findings.table, decided[name], kind)
    st.caption(
        ngettext(
            "{count:,} image, the most striking first.",
            "{count:,} images, the most striking first.",
            len(rows),
        )
    )
    folder, preprocessing = data_folder(run), run.model_facts.preprocessing
    with st.container(horizontal=True, gap="small"):
        for row in rows.head(AT_ONCE).itertuples():
            with st.container(width=200, gap="xxsmall"), errors_shown():
                case = dataset_case(folder, str(row.path), "", preprocessing)
                file = Path(str(row.path)).name
                st.image(
                    png_bytes(pixels_of(case)),
                    caption=plain(f"{file}: {row.probability:.3f}"),
                    alt=_("Test image"),
                )
