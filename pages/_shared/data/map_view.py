"""The map of a data set: made in the background, a lasso shows its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.data.datasets import load_index
from medmodel.quality import embedding_map, report_store
from medmodel.quality.embedding_map import EmbeddingMap
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.thumbnails import SIDE, small_images_of
from pages._shared.common.words import plain
from pages._shared.data.map_chart import map_chart

SHOWN = 24
"""Images that are shown of a selection."""


def show_map(folder: Path, run: Run | None = None) -> None:
    """Every image as a point, in its four states: none yet, busy, failed, there.

    Args:
        folder: A data set that was checked.
        run: A finished run of it, whose errors can be shown.
    """
    with st.expander("Embedding map", icon=":material/scatter_plot:"):
        state = embedding_map.map_state(folder)
        if state.running:
            _show_progress(folder)
            return
        if state.error:
            st.error(plain(state.error), icon=":material/error:")
        made = embedding_map.load_map(folder)
        if made is None:
            st.markdown(
                "Each image as a point, similar images near each other: duplicates, "
                "wrong labels and groups by scanner become visible. Computed once, in "
                "the background."
            )
            _start_button(folder, "Compute the map")
        else:
            _show_points(folder, made, run)


def _start_button(folder: Path, label: str) -> None:
    if st.button(label, icon=":material/scatter_plot:", key=f"map-{label}"):
        embedding_map.start_map(folder)
        st.rerun()


@st.fragment(run_every=1)
def _show_progress(folder: Path) -> None:
    state = embedding_map.map_state(folder)
    if not state.running:
        st.rerun()
    sentences = {
        "preparing": f"Reading {state.done:,} of {state.total:,} images",
        "features": f"Computing features of {state.done:,} of {state.total:,} images",
        "mapping": f"Arranging {state.total:,} images",
    }
    sentence = sentences.get(state.phase, "Starting")
    share = state.done / state.total if state.total else 0.0
    st.progress(min(share, 1.0), f"{sentence}. You may leave this page; it continues.")


def _show_points(folder: Path, made: EmbeddingMap, run: Run | None) -> None:
    index = load_index(folder)
    if index is None or index.fingerprint != made.fingerprint:
        st.warning(
            "The data set has changed since this map was made.",
            icon=":material/warning:",
        )
        _start_button(folder, "Compute the map again")
    if index is None:
        return
    issues = report_store.load_issues(folder) or []
    groups = embedding_map.colourings(made.paths, index.table, issues)
    if run is not None:
        images = run_cache.images(run)
        groups = embedding_map.prediction_colourings(made.paths, images) | groups
    chosen = st.segmented_control(
        "Colour", list(groups), default=next(iter(groups)), required=True
    )
    rows = map_chart(made.places, groups[chosen], f"map-{folder}")
    st.caption(
        f"n = {len(made.paths):,} of {len(index.readable):,} images. Near points are "
        "similar images for a pretrained network; axes and far distances have no "
        "meaning. Draw around points to see their images."
    )
    _show_selected(folder, made, groups[chosen], rows)


def _show_selected(
    folder: Path, made: EmbeddingMap, groups: list[str], rows: NDArray[np.intp]
) -> None:
    if not len(rows):
        return
    st.markdown(f"**Selected images: {len(rows):,}**")
    paths = [made.paths[row] for row in rows[:SHOWN]]
    thumbnails = small_images_of(str(folder), paths)
    with st.container(horizontal=True, gap="small"):
        for row, path, thumbnail in zip(rows, paths, thumbnails, strict=False):
            with st.container(width=SIDE, gap="xxsmall"):
                if isinstance(thumbnail, str):
                    st.caption(plain(thumbnail))
                else:
                    st.image(thumbnail, width=SIDE, alt=path)
                st.caption(plain(f"{groups[row]}: {path}"))
    if len(rows) > SHOWN:
        st.caption(f"The first {SHOWN} are shown.")
