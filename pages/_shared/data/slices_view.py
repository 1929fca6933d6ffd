"""Which slices of volumes, and which frames or pages, a data set consists of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from medmodel.core import audit
from medmodel.core.samples import AXES, Slicing
from medmodel.data import curation
from medmodel.data.curation import Action
from medmodel.language import N_, _, ngettext, translate
from medmodel.quality import indexing
from medmodel.quality.checks import DatasetReport
from pages._shared.common.words import plain

_SLICES = {
    "middle": N_("Middle slice only"),
    "every": N_("Every k-th slice of the central part"),
    "all": N_("All slices that are not empty"),
}
_AXES = {"axial": N_("Axial"), "coronal": N_("Coronal"), "sagittal": N_("Sagittal")}
_FRAMES = {"one": N_("One of them"), "every": N_("Every k-th")}


def show_slices(folder: Path, report: DatasetReport) -> None:
    """The choice, for data sets whose files hold several images."""
    if not report.volumes:
        return
    now = curation.slicing(indexing.decisions(folder))
    title = ngettext(
        "Slices and frames ({count:,} file holds several)",
        "Slices and frames ({count:,} files hold several)",
        report.volumes,
    )
    with st.expander(title, icon=":material/stacks:"):
        st.markdown(
            _(
                "{choice}. All images of one file stay in one split; where neither "
                "header nor name tells the patient, each file counts as one.",
                choice=plain(translate(now.words())),
            )
        )
        slicing = _ask(folder, now, {mode.split(",")[0] for mode in report.modes})
        running = indexing.indexing_state(folder).running
        if st.button(
            _("Use these slices"),
            disabled=slicing == now or running,
            icon=":material/check:",
        ):
            reason = "slices and frames chosen"
            audit.record("curate", kind="slices", files=report.volumes)
            indexing.decide(folder, Action("slices", reason, slicing=slicing.to_json()))
            st.rerun()


def _ask(folder: Path, now: Slicing, formats: set[str]) -> Slicing:
    """What is wanted now; nothing is asked about files that are not there."""
    volumes = _volumes(folder, now) if "NIfTI" in formats else {}
    frames = _frames(folder, now) if formats - {"NIfTI"} else {}
    return replace(now, **volumes, **frames)


def _volumes(folder: Path, now: Slicing) -> dict[str, Any]:
    kinds = list(_SLICES)
    left, right = st.columns(2, gap="medium")
    with left:
        slices = st.selectbox(
            _("Of a volume (NIfTI)"),
            kinds,
            index=kinds.index(now.slices),
            format_func=lambda kind: _(_SLICES[kind]),
            key=f"slices {folder}",
        )
        step = now.step
        if slices == "every":
            step = st.number_input(_("k for slices"), 1, 500, now.step)
    with right:
        axis = st.selectbox(
            _("Cut"),
            AXES,
            index=AXES.index(now.axis),
            format_func=lambda name: _(_AXES[name]),
            key=f"axis {folder}",
            help=_(
                "Axial slices lie across the body, coronal ones show it from the "
                "front, sagittal ones from the side. Diagnose cuts uploaded "
                "volumes alike."
            ),
        )
    return {"slices": slices, "axis": axis, "step": step}


def _frames(folder: Path, now: Slicing) -> dict[str, Any]:
    left, right = st.columns(2, gap="medium")
    with left:
        frames = st.selectbox(
            _("Of several frames or pages (DICOM, TIFF, GIF …)"),
            list(_FRAMES),
            index=list(_FRAMES).index(now.frames),
            format_func=lambda kind: _(_FRAMES[kind]),
            key=f"frames {folder}",
        )
    with right:
        if frames == "one":
            frame = st.number_input(_("Number"), 1, 100_000, now.frame)
            return {"frames": frames, "frame": frame}
        step = st.number_input(_("k for frames"), 1, 100_000, now.frame_step)
        return {"frames": frames, "frame_step": step}
