"""How well a segmentation outlines its test images: numbers, and the worst cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.core import samples
from medmodel.data.segmentation.mask_files import read_mask
from medmodel.data.segmentation.pairs import image_masks
from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.segmentation import summary
from medmodel.evaluation.segmentation.overlap import FOUND
from medmodel.imaging.images import png_bytes
from medmodel.language import N_, _
from medmodel.reports.contours import draw_contours
from medmodel.reports.glossary import SEGMENTATION_TERMS
from medmodel.runs.run import Run
from medmodel.runs.tables import read_segmentation
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible
from pages._shared.common.tables import show_table
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of
from pages._shared.prediction.segmentation_answer import outlined

AT_ONCE = 6
TITLES = {
    "dice": N_("Dice"),
    "iou": N_("IoU (Jaccard)"),
    "lesion_sensitivity": N_("Sensitivity per lesion"),
    "area_error": N_("Area error (absolute, relative)"),
    "hd95": N_("95th percentile of surface distance (HD95)"),
    "false_positives": N_("Images without it that get an outline"),
}
TRUE_COLOUR, PREDICTED_COLOUR = (0, 158, 115), (230, 159, 0)
"""Okabe and Ito's green and orange."""


def show_segmentation(run: Run) -> None:
    """All of the page for a run that outlines instead of classifying."""
    path = run.segmentation_path
    table = _table(str(run.folder), path.stat().st_mtime_ns if path.exists() else 0)
    tested = table[table["split"] == "test"]
    missing = show_missing_dataset(run.config.dataset)
    classes = list(dict.fromkeys(tested["class"]))
    name = _pick_class(classes)
    rows = tested[tested["class"] == name]
    _show_numbers(rows)
    csv_button(table, "segmentation", run)
    if not missing:
        _show_worst(run, rows)


@st.cache_resource(max_entries=32, show_spinner=False)
def _table(folder: str, version: int) -> pd.DataFrame:
    return read_segmentation(Run(Path(folder)))


def _pick_class(classes: list[str]) -> str:
    if len(classes) == 1:
        return classes[0]
    return st.segmented_control(
        _("Class"),
        classes,
        format_func=legible(str),
        default=classes[0],
        required=True,
        key="segmented-class",
    )


def _show_numbers(rows: pd.DataFrame) -> None:
    images, present = len(rows), int((rows["area"] > 0).sum())
    known = bool((rows["patient"] != "").all())
    st.markdown(
        _(
            "{images:,} test images; {present:,} of them hold the class {name}.",
            images=images,
            present=present,
            name=plain(rows["class"].iloc[0]),
        )
    )
    estimates = summary.metrics(rows)
    show_table(
        pd.DataFrame(
            {
                _("Metric"): [_title(key, rows) for key in estimates],
                _("Value"): [_value(key, each) for key, each in estimates.items()],
                _("95 % interval"): [
                    _interval(key, each) for key, each in estimates.items()
                ],
                _("Images"): [each.n for each in estimates.values()],
            }
        ),
        hide_index=True,
        alt=_("Metrics of the segmentation with intervals"),
    )
    whose = (
        _("Intervals draw patients with all their images.")
        if known
        else _("Patients are unknown: intervals draw images.")
    )
    st.caption(
        _(
            "Dice, IoU and area error are means over the test images that hold the "
            "class. A lesion is a connected area; it counts as found where the outline "
            "covers at least {share:.0f} % of it. HD95 is the mean over images in "
            "which both outlines exist.",
            share=100 * FOUND,
        )
        + f" {whose}",
        help=meaning(*SEGMENTATION_TERMS),
    )


def _title(key: str, rows: pd.DataFrame) -> str:
    if key != "hd95":
        return _(TITLES[key])
    unit = _("mm") if summary.in_mm(rows[rows["area"] > 0]) else _("pixels")
    return f"{_(TITLES[key])}, {unit}"


def _value(key: str, estimate: Estimate) -> str:
    if not estimate.measurable:
        return _("not measurable")
    return _number(key, estimate.value)


def _interval(key: str, estimate: Estimate) -> str:
    if not estimate.measurable:
        return ""
    if estimate.too_few is not None:
        return estimate.interval
    return f"{_number(key, estimate.low)}–{_number(key, estimate.high)}"


def _number(key: str, value: float) -> str:
    if key in ("area_error", "false_positives"):
        return f"{value:.1%}".replace("%", " %")
    return f"{value:.2f}" if key == "hd95" else f"{value:.3f}"


def _show_worst(run: Run, rows: pd.DataFrame) -> None:
    """The images with the lowest Dice, with both contours."""
    st.subheader(_("Worst test images"), anchor=False)
    st.markdown(
        _(
            ":green[**Green**: the mask of the data set.] :orange[**Orange**: what the "
            "model outlines.]"
        )
    )
    cases = summary.worst(rows, AT_ONCE)
    if cases.empty:
        st.caption(_("No test image holds the class, and none got an outline."))
        return
    with st.container(horizontal=True, gap="small"):
        for row in cases.itertuples():
            with st.container(width=300, gap="xxsmall"), errors_shown():
                _show_one(run, row)


def _show_one(run: Run, row: Any) -> None:
    folder = data_folder(run)
    facts = run.model_facts
    case = dataset_case(folder, row.path, "", facts.preprocessing)
    answer = outlined(run, case)
    shape = answer.classes.shape
    masks = image_masks(folder)[samples.file_of(row.path)]
    value = facts.mask_values[facts.class_names.index(row[4])]
    truth = read_mask(folder, row.path, masks, (shape[0], shape[1])) == value
    predicted = answer.classes == facts.class_names.index(row[4])
    pixels = pixels_of(case)
    drawn = draw_contours(
        pixels, [(truth, TRUE_COLOUR), (predicted, PREDICTED_COLOUR)], side=600
    )
    dice = _("no such area") if np.isnan(row.dice) else f"Dice {row.dice:.3f}"
    st.image(
        png_bytes(drawn),
        caption=plain(f"{Path(row.path).name}: {dice}"),
        alt=_("Image with the contour of its mask and that of the model"),
    )
