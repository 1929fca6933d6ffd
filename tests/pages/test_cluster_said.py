"""What pages say where runs are trained on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.cluster.head import Node
from medmodel.cluster.records import (
    ClusterState,
    SentRun,
    write_cluster_state,
    write_sent_run,
)
from medmodel.core.config import config_for
from medmodel.runs import claims, queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests.pages.page import field, open_page

NODES = [Node("1a", "gpu-01", 16, 2), Node("2b", "gpu_02", 16, 1)]


@pytest.fixture(autouse=True)
def cluster(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    monkeypatch.setenv("MEDMODEL_RAY", "http://head:8265")


def waiting(dataset: Path, message: str) -> Run:
    run = queue.submit(config_for("instant", str(dataset)), RunStore())
    queue.change_waiting(run, RunStatus.QUEUED, message=message)
    return run


def texts(page: str, **address: str) -> str:
    """What it says, without the signs that keep Markdown from reading names."""
    app = open_page(page, **address)
    elements = [*app.markdown, *app.caption]
    return " ".join(element.value for element in elements).replace("\\", "")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ClusterState(), "not asked yet"),
        (ClusterState([Node("1", "head", 0, 0)], "", 1.0), "no node that could train"),
        (ClusterState(NODES, "", 1.0), "2 nodes, 3 at once: gpu-01, gpu_02"),
        (ClusterState(NODES, "The head is away.", 1.0), "The head is away"),
    ],
)
def test_status_names_nodes_or_why_not(state: ClusterState, said: str) -> None:
    if state.looked:
        write_cluster_state(RunStore(), state)
    assert said in texts("system/status.py")


def test_before_training_it_is_said_that_the_head_is_away(class_folders: Path) -> None:
    write_cluster_state(RunStore(), ClusterState([], "The head is away.", 1.0))
    app = open_page("models/train.py", dataset=str(class_folders))
    assert any("The head is away" in warning.value for warning in app.warning)


def test_a_run_names_node_and_job_and_the_queue_says_why_it_waits(
    class_folders: Path,
) -> None:
    run = waiting(class_folders, "Sent to the cluster: waits for a free node.")
    write_sent_run(run, SentRun("medmodel-x-1", 1, over=False))
    assert "waits for a free node" in texts("models/runs.py")
    assert "Job on the cluster: medmodel-x-1" in texts("models/runs.py", run=run.id)
    claim = claims.claim_reserved(run, "gpu-01 (1a)")
    assert claim is not None
    said = texts("models/runs.py", run=run.id)
    assert "Node: gpu-01 (1a). Job: medmodel-x-1" in said
    claim.lock.release()


def test_what_was_handed_in_is_cancelled_and_not_moved(class_folders: Path) -> None:
    first, second = waiting(class_folders, ""), waiting(class_folders, "")
    write_sent_run(first, SentRun("medmodel-x-1", 1, over=False))
    keys = {button.key for button in open_page("models/runs.py").button}
    assert {f"Up-{second.id}", f"cancel-{first.id}"} <= keys
    assert not {f"{move}-{first.id}" for move in ("To the front", "Up", "Down")} & keys


def test_the_form_offers_what_a_cluster_may_have(class_folders: Path) -> None:
    app = open_page("models/train.py")
    app.radio[0].set_value("custom").run()
    device = field(app, "Device")
    assert device.options == [
        "Automatic: a device that the cluster chooses",
        "Processor",
        "A GPU",
        "All GPUs together",
    ]
