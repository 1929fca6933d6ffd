"""Rate tests as jobs of the queue: asked for, read, taken away.

A test lies in rate_tests/<id> of the workspace and is worked on as a run is.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from medmodel.core.config import TrainConfig
from medmodel.core.errors import ConfigError, RunError
from medmodel.core.storage import read_if_whole
from medmodel.language import _
from medmodel.runs import queue
from medmodel.runs.rate_tests.curve import RateTest
from medmodel.runs.run import RATE_TESTS, Run
from medmodel.runs.run_store import RunStore

KEPT_SECONDS = 86_400.0
FILE = "rates.json"


def rate_test_store() -> RunStore:
    """The rate tests of the workspace."""
    return RunStore(place=RATE_TESTS)


def submit(config: TrainConfig) -> Run:
    """Puts a test of learning rates for these settings into the queue.

    Raises:
        ConfigError: A setting is wrong, or the last layer alone is trained, which has
            no learning rate.
        RunError: The workspace cannot be written.
    """
    if config.training == "frozen":
        raise ConfigError(
            "learning_rate",
            _("Where only the last layer is trained, no learning rate is needed."),
        )
    store = rate_test_store()
    _remove_old(store)
    test = store.create(replace(config, folds=1, fold=1, epochs=1))
    queue.notify_queue(RunStore(store.root))
    return test


def _remove_old(store: RunStore) -> None:
    """Of a test the chosen rate is all that anybody wants to keep."""
    for test in store.list():
        try:
            status = test.status
            # One whose worker was killed has not ended: it was at work until then.
            last = status.ended or status.heartbeat or status.created
            if not status.state.active and time.time() - last > KEPT_SECONDS:
                shutil.rmtree(test.folder, ignore_errors=True)
        except RunError:
            continue  # damaged, or taken away meanwhile


def read_rate_test(test: Run) -> RateTest | None:
    """What is known so far; None before the first losses."""
    return read_if_whole(test.folder / FILE, RateTest)
