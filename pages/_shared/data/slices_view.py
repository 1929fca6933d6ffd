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
from medmodel.quality import indexing
from medmodel.quality.checks import DatasetReport
from pages._shared.common.words import plain

_SLICES = {
    "middle": "Middle slice only",
    "every": "Every k-th slice of the central part",
    "all": "All slices that are not empty",
}
_FRAMES = {"one": "One of them", "every": "Every k-th"}


def show_slices(folder: Path, report: DatasetReport) -> None:
    """The choice, for data sets whose files hold several images."""
    if not report.volumes:
        return
    now = curation.slicing(indexing.decisions(folder))
    title = f"Slices and frames ({report.volumes:,} files hold several)"
    with st.expander(title, icon=":material/stacks:"):
        st.markdown(
            f"{plain(now.words())}. All images of one file stay in one split; where "
            "neither header nor name tells the patient, each file counts as one."
        )
        slicing = _ask(folder, now, {mode.split(",")[0] for mode in report.modes})
        running = indexing.indexing_state(folder).running
        if st.button(
            "Use these slices",
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
            "Of a volume (NIfTI)",
            kinds,
            index=kinds.index(now.slices),
            format_func=lambda kind: _SLICES[kind],
            key=f"slices {folder}",
        )
        step = now.step
        if slices == "every":
            step = st.number_input("k for slices", 1, 500, now.step)
    with right:
        axis = st.selectbox(
            "Cut",
            AXES,
            index=AXES.index(now.axis),
            format_func=lambda name: name.capitalize(),
            key=f"axis {folder}",
            help="Axial slices lie across the body, coronal ones show it from the "
            "front, sagittal ones from the side. Diagnose cuts uploaded volumes alike.",
        )
    return {"slices": slices, "axis": axis, "step": step}


def _frames(folder: Path, now: Slicing) -> dict[str, Any]:
    left, right = st.columns(2, gap="medium")
    with left:
        frames = st.selectbox(
            "Of several frames or pages (DICOM, TIFF, GIF …)",
            list(_FRAMES),
            index=list(_FRAMES).index(now.frames),
            format_func=lambda kind: _FRAMES[kind],
            key=f"frames {folder}",
        )
    with right:
        if frames == "one":
            frame = st.number_input("Number", 1, 100_000, now.frame)
            return {"frames": frames, "frame": frame}
        step = st.number_input("k for frames", 1, 100_000, now.frame_step)
        return {"frames": frames, "frame_step": step}
