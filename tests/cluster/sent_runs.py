"""Runs on their way to a cluster, and a clock for who sends them."""

from __future__ import annotations

from dataclasses import replace
from queue import SimpleQueue

from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.records import sent_run
from medmodel.core.config import TrainConfig
from medmodel.runs import claims, queue
from medmodel.runs.claims import Claim
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

Told = SimpleQueue[tuple[str, RunStatus, str]]


class Clock:
    """Seconds, as a test wants them."""

    now = 1e9

    def __call__(self) -> float:
        return self.now


def submitted(count: int = 1, device: str = "auto") -> list[Run]:
    config = TrainConfig(dataset="/data", device=device)
    return [queue.submit(config, RunStore()) for _number in range(count)]


def sent(dispatcher: Dispatcher) -> Run:
    """A run that was handed in."""
    (run,) = submitted()
    dispatcher.look()
    return run


def taken(run: Run, node: str = "") -> Claim:
    """What a worker on a node does first."""
    claim = claims.claim_reserved(run, node)
    assert claim is not None
    return claim


def end(claim: Claim, state: RunStatus, ended: float) -> None:
    claim.run.write_status(replace(claim.run.status, state=state, ended=ended))
    claim.lock.release()


def job_of(run: Run) -> str:
    return sent_run(run).job
