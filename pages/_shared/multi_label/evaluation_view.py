"""How well a model tells several findings on one image: numbers, curves, images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.evaluation.multi_label.finding_results import FindingsEvaluation
from medmodel.evaluation.multi_label.run_findings import (
    Kind,
    RunFindings,
    answers_table,
    images_of_kind,
    results_table,
)
from medmodel.imaging.images import png_bytes
from medmodel.language import N_, _, join_sentences, ngettext
from medmodel.reports.multi_label.facts import (
    few_units,
    how_measured,
    mean_sentence,
    test_copies,
    untested,
)
from medmodel.reports.multi_label.metric_rows import (
    rate_interval,
    rate_value,
    result_heads,
    result_rows,
)
from medmodel.runs.run import Run
from pages._shared.common.charts import pick_format
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.evaluation_view import (
    leakage_reservations,
    patient_overlap,
    pick_part,
    show_tested_images,
)
from pages._shared.evaluation.export_view import show_documents
from pages._shared.evaluation.external_validation_view import show_external_test
from pages._shared.evaluation.model_export_view import show_model_formats
from pages._shared.multi_label.curves_view import (
    show_finding_calibration,
    show_finding_curves,
)
from pages._shared.multi_label.evaluation_cache import findings_of
from pages._shared.multi_label.folds_view import show_finding_folds
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of

AT_ONCE = 6
_VIEWS = [
    *(N_("Metrics"), N_("Curves"), N_("Calibration")),
    *(N_("External test"), N_("Export")),
]
KINDS: dict[Kind, str] = {
    "missed": N_("False negatives (missed)"),
    "false_alarm": N_("False positives (false alarms)"),
    "found": N_("True positives (found)"),
    "left_alone": N_("True negatives"),
}


def show_findings(run: Run) -> None:
    """All of the page for a run on several findings."""
    findings = findings_of(run)
    _show_frame(run, findings)
    missing = show_missing_dataset(run.config.dataset)
    view = pick_part(_VIEWS)
    with errors_shown():
        if view == "Metrics":
            _show_headline(findings)
            _show_results(findings.evaluation)
            if not missing:
                _show_images(run, findings)
            show_finding_folds(run)
        elif view == "Curves":
            show_finding_curves(run, findings)
        elif view == "Calibration":
            show_finding_calibration(run, findings)
        elif view == "External test":
            show_external_test(run)
        else:
            _show_take_away(run, findings)


def _show_frame(run: Run, findings: RunFindings) -> None:
    """What was tested and how far that can be trusted."""
    evaluation = findings.evaluation
    reservations = leakage_reservations(run, *patient_overlap(run))
    reservations += untested(run, evaluation) + few_units(run, evaluation)
    show_tested_images(run, (evaluation.images, evaluation.patients), reservations)


def _show_take_away(run: Run, findings: RunFindings) -> None:
    """The documents, the model in other formats, and the tables."""
    show_documents(run)
    show_model_formats(run)
    st.markdown(_("**Tables**"))
    with st.container(horizontal=True):
        results = findings.evaluation
        csv_button(lambda: results_table(results), "all-metrics", run, _("All metrics"))
        csv_button(
            lambda: answers_table(findings.table, findings.decisions),
            "findings",
            run,
            _("Every image's scores"),
        )
    st.markdown(_("**Figures**"))
    pick_format()


def _show_headline(findings: RunFindings) -> None:
    evaluation = findings.evaluation
    with st.container(horizontal=True, gap="small"):
        for title, estimate, entry in (
            (_("Mean AUC"), evaluation.mean_auc, meaning("AUC", "interval")),
            (
                _("Mean average precision"),
                evaluation.mean_precision,
                meaning("average precision", "interval"),
            ),
        ):
            value = (
                f"{estimate.value:.3f}" if estimate.measurable else _("not measurable")
            )
            # In full in the sentence below: three tiles stand side by side.
            interval = estimate.short_interval if estimate.measurable else None
            _tile(title, value, interval, entry)
        exact = evaluation.exact
        _tile(
            _("All findings right"),
            rate_value(exact),
            rate_interval(exact, short=True) if exact.measurable else None,
            _(
                "Share of test images of which every finding is told right at its "
                "threshold (exact match)."
            ),
        )
    patients = (
        ngettext(
            "Intervals are those of {count:,} patient with all images.",
            "Intervals are those of {count:,} patients with all their images.",
            evaluation.patients,
        )
        if evaluation.patients
        else _("Patients are unknown: intervals count each image by itself.")
    )
    with st.container(gap="xsmall"):
        st.markdown(plain(mean_sentence(evaluation)))
        st.caption(plain(join_sentences([patients, test_copies(findings)])))


def _tile(title: str, value: str, interval: str | None, entry: str) -> None:
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
    heads, rows = result_heads(), result_rows(evaluation, short=True)
    show_table(
        pd.DataFrame(rows, columns=heads),
        hide_index=True,
        column_config={heads[0]: st.column_config.TextColumn(pinned=True)},
        alt=_("Metrics of each finding with intervals"),
    )
    st.caption(plain(how_measured(evaluation.results)))


def _show_images(run: Run, findings: RunFindings) -> None:
    """Test images of one finding by how its threshold decides."""
    st.subheader(_("Test images by finding"), anchor=False)
    decided = {d.name: d for d in findings.decisions if d.threshold == d.threshold}
    if not decided:
        st.caption(_("No finding has a threshold: validation images tell none."))
        return
    name = st.selectbox(_("Image finding"), list(decided), key="finding")
    kind = one_of(
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
