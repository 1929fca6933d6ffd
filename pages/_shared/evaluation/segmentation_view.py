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
from medmodel.evaluation.segmentation import summary
from medmodel.evaluation.segmentation.evaluation import SegmentationEvaluation
from medmodel.imaging.images import png_bytes
from medmodel.language import N_, _
from medmodel.reports.contours import draw_contours
from medmodel.reports.glossary import SEGMENTATION_TERMS
from medmodel.reports.segmentation.facts import (
    dice_with_copies,
    few_units,
    what_metrics_are,
)
from medmodel.reports.segmentation.metric_rows import (
    interval_text,
    metric_table,
    title,
    value_text,
)
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation import segmentation_cache
from pages._shared.evaluation.evaluation_view import (
    leakage_reservations,
    patient_overlap,
    pick_part,
    show_tested_images,
)
from pages._shared.evaluation.export_view import show_documents
from pages._shared.evaluation.external_validation_view import show_external_test
from pages._shared.evaluation.model_export_view import show_model_formats
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of
from pages._shared.prediction.segmentation_answer import outlined

AT_ONCE = 6
_VIEWS = [N_("Metrics"), N_("External test"), N_("Export")]
TRUE_COLOUR, PREDICTED_COLOUR = (0, 158, 115), (230, 159, 0)
"""Okabe and Ito's green and orange."""


def show_segmentation(run: Run) -> None:
    """All of the page for a run that outlines instead of classifying."""
    evaluation = segmentation_cache.evaluation(run)
    _show_frame(run, evaluation)
    missing = show_missing_dataset(run.config.dataset)
    view = pick_part(_VIEWS)
    with errors_shown():
        if view == "Export":
            _show_take_away(run)
            return
        if view == "External test":
            show_external_test(run)
            return
        name = pick_class(evaluation.classes)
        _show_numbers(evaluation, name)
        _show_copies(run)
        if not missing:
            _show_worst(run, evaluation.rows[name])


def _show_take_away(run: Run) -> None:
    """The documents, the model in other formats, and the tables."""
    show_documents(run)
    show_model_formats(run)
    st.markdown(_("**Tables**"))
    with st.container(horizontal=True):
        csv_button(lambda: all_metrics(run), "all-metrics", run, _("All metrics"))
        table = segmentation_cache.table(run)
        csv_button(table, "segmentation", run, _("Every image's numbers"))


def all_metrics(run: Run) -> pd.DataFrame:
    """Every class's metrics as a table to take away, see `metric_table`."""
    return metric_table(
        segmentation_cache.evaluation(run),
        str(run_cache.copies(run)),
        segmentation_cache.evaluation_with_copies(run),
    )


def _show_frame(run: Run, evaluation: SegmentationEvaluation) -> None:
    """What was tested and how far that can be trusted."""
    reservations = leakage_reservations(run, *patient_overlap(run))
    reservations += few_units(evaluation)
    show_tested_images(run, (evaluation.images, evaluation.patients), reservations)


def _show_copies(run: Run) -> None:
    """The numbers with the copies; else what is known of copies."""
    everything = segmentation_cache.evaluation_with_copies(run)
    if everything is not None:
        st.caption(plain(dice_with_copies(everything)))
    elif not run_cache.copies(run).paths:
        st.caption(plain(run_cache.copies(run)))


def pick_class(classes: list[str]) -> str:
    """The class that is looked at."""
    if len(classes) == 1:
        return classes[0]
    return one_of(
        _("Class"),
        classes,
        format_func=legible(str),
        default=classes[0],
        required=True,
        key="segmented-class",
    )


def _show_numbers(evaluation: SegmentationEvaluation, name: str) -> None:
    rows, estimates = evaluation.rows[name], evaluation.metrics[name]
    present = int((rows["area"] > 0).sum())
    st.markdown(
        _(
            "{images:,} test images; {present:,} of them hold the class {name}.",
            images=len(rows),
            present=present,
            name=plain(name),
        )
    )
    show_table(
        pd.DataFrame(
            {
                _("Metric"): [title(key, rows) for key in estimates],
                _("Value"): [value_text(key, e) for key, e in estimates.items()],
                _("95 % interval"): [
                    interval_text(key, e) for key, e in estimates.items()
                ],
                _("Images"): [each.n for each in estimates.values()],
            }
        ),
        hide_index=True,
        alt=_("Metrics of the segmentation with intervals"),
    )
    st.caption(what_metrics_are(evaluation), help=meaning(*SEGMENTATION_TERMS))


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
    dice = _("no such area") if np.isnan(row.dice) else f"Dice {row.dice:.3f}"
    st.image(
        drawn_contours(run, row.path, row[4]),
        caption=plain(f"{Path(row.path).name}: {dice}"),
        alt=_("Image with the contour of its mask and that of the model"),
    )


def drawn_contours(run: Run, path: str, name: str) -> bytes:
    """A test image with the contours of its mask and of the model, as PNG.

    Args:
        run: Of the model.
        path: The image in the data set.
        name: The class.

    Raises:
        MedModelError: The image or its mask cannot be read, or the model not be asked.
    """
    folder, facts = data_folder(run), run.model_facts
    case = dataset_case(folder, path, "", facts.preprocessing)
    classes, number = outlined(run, case).classes, facts.class_names.index(name)
    masks = image_masks(folder)[samples.file_of(path)]
    shape = (classes.shape[0], classes.shape[1])
    truth = read_mask(folder, path, masks, shape) == facts.mask_values[number]
    areas = [(truth, TRUE_COLOUR), (classes == number, PREDICTED_COLOUR)]
    return png_bytes(draw_contours(pixels_of(case), areas, side=600))
