"""Batches of a model of several findings: counts, images, each closely."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel.batch import table
from medmodel.batch.findings import FLAGGED, PROBABILITY
from medmodel.language import _, join_sentences
from medmodel.language.right_to_left import isolated
from medmodel.reports import plots
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import scored_classes
from pages._shared.common.legible import legible
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain

_ORDERS: tuple[table.Order, ...] = ("strangest", "uncertain")


def show_flagged_findings(rows: pd.DataFrame) -> None:
    """How many images each finding is predicted of.

    Args:
        rows: As from `batch.findings.described`.
    """
    findings = scored_classes(rows)
    unmarked = [name for name in findings if f"{FLAGGED}{name}" not in rows]
    counts = pd.DataFrame(
        {
            _("Image finding"): findings,
            _("Images with it predicted"): [
                None if name in unmarked else int((rows[f"{FLAGGED}{name}"] == 1).sum())
                for name in findings
            ],
        }
    ).astype({_("Images with it predicted"): "Int64"})
    show_table(
        counts, hide_index=True, alt=_("How many images each finding is predicted of")
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
    st.caption(plain(join_sentences(sentences)))


def choose_by_finding(batch: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """The images in the order, and with the finding, that the user chooses.

    Args:
        batch: The batch.
        rows: As from `batch.findings.described`.
    """
    choice, of_finding = st.columns([2, 1], vertical_alignment="bottom")
    order = choice.segmented_control(
        _("Order"),
        _ORDERS,
        format_func=legible(lambda key: _(table.ORDERS[key])),
        default=_ORDERS[0],
        required=True,
        key=f"batch-order-{batch.id}",
        help=_(
            "Strangest: unlike the training data, then farthest from it. Most "
            "uncertain: a probability is closest to its threshold."
        ),
    )
    flagged = [name for name in scored_classes(rows) if f"{FLAGGED}{name}" in rows]
    name = of_finding.selectbox(
        _("Predicted finding"),
        ["", *flagged],
        format_func=lambda name: name or _("Any or none"),
        key=f"batch-class-{batch.id}",
    )
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
