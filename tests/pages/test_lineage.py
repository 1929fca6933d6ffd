"""Lineage: from the data set over the run to its model, on each of the three pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.config import TrainConfig
from medmodel.core.storage import write_json
from medmodel.data.dataset_trash import delete_dataset
from medmodel.quality import indexing
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Refit
from pages._shared.common import widgets
from pages._shared.common.lineage import MOST, Node, dataset_tree, run_tree
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "A *run*")


def drawn(page: AppTest) -> dict[str, Any]:
    """The graph that a page draws."""
    (graph,) = (
        json.loads(part.proto.json)
        for part in page.get("bidi_component")
        if part.proto.component_name.endswith("lineage")
    )
    tree: dict[str, Any] = graph["tree"]
    return tree


def chain(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a graph without branches."""
    nodes = [tree]
    while children := nodes[-1]["children"]:
        (child,) = children
        nodes.append(child)
    return nodes


def entries() -> list[Entry]:
    return run_index.entries(RunStore())


def tree_of(run: Run, page: str = widgets.RUNS) -> Node:
    tree = run_tree(run, entries(), page)
    assert tree is not None
    return tree


def rows(tree: Node | None) -> list[str]:
    assert tree is not None
    return [f"{n.kind}: {n.name}" for n in tree]


def add_test(model: Run, folder: Path, name: str) -> Run:
    test = write_finished_run(folder, name)
    (test.folder / "external.json").write_text(
        json.dumps({"model": model.id, "mapping": {"dark": "dark"}})
    )
    return test


def test_the_same_way_on_three_pages(run: Run, class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    pages = [
        open_page("data/datasets.py", dataset=str(class_folders)),
        open_page("models/runs.py", run=run.id),
        open_page("results/evaluate.py", run=run.id),
    ]
    for position, page in enumerate(pages):
        assert not page.exception
        nodes = chain(drawn(page))
        assert [n["kind"] for n in nodes] == ["Data set", "Run", "Model"]
        assert [n["name"] for n in nodes] == ["easy", "A *run*", "Evaluate"]
        assert [n["current"] for n in nodes] == [at == position for at in range(3)]
        assert nodes[0]["address"].startswith("datasets?dataset=%2F")
        assert nodes[1]["address"] == f"runs?run={run.id}"
        assert nodes[2]["address"] == f"evaluate?run={run.id}"
        assert nodes[2]["detail"].startswith("test accuracy ")


def test_a_run_without_a_model_ends_there(run: Run) -> None:
    run.model_path.unlink()
    assert rows(tree_of(run)) == ["Data set: easy", "Run: A *run*"]


def test_tests_of_the_model_on_other_data_sets(
    run: Run, class_folders: Path, tmp_path: Path
) -> None:
    others = [
        draw_class_folders(tmp_path / "data" / f"clinic {n}") for n in range(MOST + 2)
    ]
    tests = [add_test(run, other, f"Test {n}") for n, other in enumerate(others)]
    tree = tree_of(run)
    assert rows(tree)[:3] == ["Data set: easy", "Run: A *run*", "Model: Evaluate"]
    assert rows(tree)[3:] == [
        *(f"External test: clinic {n}" for n in (6, 5, 4, 3, 2)),
        "2 more: All runs",
    ]
    # On its own page a test stands in the graph of its model.
    tree = tree_of(tests[6], widgets.EVALUATE)
    assert [n.name for n in tree if n.current] == ["clinic 6"]
    assert next(iter(tree)).name == "easy"
    assert rows(dataset_tree(others[0], entries())) == [
        "Data set: clinic 0",
        "External test: Test 0",
    ]


def test_the_folds_of_a_cross_validation(class_folders: Path) -> None:
    runs = [write_finished_run(class_folders, "CV") for _ in range(3)]
    for fold, run in enumerate(runs, 1):
        config = replace(run.config, folds=3, fold=fold, seed=0)
        rewrite(run, config)
    tree = tree_of(runs[1])
    assert rows(tree) == [
        "Data set: easy",
        "Cross-validation: 3 folds",
        "Run: CV, fold 1 of 3",
        "Run: CV, fold 2 of 3",
        "Model: Evaluate",
        "Run: CV, fold 3 of 3",
    ]
    assert [n.name for n in tree if n.current] == ["CV, fold 2 of 3"]
    assert [n.detail for n in tree][1] == "3 of 3 tested"
    whole = dataset_tree(class_folders, entries())
    assert rows(whole) == ["Data set: easy", "Cross-validation: 3 folds"]
    # A fold that was trained once more stands for the earlier one, which stays a run.
    rewrite(runs[0], replace(runs[0].config, fold=2))
    assert rows(dataset_tree(class_folders, entries())) == [
        "Data set: easy",
        "Cross-validation: 3 folds",
        "Run: CV, fold 2 of 3",
        "Model: Evaluate",
    ]


def rewrite(run: Run, config: TrainConfig) -> None:
    from medmodel.core.storage import write_json

    write_json(run.folder / "config.json", config)


def test_the_newest_runs_of_a_data_set(class_folders: Path, tmp_path: Path) -> None:
    other = draw_class_folders(tmp_path / "data" / "easy 2")
    assert dataset_tree(class_folders, entries()) is None
    write_finished_run(other, "Elsewhere")
    for number in range(MOST + 1):
        write_finished_run(class_folders, f"Run {number}").model_path.unlink()
    assert rows(dataset_tree(class_folders, entries())) == [
        "Data set: easy",
        *(f"Run: Run {number}" for number in (5, 4, 3, 2, 1)),
        "1 more: All runs",
    ]


def test_a_data_set_in_the_trash_says_so(workspace: Path) -> None:
    folder = draw_class_folders(workspace / "datasets" / "set")
    run = write_finished_run(folder, "A run")
    assert tree_of(run).detail == ""
    delete_dataset(folder, RunStore())
    assert tree_of(run).detail == "in the trash"


def test_addresses_hold_any_name(workspace: Path) -> None:
    folder = draw_class_folders(workspace / "datasets" / 'a "b" & c#?=é 🩻')
    tree = tree_of(write_finished_run(folder, "A run"))
    assert tree.address.startswith("datasets?dataset=")
    assert not set('"& #é') & set(tree.address.removeprefix("datasets?"))


def test_a_refit_stands_below_the_model_it_came_from(
    run: Run, class_folders: Path
) -> None:
    refit = write_finished_run(class_folders, "B")
    facts = Refit(run.id, reviewed=5, corrected=3)
    write_json(refit.folder / "refit.json", facts)
    tree = tree_of(refit, widgets.EVALUATE)
    (found,) = [node for node in tree if node.kind == "Refit"]
    assert (found.name, found.detail) == (refit.title, "3 labels corrected")
    assert found.current and [n.name for n in tree][1] == run.title
    assert "Refit" in [node.kind for node in tree_of(run)]
    # A damaged file hides one refit, and breaks no other run's graph.
    (refit.folder / "refit.json").write_text("{")
    assert "Refit" not in [node.kind for node in tree_of(run)]
