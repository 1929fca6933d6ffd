"""A run that is trained in the test's own process."""

from __future__ import annotations

from medmodel.core.config import TrainConfig
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from tests.finished_run import create_ended


def trained(config: TrainConfig) -> Run:
    """Trains to the end; TensorFlow is loaded for it."""
    from medmodel.training import train

    run = create_ended(config)
    with StatusWriter(run) as reporter:
        assert train.train(run, reporter) is RunStatus.DONE
    return run
