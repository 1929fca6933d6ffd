"""Segmentations side by side: paired test of Dice, numbers, where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.evaluation import cross_validation
from medmodel.evaluation.comparison.paired_tests import correction
from medmodel.evaluation.segmentation import comparison, summary
from medmodel.evaluation.segmentation.comparison import CommonOutlines, DiceDifference
from medmodel.language import _
from medmodel.reports.segmentation.metric_rows import estimate_text, title
from medmodel.runs.run import Run
from pages._shared.common.answer import show_answer
from pages._shared.common.downloads import csv_button
from pages._shared.common.tables import show_table
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison.comparison_view import show_copies, signed
from pages._shared.evaluation import segmentation_cache
from pages._shared.evaluation.segmentation_view import drawn_contours, pick_class

_AT_ONCE = 4


def show_compared_segmentations(models: cross_validation.Models) -> None:
    """How two segmentations or more outline the same test images."""
    runs = {name: of_model[0] for name, of_model in models.items()}
    with errors_shown():
        common = _common(runs)
        name = pick_class(common.classes)
        rows = common.of_class(name)
        _show_differences(comparison.compare_dice(common, name), runs)
        st.markdown(_counted(common, rows))
        show_copies(models)
        _show_numbers(rows)
        _show_disagreements(runs, rows, name)


def _common(runs: Mapping[str, Run]) -> CommonOutlines:
    tables = {name: segmentation_cache.table(run) for name, run in runs.items()}
    digests = cross_validation.digests_of_models({n: [r] for n, r in runs.items()})
    return comparison.common_outlines(tables, digests)


def _counted(common: CommonOutlines, rows: Mapping[str, pd.DataFrame]) -> str:
    """How many images are compared, and what is left out, in sentences."""
    first = next(iter(rows.values()))
    most = max(common.left_out.values())
    sentence = _(
        "**{images:,} test images are common to all, {present:,} of them hold the "
        "class.** Dice is compared on these, image by image.",
        images=len(first),
        present=int((first["area"] > 0).sum()),
    )
    if not most:
        return sentence
    left_out = _("Up to {most:,} test images of a model are left out.", most=most)
    return f"{sentence} {left_out}"


def _show_differences(pairs: Sequence[DiceDifference], runs: Mapping[str, Run]) -> None:
    if len(pairs) == 1:
        show_answer(str(pairs[0]))
    else:
        st.markdown("\n".join(f"* {plain(str(pair))}" for pair in pairs))
    table = pd.DataFrame(
        {
            _("Model A"): [pair.first for pair in pairs],
            _("Model B"): [pair.second for pair in pairs],
            _("Difference in Dice (95 % interval)"): [
                signed(pair.estimate) for pair in pairs
            ],
            "p": [_p_of(pair) for pair in pairs],
            _("Statistical test"): [_(pair.test) for pair in pairs],
            _("Images"): [pair.estimate.n for pair in pairs],
        }
    )
    show_table(table, hide_index=True, height="content", alt=_("Every pair's test"))
    if said := correction(pairs):
        st.caption(said)
    csv_button(table, "differences-dice", next(iter(runs.values())))


def _p_of(pair: DiceDifference) -> str:
    """Nothing where the images are too few to tell the models apart."""
    if not pair.estimate.has_interval:
        return "–"
    return pair.p_text.removeprefix("p ").removeprefix("= ")


def _show_numbers(rows: Mapping[str, pd.DataFrame]) -> None:
    """Every metric of every model on the common images."""
    metrics = {name: summary.metrics(of_model) for name, of_model in rows.items()}
    everything = pd.concat(rows.values())
    keys = list(next(iter(metrics.values())))
    table = pd.DataFrame({_("Metric"): [title(key, everything) for key in keys]})
    for name, of_model in metrics.items():
        table[f"{name} "] = [estimate_text(key, of_model[key]) for key in keys]
    show_table(
        table,
        hide_index=True,
        height="content",
        alt=_("Metrics of every segmentation with intervals"),
    )


def _show_disagreements(
    runs: Mapping[str, Run], rows: Mapping[str, pd.DataFrame], name: str
) -> None:
    """The images with the largest difference, every model's contour beside the mask."""
    st.markdown(_("**Where they disagree most**"))
    first = next(iter(runs.values()))
    if show_missing_dataset(first.config.dataset):
        return
    cases = comparison.disagreements(rows, _AT_ONCE)
    if cases.empty:
        st.caption(_("All outlines agree equally well with the masks."))
        return
    st.markdown(
        _(
            ":green[**Green**: the mask of the data set.] :orange[**Orange**: what the "
            "model outlines.]"
        )
    )
    for path in cases["path"]:
        with errors_shown():
            _show_case(runs, rows, str(path), name)


def _show_case(
    runs: Mapping[str, Run], rows: Mapping[str, pd.DataFrame], path: str, name: str
) -> None:
    st.text(Path(path).name)
    with st.container(horizontal=True, gap="small"):
        for model, run in runs.items():
            of_image = rows[model][rows[model]["path"] == path].iloc[0]
            dice = _dice_text(float(of_image["dice"]))
            with st.container(width=300, gap="xxsmall"):
                st.image(
                    drawn_contours(run, path, name),
                    caption=plain(f"{model}: {dice}"),
                    alt=_("Image with the contour of its mask and that of the model"),
                )


def _dice_text(dice: float) -> str:
    return _("no such area") if np.isnan(dice) else f"Dice {dice:.3f}"
