"""Small pieces that look the same on every page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from string import Template

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmodel.core.config import TrainConfig
from medmodel.core.environment import asset_text, workspace_root
from medmodel.core.errors import MedModelError
from medmodel.core.settings.recipes import IMPORTED
from medmodel.language import _, present_language, translate
from medmodel.runs.run_store import RunStore
from pages._shared.common.words import disambiguate, plain

TILE = 109
"""Pixels of `st.metric` with a border."""
_LETTER, _LEAST_HEADING = 0.023, 0.28
"""Shares of a projector's page: of a letter of its title, of the title at least."""
START = "home/start.py"
DATASETS = "data/datasets.py"
TRAIN = "models/train.py"
RUNS = "models/runs.py"
SWEEP = "models/sweep.py"
IMPORT = "models/import_model.py"
DIAGNOSE = "results/diagnose.py"
EVALUATE = "results/evaluate.py"
COMPARE = "results/compare.py"
BATCH = "results/batch.py"
READ = "results/read.py"
REVIEW = "results/review.py"
PRESENTER = "presenter/present.py"


def store() -> RunStore:
    """The runs of this installation's workspace."""
    return RunStore()


def page_header(title: str, purpose: str) -> None:
    """The page's one title and the one sentence that says what it is for."""
    st.title(plain(title), anchor=False)
    st.markdown(f":gray[{plain(purpose)}]")


def page_header_beside(title: str, purpose: str) -> DeltaGenerator:
    """The same, with room for a long choice beside the title.

    Returns:
        Where the choice is to be shown.
    """
    with st.container(gap="xsmall"):
        share = max(_LETTER * len(title), _LEAST_HEADING)
        heading, choice = st.columns([share, 1 - share])
        heading.title(plain(title), anchor=False)
        st.markdown(f":gray[{plain(purpose)}]")
    return choice


def not_for_clinical_use() -> None:
    """The line that is in sight on every page."""
    html, css = (asset_text(f"disclaimer.{kind}") for kind in ("html", "css"))
    text = Template(html).substitute(
        warning=escape(_("Not for clinical use.")),
        purpose=escape(_("Research and teaching only.")),
    )
    # A component has one text for all sessions: one for each language. The line is
    # fixed to the window: as wide as the page, its place would pass a phone's edge.
    name = f"disclaimer-{present_language()}"
    st.components.v2.component(name, html=text, css=css)(
        width="content", height=1, key="disclaimer"
    )


def at_least_high(height: int) -> DeltaGenerator:
    """A container of at least so many pixels, which does not scroll where it is higher.

    What a component draws takes its place only when its script has come: until then
    the container keeps it, so that nothing below jumps.
    """
    row = st.container(horizontal=True, gap=None)
    inside = row.container(width="stretch")
    row.container(height=height, width=1, border=False)
    return inside


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Shows a `MedModelError` of the block as one sentence; bugs pass through."""
    try:
        yield
    except MedModelError as error:
        st.error(plain(translate(str(error))), icon=":material/error:")


def empty_state(sentence: str, page: str, label: str, **params: str) -> None:
    """What will be here, and the one button that gets there."""
    with st.container(border=True):
        st.markdown(plain(sentence))
        if st.button(label, type="primary"):
            st.switch_page(page, query_params=params)


def dataset_name(config: TrainConfig) -> str:
    """The data set's folder as shown in lists: relative to the workspace's own."""
    if config.recipe == IMPORTED and not config.dataset:
        return _("Imported")
    return folder_name(config.dataset)


def folder_names(paths: Iterable[str]) -> dict[str, str]:
    """Path -> name as shown in lists, no two alike."""
    names = {path: folder_name(path) for path in paths}
    return disambiguate(names, lambda path: str(Path(path).parent))


def folder_name(path: str) -> str:
    """A data set's folder as shown in lists: relative to the workspace's own."""
    if not path:  # of a run that lost its settings
        return _("a data set that is not known any more")
    folder = Path(path)
    datasets = workspace_root() / "datasets"
    return (
        str(folder.relative_to(datasets))
        if folder.is_relative_to(datasets)
        else folder.name
    )
