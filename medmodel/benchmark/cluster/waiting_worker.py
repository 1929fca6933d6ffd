"""A worker that waits a second for each epoch, and learns nothing meanwhile.

    python -m medmodel.benchmark.cluster.waiting_worker RUN_DIR --reserved --node NAME

All else is a run: process, lock, status, history, resume. Two nodes on one machine
share its processors, so what is measured with it is what the cluster adds.
"""

from __future__ import annotations

import os
import sys
import time
import types

from medmodel import worker
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.curves import read_history

EPOCH_SECONDS = 1.0
MODULE = "medmodel.benchmark.cluster.waiting_worker"


def train(run: Run, reporter: StatusWriter) -> RunStatus:
    """Waits for as many seconds as the run has epochs that are not finished."""
    finished = len(read_history(run))
    for epoch in range(finished + 1, run.config.epochs + 1):
        if reporter.stop_requested:
            return RunStatus.STOPPED
        reporter.progress("training", epoch - 1, run.config.epochs)
        time.sleep(EPOCH_SECONDS)
        reporter.epoch({"epoch": epoch, "val_loss": 1 / epoch, "val_accuracy": 0.5})
    return RunStatus.DONE


def main(arguments: list[str]) -> int:
    """Trains as `medmodel.worker` does, with `train` in the place of learning."""
    module = types.ModuleType("medmodel.training.train")
    module.train = train  # type: ignore[attr-defined]
    sys.modules["medmodel.training.train"] = module
    return worker.main(arguments)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
