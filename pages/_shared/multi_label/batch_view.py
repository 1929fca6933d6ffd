"""Batches of a model of several findings: counts, images, each closely."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel.batch import table
from medmodel.batch.findings import FLAGGED, IN_SET, PROBABILITY
from medmodel.evaluation.multi_label.finding_sets import COVERAGE
from medmodel.language import _, join_sentences
from medmodel.language.right_to_left import isolated
from medmodel.reports import plots
from medmodel.reports.multi_label.finding_sentences import too_few_for_sets
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import scored_classes
from pages._shared.batch.image_order import pick_order, pick_shown, table_orders
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain


def show_flagged_findings(rows: pd.DataFrame) -> None:
    """How many images each finding is predicted of.

    Args:
        rows: As from `batch.findings.described`.
    """
    findings = scored_classes(rows)
    unmarked = [name for name in findings if f"{FLAGGED}{name}" not in rows]
    unset = [name for name in findings if f"{IN_SET}{name}" not in rows]
    show_table(
        finding_counts(rows),
        hide_index=True,
        alt=_("How many images each finding is predicted of"),
    )
    sentences = [
        _("Images that are unlike the training data are counted, too."),
        _(
            "A finding is predicted where its probability reaches its threshold from "
            "validation images. An image may have several, or none."
        ),
    ]
    if unmarked:
        sentences.append(
            _(
                "Without a threshold, and therefore never predicted: {findings}.",
                findings=_(", ").join(unmarked),
            )
        )
    if len(unset) < len(findings):
        sentences.append(
            _(
                "Prediction sets with {coverage:.0f} % coverage hold what is true of a "
                "finding for so large a proportion of images like the validation "
                "images, with it and without it.",
                coverage=100 * COVERAGE,
            )
        )
    if unset:
        sentences.append(too_few_for_sets(unset))
    st.caption(plain(join_sentences(sentences)))


def finding_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """How many images each finding is predicted of, and what the sets hold."""
    lines = []
    for name in scored_classes(rows):
        line: dict[str, object] = {_("Image finding"): name}
        if (flagged := f"{FLAGGED}{name}") in rows:
            line[_("Images with it predicted")] = int((rows[flagged] == 1).sum())
        if (inside := f"{IN_SET}{name}") in rows:
            line[_("Set: present")] = int((rows[inside] == "present").sum())
            line[_("Set: absent")] = int((rows[inside] == "absent").sum())
            line[_("Set: either")] = int((rows[inside] == "present|absent").sum())
        lines.append(line)
    counts = pd.DataFrame(lines)
    # A finding without a threshold cannot be predicted: no number, not 0.
    return counts.astype(dict.fromkeys(counts.columns[1:], "Int64"))


def choose_by_finding(batch: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """The images in the order, and with the finding, that the user chooses.

    Args:
        batch: The batch.
        rows: As from `batch.findings.described`.
    """
    choice, of_finding = st.columns([2, 1], vertical_alignment="bottom")
    with choice:
        order = pick_order(
            batch,
            table_orders(rows),
            _(
                "Strangest: unlike the training data, then farthest from it. Most "
                "uncertain: a probability is closest to its threshold. Worst: what the "
                "table of the folder says of one of the findings got the lowest "
                "probability."
            ),
        )
    flagged = [name for name in scored_classes(rows) if f"{FLAGGED}{name}" in rows]
    with of_finding:
        name = pick_shown(batch, _("Predicted finding"), flagged, _("Any or none"))
    images = table.ordered(rows, order)
    return images[images[f"{FLAGGED}{name}"] == 1] if name else images


def finding_words(row: Any) -> str:
    """What stands below an image, as Markdown: nothing where Diagnose says nothing."""
    if row["unlike_training"] == 1:
        return "**" + _("Unlike the training data") + "**"
    return plain(_predicted(row))


def finding_alt(row: Any) -> str:
    """The same for those who cannot see the image."""
    if row["unlike_training"] == 1:
        return _("Image that is unlike the training data")
    return _("Image, {findings}", findings=_predicted(row))


def _predicted(row: Any) -> str:
    flags = {
        str(column).removeprefix(FLAGGED): flag
        for column, flag in row.items()
        if str(column).startswith(FLAGGED)
    }
    names = [name for name, flag in flags.items() if flag == 1]
    if not flags:
        return _("No finding has a threshold")
    if not names:
        return _("No finding above its threshold")
    shares = ((name, float(row[f"{PROBABILITY}{name}"])) for name in names)
    return _(", ").join(
        f"{isolated(name)} {plots.per_cent(share)}"
        for name, share in sorted(shares, key=lambda pair: -pair[1])
    )
