"""Row on the command line: how long `medmodel list` takes, from Enter to the prompt."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.servers import temporary_workspace
from medmodel.benchmark.validity.statistics import write_runs
from medmodel.core.environment import REPOSITORY
from medmodel.runs.run_store import RunStore

COMMAND = (sys.executable, "-m", "medmodel", "list")
RUNS, TIMES = 100, 15


def cli_start() -> list[Measurement]:
    """Seconds of wall time of `medmodel list`, median, in a workspace with 100 runs."""
    with temporary_workspace() as workspace:
        write_runs(RunStore(workspace), RUNS)
        first = _seconds()
        again = [_seconds() for _time in range(TIMES)]
    note = (
        f"median of {TIMES}, {RUNS} runs, {min(again):.2f} to {max(again):.2f} s; "
        f"{first:.2f} s where nothing has ever looked at the runs"
    )
    return [at_most("cli_start", statistics.median(again), 0.5, "s", note)]


def _seconds() -> float:
    """How long one call takes, its process and all imports included."""
    environment = dict(os.environ)
    # Else every call would compile every module anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    listed = subprocess.run(
        COMMAND, cwd=REPOSITORY, env=environment, check=True, capture_output=True
    )
    seconds = time.perf_counter() - start
    assert listed.stdout.count(b"\n") > 1
    return seconds
