"""A worker whose training is a stub: the same process, queue and files, no TensorFlow.

    python tests/stub_worker.py RUN_DIR | --idle WORKSPACE

What it does is the name of the run's model of conduct, `TrainConfig.name`.
"""

from __future__ import annotations

import os
import sys
import time
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medmodel import worker
from medmodel.runs import queue
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus

WORKER = (sys.executable, str(Path(__file__).resolve()))


def train(run: Run, reporter: StatusWriter) -> RunStatus:
    conduct = run.config.name.split()[0]
    sys.stdout.write(f"training {run.id} on {os.environ['CUDA_VISIBLE_DEVICES']}\n")
    os.write(2, b"a line from C++\n")
    with (run.folder / "trained").open("a") as file:
        file.write(f"{os.getpid()}\n")
    reporter.progress("training", 1, 4)
    if conduct == "fail":
        raise ValueError("the stub was told to fail")
    if conduct == "hang":
        time.sleep(600)
    deadline = time.monotonic() + (600 if conduct == "long" else 0.3)
    while time.monotonic() < deadline:
        if reporter.stop_requested:
            return RunStatus.STOPPED
        time.sleep(0.01)
    return RunStatus.DONE


def install() -> None:
    """Puts the stub where the worker looks for training and TensorFlow."""
    training = types.ModuleType("medmodel.training.train")
    training.train = train  # type: ignore[attr-defined]
    sys.modules["medmodel.training.train"] = training
    sys.modules["keras"] = types.ModuleType("keras")
    worker._build_features = lambda: None  # type: ignore[assignment]
    queue.WORKER = WORKER


if __name__ == "__main__":
    install()
    code = worker.main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
