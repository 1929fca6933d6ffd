"""A workspace's runs, and one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore


@pytest.fixture
def store(workspace: Path) -> RunStore:
    return RunStore()


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(TrainConfig(dataset="/data/Chest <CT>", name="ünï"))
