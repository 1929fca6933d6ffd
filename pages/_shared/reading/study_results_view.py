"""Results of a reader study: reader alone, model, reader with model."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from medmodel.evaluation.clinical.reader_study import ReaderStudy
from medmodel.evaluation.clinical.study_results import (
    StudyResults,
    results_table,
    study_results,
)
from medmodel.evaluation.decision.positive_class import positive_class
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _, ngettext
from medmodel.runs.run import Run
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain

SHOWN = ("accuracy", "sensitivity", "specificity", "auc")
_TESTED = ("accuracy", "auc")


def show_results(run: Run, study: ReaderStudy) -> None:
    """Metrics with intervals, paired differences, changes, agreement, time."""
    results = study_results(run, study)
    title = ngettext(
        "Results of {count} image", "Results of {count} images", results.images
    )
    st.subheader(title, anchor=False)
    positive = positive_class(run, study.classes)
    position = positive.position if positive else None
    table = results_table(results, SHOWN, position)
    # Cells of a table wrap: a frame would hide its last column where images are few.
    st.table(table.set_index(str(table.columns[0])).map(plain))
    if positive:
        st.caption(
            plain(_("Sensitivity and specificity for {name}.", name=positive.name))
        )
    st.markdown("\n".join(f"* {plain(line)}" for line in _sentences(results)))
    st.caption(
        _(
            "One reader and these images: another reader, or other images, give other "
            "numbers. The reader's AUC is made of the confidences. Reading with the "
            "model comes after reading alone, so that a second look counts for it, too."
        ),
        help=meaning("confidence of a reader", "Cohen's kappa (κ)", "paired test"),
    )
    csv_button(lambda: readings_table(study), "readings", run, _("Readings"))


def _sentences(results: StudyResults) -> list[str]:
    lines = [
        _(
            "{metric}: {sentence}",
            metric=_(METRICS[difference.metric].title),
            sentence=replace(
                difference, first=_(difference.first), second=_(difference.second)
            ),
        )
        for metric in _TESTED
        for difference in results.differences(metric)
    ]
    lines.append(
        _(
            "With the model {changed} of {images} readings changed: {improved} for the "
            "better, {worsened} for the worse.",
            changed=results.changed,
            images=results.images,
            improved=results.improved,
            worsened=results.worsened,
        )
    )
    if not (math.isnan(results.kappa_model) or math.isnan(results.kappa_aided)):
        lines.append(
            _(
                "Agreement with the model beyond chance (Cohen's κ): alone "
                "{alone:.2f}, with the model {aided:.2f}.",
                alone=results.kappa_model,
                aided=results.kappa_aided,
            )
        )
    lines.append(
        _(
            "Median time: {alone:.0f} s alone, {aided:.0f} s more with the model.",
            alone=results.seconds_alone,
            aided=results.seconds_aided,
        )
    )
    return lines


def readings_table(study: ReaderStudy) -> pd.DataFrame:
    """Every reading as a row; no reader's name."""
    return pd.DataFrame(
        [
            {
                "path": reading.path,
                "alone": reading.alone.label,
                "alone_confidence": reading.alone.confidence,
                "alone_seconds": round(reading.alone.seconds, 1),
                "aided": reading.aided.label if reading.aided else "",
                "aided_confidence": reading.aided.confidence if reading.aided else "",
                "aided_seconds": (
                    round(reading.aided.seconds, 1) if reading.aided else ""
                ),
            }
            for reading in study.readings
        ]
    )
