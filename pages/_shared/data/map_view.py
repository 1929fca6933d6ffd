"""The map of a data set: made in the background, a lasso shows its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.data.datasets import load_index
from medmodel.language import _, translate
from medmodel.quality import embedding_map, report_store
from medmodel.quality.embedding_map import EmbeddingMap
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
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
    with st.expander(_("Embedding map"), icon=":material/scatter_plot:"):
        state = embedding_map.map_state(folder)
        if state.running:
            _show_progress(folder)
            return
        if state.error:
            st.error(plain(translate(state.error)), icon=":material/error:")
        made = embedding_map.load_map(folder)
        if made is None:
            st.markdown(
                _(
                    "Each image as a point, similar images near each other: "
                    "duplicates, wrong labels and groups by scanner become visible. "
                    "Computed once, in the background."
                )
            )
            _start_button(folder, _("Compute the map"))
        else:
            _show_points(folder, made, run)


def _start_button(folder: Path, label: str) -> None:
    if st.button(label, icon=":material/scatter_plot:", key="compute-map"):
        embedding_map.start_map(folder)
        st.rerun()


@st.fragment(run_every=1)
def _show_progress(folder: Path) -> None:
    state = embedding_map.map_state(folder)
    if not state.running:
        st.rerun()
    values = {"done": state.done, "total": state.total}
    sentences = {
        "preparing": _("Reading {done:,} of {total:,} images.", **values),
        "features": _("Computing features of {done:,} of {total:,} images.", **values),
        "mapping": _("Arranging {total:,} images.", total=state.total),
    }
    sentence = sentences.get(state.phase, _("Starting."))
    share = state.done / state.total if state.total else 0.0
    rest = _("You may leave this page; it continues.")
    st.progress(min(share, 1.0), f"{sentence} {rest}")


def _show_points(folder: Path, made: EmbeddingMap, run: Run | None) -> None:
    index = load_index(folder)
    if index is None or index.fingerprint != made.fingerprint:
        st.warning(
            _("The data set has changed since this map was made."),
            icon=":material/warning:",
        )
        _start_button(folder, _("Compute the map again"))
    if index is None:
        return
    issues = report_store.load_issues(folder) or []
    groups = embedding_map.colourings(made.paths, index.table, issues)
    if run is not None:
        images = run_cache.images(run)
        groups = embedding_map.prediction_colourings(made.paths, images) | groups
    chosen = one_of(
        _("Colour"),
        list(groups),
        default=next(iter(groups)),
        format_func=legible(_),
        required=True,
        help=meaning("embedding map"),
    )
    names = groups[chosen]
    rows = map_chart(made.places, names, f"map-{folder}")
    st.caption(
        _(
            "n = {shown:,} of {images:,} images. Near points are similar "
            "images for a pretrained network; axes and far distances have no "
            "meaning. Draw around points to see their images.",
            shown=len(made.paths),
            images=len(index.readable),
        )
    )
    _show_selected(folder, made, names, rows)


def _show_selected(
    folder: Path, made: EmbeddingMap, groups: list[str], rows: NDArray[np.intp]
) -> None:
    if not len(rows):
        return
    st.markdown(_("**Selected images: {images:,}**", images=len(rows)))
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
        st.caption(_("The first {shown} are shown.", shown=SHOWN))
