"""What a run reserves, and how many runs the nodes take."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.cluster.head import Node
from medmodel.cluster.records import (
    ClusterState,
    SentRun,
    Share,
    cluster_state,
    places,
    places_of_cluster,
    sent_run,
    share_of,
    write_cluster_state,
    write_sent_run,
)
from medmodel.core.config import TrainConfig
from medmodel.runs.run_store import RunStore


def nodes(*sizes: tuple[int, int]) -> list[Node]:
    return [Node(str(n), f"node{n}", *size) for n, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "device", "share", "at_once"),
    [
        ([(4, 0), (8, 0)], "auto", Share(4, 0), 3),
        ([(0, 0), (8, 0)], "auto", Share(8, 0), 1),  # a head that trains nothing
        ([(8, 2), (8, 1), (8, 0)], "auto", Share(1, 1), 3),
        ([(8, 2), (6, 1)], "cpu", Share(6, 0), 3),
        ([(8, 2), (8, 1)], "gpu:5", Share(1, 1), 3),
        ([(1, 4), (0, 2)], "auto", Share(1, 1), 1),  # each takes a processor, too
        ([(8, 2), (8, 4)], "all_gpus", Share(1, 4), 6),
        ([(8, 0)], "all_gpus", Share(1, 1), 1),
        ([], "auto", Share(1, 0), 1),
    ],
)
def test_shares(
    sizes: list[tuple[int, int]], device: str, share: Share, at_once: int
) -> None:
    assert share_of(device, nodes(*sizes)) == share
    assert places(nodes(*sizes)) == at_once


def test_records(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore()
    run = store.create(TrainConfig(dataset="/data"))
    assert sent_run(run) == SentRun()
    write_sent_run(run, SentRun("job", 1, 0, 0, over=False))
    assert sent_run(run).job == "job"
    assert (cluster_state(store), places_of_cluster(store)) == (None, 0)
    monkeypatch.setenv("MEDMODEL_RAY", "http://head:8265")
    assert (cluster_state(store), places_of_cluster(store)) == (ClusterState(), 1)
    write_cluster_state(store, ClusterState(nodes((2, 0), (2, 0)), "", 1.0))
    assert places_of_cluster(store) == 2
    (store.root / "cluster.json").write_text("{")
    assert places_of_cluster(store) == 1
