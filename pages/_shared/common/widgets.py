"""Small pieces that look the same on every page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.environment import REPOSITORY, workspace_root
from medmodel.core.errors import MedModelError
from medmodel.reports import plots
from medmodel.runs import run_index
from medmodel.runs.run import Run, RunStore
from pages._shared.common.words import disambiguate, plain

START = "home/start.py"
DATASETS = "data/datasets.py"
TRAIN = "models/train.py"
RUNS = "models/runs.py"
DIAGNOSE = "results/diagnose.py"
EVALUATE = "results/evaluate.py"
COMPARE = "results/compare.py"
STATUS = "system/status.py"


def store() -> RunStore:
    """The runs of this installation's workspace."""
    return RunStore()


def page_header(title: str, purpose: str) -> None:
    """The page's one title and the one sentence that says what it is for."""
    st.title(plain(title), anchor=False)
    st.markdown(f":gray[{plain(purpose)}]")


def not_for_clinical_use() -> None:
    """The line that is in sight on every page."""
    html, css = (
        (REPOSITORY / "assets" / f"disclaimer.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css")
    )
    st.components.v2.component("disclaimer", html=html, css=css)(height=1)


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Shows a `MedModelError` of the block as one sentence; bugs pass through."""
    try:
        yield
    except MedModelError as error:
        st.error(plain(error), icon=":material/error:")


def empty_state(sentence: str, page: str, label: str, **params: str) -> None:
    """What will be here, and the one button that gets there."""
    with st.container(border=True):
        st.markdown(plain(sentence))
        if st.button(label, type="primary"):
            st.switch_page(page, query_params=params)


def run_label(entry: run_index.Entry) -> str:
    """A run in one line of a list, told from its namesakes by its date."""
    day, clock = entry.run.id[4:8], entry.run.id[9:13]
    when = f"{day[2:]}.{day[:2]}. {clock[:2]}:{clock[2:]}"
    if entry.val_accuracy is None:
        return f"{entry.title} · {when}"
    share = plots.measured_share(entry.val_accuracy)
    return f"{entry.title} · {share} on validation · {when}"


def follow_link(tests: bool = False) -> None:
    """Chooses the run of ?run= for `pick_run`, which may appear later.

    Args:
        tests: Whether external tests can be chosen, too; else such a test stands for
            the model that it tests.
    """
    # Streamlit's own binding would put the label into the address instead of the id.
    run_id = st.query_params.get("run")
    if not run_id or "run" in st.session_state:
        return
    entries = {e.run.id: e for e in run_index.finished(store(), tests=True)}
    if run_id in entries and not tests:
        run_id = entries[run_id].test_of or run_id
    if run_id in entries:
        st.session_state["run"] = run_id


def pick_run(label: str = "Model", tests: bool = False) -> Run | None:
    """Lets the user choose among runs that have a model, best first.

    The choice is kept in the address as ?run=ID. None if no run has a model yet.

    Args:
        label: What stands above the list.
        tests: Whether external tests are listed, too, below the models.
    """
    entries = {e.run.id: e for e in run_index.finished(store(), tests)}
    if not entries:
        return None
    follow_link(tests)
    labels = {run_id: run_label(entry) for run_id, entry in entries.items()}
    titles = disambiguate(labels, lambda run_id: run_id[-6:])
    chosen = st.selectbox(
        label,
        list(entries),
        format_func=titles.__getitem__,
        key="run",
    )
    if chosen in entries and chosen != st.query_params.get("run"):
        st.query_params["run"] = chosen
    return entries[chosen].run if chosen in entries else None


def dataset_name(config: TrainConfig) -> str:
    """The data set's folder as shown in lists: relative to the workspace's own."""
    return folder_name(config.dataset)


def folder_names(paths: Iterable[str]) -> dict[str, str]:
    """Path -> name as shown in lists, no two alike."""
    names = {path: folder_name(path) for path in paths}
    return disambiguate(names, lambda path: str(Path(path).parent))


def folder_name(path: str) -> str:
    """A data set's folder as shown in lists: relative to the workspace's own."""
    if not path:  # of a run that lost its settings
        return "a data set that is not known any more"
    folder = Path(path)
    datasets = workspace_root() / "datasets"
    return (
        str(folder.relative_to(datasets))
        if folder.is_relative_to(datasets)
        else folder.name
    )
