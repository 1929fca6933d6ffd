"""A real cluster: a head and two nodes of Ray on this machine, with a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.benchmark.cluster import rows
from medmodel.benchmark.cluster.nodes import has_ray, local_cluster
from medmodel.benchmark.cluster.rows import (
    epochs_of,
    sending,
    wait_for,
    waiting_config,
)
from medmodel.cluster.head import Head
from medmodel.cluster.records import places_of_cluster, sent_run
from medmodel.core.errors import ClusterError
from medmodel.runs import queue
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.curves import read_history


def test_a_run_goes_on_where_its_node_was_lost_and_stops_when_asked(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_ray():
        pytest.skip(
            "needs Ray: pip install -r medmodel/cluster/requirements.txt, or a Python "
            "that has it in MEDMODEL_RAY_PYTHON"
        )
    workspace.mkdir()
    monkeypatch.setattr(rows, "LONGEST_SECONDS", 300.0)  # of each wait
    with local_cluster() as ray, sending() as dispatcher:
        with pytest.raises(ClusterError, match="another token"):
            Head(ray.head.address, "wrong").nodes()
        node = ray.add_node()
        run = queue.submit(waiting_config(epochs=600), dispatcher.store)
        wait_for(lambda: epochs_of(run, 1) > 1, dispatcher)
        assert places_of_cluster(dispatcher.store) == 1
        first = queue.node_of(run)
        ray.kill_node(node)
        wait_for(lambda: not run.alive, dispatcher)  # its trainer went with it
        ray.add_node()
        wait_for(lambda: epochs_of(run, 2) > 1, dispatcher)
        assert first and queue.node_of(run) not in ("", first)
        queue.stop(run)
        wait_for(lambda: not run.status.state.active, dispatcher)
        wait_for(lambda: sent_run(run).over, dispatcher)
    assert run.status.state is RunStatus.STOPPED and run.status.attempt == 2
    epochs = list(read_history(run)["epoch"])
    assert epochs == list(range(1, len(epochs) + 1))  # each once, none left out
    assert sent_run(run).number == 1  # Ray tried again: it was handed in once
