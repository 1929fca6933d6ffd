"""Jobs: the command line and the environment of a run on the cluster."""

from __future__ import annotations

import os
import shlex

from medmodel.cluster.records import Share
from medmodel.core.environment import REPOSITORY
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

PASSED_ON = ("MEDMODEL_DATA", "MEDMODEL_WEIGHTS")
"""Settings that a node needs; others may hold secrets, which a job's page shows."""


def entrypoint(run: Run, share: Share) -> str:
    """The job's command line: the driver, and what it runs as a task."""
    python = os.environ.get("MEDMODEL_RAY_PYTHON", "").strip() or queue.WORKER[0]
    driver = [python, "-m", "medmodel.cluster.driver"]
    reserved = ["--cpus", str(share.cpus), "--gpus", str(share.gpus)]
    worker = [python, *queue.WORKER[1:], str(run.folder), "--reserved"]
    return shlex.join([*driver, *reserved, "--", *worker])


def environment(store: RunStore) -> dict[str, str]:
    """Variables of a job and its task, which Ray's dashboard shows to everybody."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "PYTHONPATH": str(REPOSITORY),
        "MEDMODEL_WORKSPACE": str(store.root),
        # As for workers on this machine, see `devices.tensorflow_environment`.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "TF_CPP_MIN_LOG_LEVEL": "1",
        **passed,
    }
