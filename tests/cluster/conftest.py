"""A head without nodes, and who sends runs to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.head import Head
from medmodel.runs import queue, webhook
from medmodel.runs.run_store import RunStore
from tests.cluster.sent_runs import Clock, Told
from tests.stub_head import StubHead, stub_head


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubHead]:
    """A head, to which runs of this workspace go; no process is started."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    monkeypatch.setenv("MEDMODEL_DEVICES", "cpu")
    with stub_head() as head:
        monkeypatch.setenv("MEDMODEL_RAY", head.address)
        yield head


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the webhook is told."""
    messages: Told = SimpleQueue()
    monkeypatch.setattr(webhook, "notify", lambda *facts: messages.put(facts))
    return messages


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher(stub: StubHead, clock: Clock, workspace: Path) -> Dispatcher:
    return Dispatcher(RunStore(), Head(stub.address), clock)
