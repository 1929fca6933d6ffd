"""What is said of a cluster: its nodes, and why its head cannot be asked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from medmodel.cluster.head import Node
from medmodel.cluster.records import ClusterState, cluster_state, write_cluster_state
from medmodel.core.errors import FileError, RunError
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status

NOTE_SECONDS = 30.0
"""After which the cluster is written down again, although nothing has changed."""
PROBLEM_SECONDS = 5.0
"""After which runs that have come meanwhile are told of a problem, too."""


def note_cluster(
    store: RunStore, nodes: Sequence[Node], problem: str = "", looked: float = 0.0
) -> None:
    """Writes down what the cluster is, for pages and sweeps, where that is news."""
    nodes = sorted(nodes, key=lambda node: node.id)
    known = cluster_state(store)
    fresh = known is not None and abs(looked - known.looked) < NOTE_SECONDS
    if known and fresh and (list(known.nodes), known.problem) == (nodes, problem):
        return
    write_cluster_state(store, ClusterState(nodes, problem, looked))


def note_problem(store: RunStore, problem: str) -> None:
    """Writes down why the cluster cannot be asked, and says so of what waits.

    Args:
        store: The workspace.
        problem: A sentence.
    """
    known = cluster_state(store) or ClusterState()
    if problem == known.problem and time.time() - known.looked < PROBLEM_SECONDS:
        return
    note_cluster(store, known.nodes, problem, time.time())
    for run, _status in list(queue.waiting(store)):
        with contextlib.suppress(RunError, FileError):  # deleted a moment ago
            queue.change_waiting(run, RunStatus.QUEUED, message=problem)


def note_solved(store: RunStore) -> None:
    """Lets no run that waits say any more why the cluster could not be asked."""
    known = cluster_state(store)
    if not known or not known.problem:
        return
    for run, status in list(queue.waiting(store)):
        if status.message == known.problem:
            with contextlib.suppress(RunError, FileError):  # deleted a moment ago
                queue.change_waiting(run, RunStatus.QUEUED, message=Status.message)
