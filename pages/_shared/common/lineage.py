"""Where a model comes from: data set → run → model → external tests, as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from medmodel.core.environment import asset_text
from medmodel.core.errors import value_or_problem
from medmodel.data.dataset_trash import trashed_dataset
from medmodel.evaluation.cross_validation import CrossValidation, cross_validations
from medmodel.language import _, ngettext
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from pages._shared.common import widgets
from pages._shared.common.words import STATE_TITLES

MOST = 5
"""Runs of a data set, or tests of a model, that are drawn."""


@dataclass(frozen=True)
class Node:
    """Something in the graph.

    Args:
        kind: What it is, as people read it.
        name: What it is called.
        page: Its page's file; "" for none.
        query: Of that page's address.
        detail: A state or a number.
        current: Whether its page is the one that is shown.
        children: What was made of it.
    """

    kind: str
    name: str
    page: str = ""
    query: tuple[tuple[str, str], ...] = ()
    detail: str = ""
    current: bool = False
    children: tuple[Node, ...] = ()

    @property
    def address(self) -> str:
        """Beside the address of any page; "" for none."""
        if not self.page:
            return ""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"{Path(self.page).stem}{query}"

    def __iter__(self) -> Iterator[Node]:
        """Itself and all below it."""
        yield self
        for child in self.children:
            yield from child


def show_lineage(run: Run, page: str) -> None:
    """From the data set of a run to its model and the model's tests.

    Args:
        run: A training, or the test of a model.
        page: The page on which it stands, `widgets.RUNS` or `widgets.EVALUATE`.
    """
    tree = run_tree(run, run_index.entries(widgets.store()), page)
    if tree is not None:
        _show(tree, key=f"lineage-{run.id}")


def show_runs_of(folder: Path) -> None:
    """From a data set to the runs that were trained or tested on it."""
    tree = dataset_tree(folder, run_index.entries(widgets.store()))
    if tree is not None:
        _show(tree, key="lineage-dataset")


def run_tree(run: Run, entries: Sequence[Entry], page: str) -> Node | None:
    """The graph of a run; None where it is not known what it was trained on.

    Args:
        run: A training, or the test of a model.
        entries: All runs, newest first.
        page: The page on which the graph stands.
    """
    refit = run.refit
    wanted = run.tested_model or (refit.run if refit else run.id)
    known = {entry.run.id: entry for entry in entries}
    # A refit whose run was deleted stands for itself.
    source = known.get(wanted) or known.get(run.id)
    if source is None or not source.config.dataset:
        return None
    shown = run.id, page
    experiment = _experiment_of(source, entries)
    if experiment is None:
        children: tuple[Node, ...] = (_run_node(source, entries, shown),)
    else:
        # Of the other folds the runs alone: each leads to its own model.
        folds = tuple(
            _run_node(fold, entries, shown, whole=fold.run.id == source.run.id)
            for fold in experiment.runs
        )
        children = (_experiment_node(experiment, folds),)
    return _dataset_node(source.config.dataset, children)


def dataset_tree(folder: Path, entries: Sequence[Entry]) -> Node | None:
    """The graph of a data set; None where there is no run of it.

    Args:
        folder: The data set.
        entries: All runs, newest first.
    """
    places = {str(folder), str(folder.resolve())}
    runs = [entry for entry in entries if entry.config.dataset in places]
    branches: list[Node] = []
    drawn: set[str] = set()
    for entry in runs:
        if entry.run.id in drawn:
            continue
        experiment = None if entry.test_of else _experiment_of(entry, runs)
        if experiment is not None:
            drawn |= {fold.run.id for fold in experiment.runs}
            branches.append(_experiment_node(experiment))
        elif entry.test_of:
            branches.append(_test_node(entry, named=True))
        else:
            branches.append(_run_node(entry, entries))
    if not branches:
        return None
    more = _more_node(len(branches) - MOST)
    children = (*branches[:MOST], *more)
    return _dataset_node(str(folder), children, current=True)


def _experiment_of(entry: Entry, entries: Sequence[Entry]) -> CrossValidation | None:
    config = entry.config
    if config.folds == 1:
        return None
    return next(
        (
            experiment
            for experiment in cross_validations(entry, entries)
            if (experiment.folds, experiment.seed) == (config.folds, config.seed)
            and any(e.run.id == entry.run.id for e in experiment.runs)
        ),
        None,
    )


def _dataset_node(
    dataset: str, children: tuple[Node, ...], current: bool = False
) -> Node:
    trashed = trashed_dataset(dataset, widgets.store())
    return Node(
        kind=_("Data set"),
        name=widgets.folder_name(dataset),
        page=widgets.DATASETS,
        query=(("dataset", dataset),),
        detail=_("in the trash") if trashed else "",
        current=current,
        children=children,
    )


def _experiment_node(
    experiment: CrossValidation, children: tuple[Node, ...] = ()
) -> Node:
    newest = max(experiment.runs, key=lambda e: e.run.id)
    return Node(
        kind=_("Cross-validation"),
        name=_("{folds} folds", folds=experiment.folds),
        page=widgets.RUNS,
        query=(("run", newest.run.id),),
        detail=_(
            "{tested} of {folds} tested",
            tested=len(experiment.tested),
            folds=experiment.folds,
        ),
        children=children,
    )


def _run_node(
    source: Entry,
    entries: Sequence[Entry],
    shown: tuple[str, str] = ("", ""),
    whole: bool = True,
) -> Node:
    run_id = source.run.id
    return Node(
        kind=_("Run"),
        name=source.title,
        page=widgets.RUNS,
        query=(("run", run_id),),
        detail=_(STATE_TITLES[source.status.state]),
        current=shown == (run_id, widgets.RUNS),
        children=(_model_node(source, entries, shown),)
        if whole and source.has_model
        else (),
    )


def _model_node(
    source: Entry, entries: Sequence[Entry], shown: tuple[str, str]
) -> Node:
    tests = [e for e in entries if e.test_of == source.run.id]
    refits = _refits(source, entries)
    return Node(
        kind=_("Model"),
        name=_("Evaluate"),
        page=widgets.EVALUATE,
        query=(("run", source.run.id),),
        detail=_accuracy(source),
        current=shown == (source.run.id, widgets.EVALUATE),
        children=(
            *(_test_node(test, shown) for test in tests[:MOST]),
            *_more_node(len(tests) - MOST),
            *(_refit_node(entry, corrected, shown) for entry, corrected in refits),
        ),
    )


def _refit_node(entry: Entry, corrected: int, shown: tuple[str, str]) -> Node:
    """A refit with corrected labels."""
    return Node(
        kind=_("Refit"),
        name=entry.title,
        page=widgets.EVALUATE if entry.has_model else widgets.RUNS,
        query=(("run", entry.run.id),),
        detail=ngettext(
            "{count:,} label corrected", "{count:,} labels corrected", corrected
        ),
        current=shown[0] == entry.run.id,
    )


def _refits(source: Entry, entries: Sequence[Entry]) -> list[tuple[Entry, int]]:
    """The newest refits of a run, each with the number of corrected labels."""
    refits = []
    for entry in entries:
        # Of a damaged file the page of that run says so.
        refit, _problem = value_or_problem(lambda run: run.refit, entry.run)
        if refit is not None and refit.run == source.run.id:
            refits.append((entry, refit.corrected))
    return refits[:MOST]


def _test_node(
    test: Entry, shown: tuple[str, str] = ("", ""), named: bool = False
) -> Node:
    """A model tested on another data set, which gives its name unless `named`."""
    page = widgets.EVALUATE if test.has_model else widgets.RUNS
    return Node(
        kind=_("External test"),
        name=test.title if named else widgets.folder_name(test.config.dataset),
        page=page,
        query=(("run", test.run.id),),
        detail=_accuracy(test) or _(STATE_TITLES[test.status.state]),
        current=shown[0] == test.run.id,
    )


def _more_node(count: int) -> tuple[Node, ...]:
    if count <= 0:
        return ()
    return (Node(_("{count:,} more", count=count), _("All runs"), widgets.RUNS),)


def _accuracy(entry: Entry) -> str:
    if entry.test_accuracy is None:
        return ""
    return _("test accuracy {accuracy:.3f}", accuracy=entry.test_accuracy)


def _show(tree: Node, key: str) -> None:
    st.subheader(_("Lineage"), anchor=False)
    component = st.components.v2.component(
        "lineage",
        html=asset_text("lineage.html"),
        css=asset_text("lineage.css"),
        js=asset_text("lineage.js"),
    )
    answer = component(
        data={"label": _("Lineage"), "tree": _data(tree)},
        key=key,
        on_opened_change=lambda: None,
    )
    for node in tree:
        if answer.opened and answer.opened == node.address:
            st.switch_page(node.page, query_params=dict(node.query))


def _data(node: Node) -> dict[str, Any]:
    """What the script draws."""
    return {
        "kind": node.kind,
        "name": node.name,
        "detail": node.detail,
        "address": node.address,
        "current": node.current,
        "children": [_data(child) for child in node.children],
    }
