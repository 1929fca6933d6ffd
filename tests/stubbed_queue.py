"""A queue whose workers train with the stub; none of them outlives the test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from medmodel.core import devices
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore
from tests import stub_worker
from tests.conftest import release_shell


@contextlib.contextmanager
def stubbed_queue(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunStore]:
    """Names the workspace's runs; they are trained on one device, the processor."""
    monkeypatch.setenv("MEDMODEL_DEVICES", "cpu")
    monkeypatch.setattr(queue, "WORKER", stub_worker.WORKER)
    devices.available.cache_clear()
    store = RunStore()
    yield store
    devices.available.cache_clear()
    release_shell(store)
    for process in psutil.process_iter(["cmdline"]):
        if any(str(workspace) in part for part in process.info["cmdline"] or []):
            process.kill()
            psutil.wait_procs([process], timeout=5)
    for child in queue._children:
        child.wait()
    queue._children.clear()
