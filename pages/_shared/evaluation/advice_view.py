"""Advice after a run: sentences, each with the images that it counts."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.core.errors import value_or_problem
from medmodel.data.sample_size import class_counts
from medmodel.language import _, ngettext, translate
from medmodel.reports.advice import Advice, advice
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split
from pages._shared.common import run_cache
from pages._shared.common.words import plain
from pages._shared.evaluation.gallery_view import ask_for
from pages._shared.evaluation.subgroup_view import forget_subgroup

VIEW = "view"
"""Query parameter of the Evaluate page: which of its parts is shown."""


def show_advice(run: Run) -> None:
    """At most three sentences on the run's errors, each with a way to its images."""
    copies = run_cache.copies(run)
    folder, version = str(run.folder), run_cache.version(run)
    training, _problem = value_or_problem(_training_images, folder, version)
    sentences = advice(
        run_cache.split(run),
        None if run.tested_model else training,
        copies=len(copies.paths),
        all_are_copies=copies.all_are_copies,
        external=bool(run.tested_model),
    )
    if not sentences:
        return
    with st.container(border=True, gap="small"):
        st.markdown(_("**What to look at next**"))
        for number, each in enumerate(sentences):
            row = st.container(
                horizontal=True, vertical_alignment="center", gap="xsmall"
            )
            with row:
                st.markdown(plain(translate(each.sentence)), width="stretch")
                st.button(
                    ngettext("Show the image", "Show {count:,} images", each.count),
                    key=f"advice-{number}",
                    icon=":material/photo_library:",
                    on_click=_show_images,
                    args=(each,),
                )


@st.cache_data(max_entries=64, show_spinner=False)
def _training_images(folder: str, version: int) -> dict[str, int]:
    counts = class_counts(read_split(Run(Path(folder))))
    return {name: splits.get("train", 0) for name, splits in counts.items()}


def _show_images(each: Advice) -> None:
    forget_subgroup()
    wanted = each.images
    scores = (100 * wanted.low, 100 * wanted.high)
    ask_for(wanted.label, wanted.choice, scores, wrong=wanted.wrong)
    st.query_params[VIEW] = "Images"
