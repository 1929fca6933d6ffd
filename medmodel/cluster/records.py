"""What is written down about the cluster: of a run its job, of all what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medmodel.cluster.head import Node
from medmodel.core.environment import ray_address
from medmodel.core.storage import read_if_whole, write_json
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

FILE = "cluster.json"
MOST_AHEAD = 4
"""See `ahead`; a driver takes some 160 MB on the head."""


@dataclass(frozen=True)
class SentRun:
    """What cluster.json of a run holds: its job on the cluster.

    Args:
        job: Its id there; "" before the first.
        number: How many jobs it has had.
        attempt: Starts of the run before it was sent.
        lost: How often the cluster lost it since somebody started it.
        over: Whether nothing more will come of the job.
    """

    job: str = ""
    number: int = 0
    attempt: int = 0
    lost: int = 0
    over: bool = True


@dataclass(frozen=True)
class ClusterState:
    """What cluster.json of the workspace holds: the cluster when last looked at.

    Args:
        nodes: Those that were alive.
        problem: Why the head did not answer, as a sentence; else "".
        looked: When, seconds since 1970.
    """

    nodes: Sequence[Node] = field(default_factory=list)
    problem: str = ""
    looked: float = 0.0


@dataclass(frozen=True)
class Share:
    """What Ray reserves for a run.

    Args:
        cpus: Processors.
        gpus: GPUs of one node.
    """

    cpus: int
    gpus: int


def sent_run(run: Run) -> SentRun:
    """The run's job; none where the record is missing or damaged."""
    return read_if_whole(run.folder / FILE, SentRun) or SentRun()


def write_sent_run(run: Run, sent: SentRun) -> None:
    """Replaces the run's record.

    Raises:
        OSError: The disk is full, or the run was deleted.
    """
    write_json(run.folder / FILE, sent)


def cluster_state(store: RunStore) -> ClusterState | None:
    """The cluster when last looked at; None where runs are trained on this machine."""
    if not ray_address():
        return None
    return read_if_whole(store.root / FILE, ClusterState) or ClusterState()


def write_cluster_state(store: RunStore, state: ClusterState) -> None:
    """Replaces the workspace's record.

    Raises:
        OSError: The disk is full or fails.
    """
    write_json(store.root / FILE, state)


def share_of(device: str, nodes: Sequence[Node]) -> Share:
    """What a run reserves: a GPU, or where there is none the smallest node.

    Args:
        device: As in `TrainConfig.device`; which of several GPUs is Ray's choice.
        nodes: Of the cluster.
    """
    most = max((node.gpus for node in nodes), default=0)
    if device == "all_gpus":
        return Share(1, max(most, 1))
    if device.startswith("gpu"):
        return Share(1, 1)
    if device == "auto" and most:
        return Share(1, 1)
    # Training uses every core that it finds: two on a node would slow one another.
    return Share(min((node.cpus for node in nodes if node.cpus), default=1), 0)


def places_of_cluster(store: RunStore) -> int:
    """How many runs the cluster takes at once; 0 where runs are trained here."""
    state = cluster_state(store)
    return places(state.nodes) if state else 0


def places(nodes: Sequence[Node]) -> int:
    """How many runs on the device `auto` the nodes take at once; at least one.

    One where there is no node yet: a cluster that grows on demand needs a demand.
    """
    share = share_of("auto", nodes)
    if share.gpus:
        return max(sum(min(node.gpus, node.cpus) for node in nodes), 1)
    return max(sum(node.cpus // share.cpus for node in nodes), 1)


def ahead(places: int) -> int:
    """Runs that are handed in beside those that have room.

    One for each place: trials of one size end at the same time, and whichever node
    becomes free, the next run's driver is up already. A cluster that grows on demand
    sees a demand, too.

    Args:
        places: How many runs the nodes take at once.
    """
    return min(places, MOST_AHEAD)
