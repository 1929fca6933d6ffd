"""Worker: the process that trains one run and ends, which frees its GPU memory.

    python -m medmodel.worker RUN_DIR              trains this run
    python -m medmodel.worker RUN_DIR --reserved   the same, started by a scheduler
    python -m medmodel.worker --idle WORKSPACE     loads TensorFlow, waits for a run

All write everything that they print to the run's log.txt. SIGTERM means Stop.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from medmodel.core import devices
from medmodel.core.errors import RunError
from medmodel.core.installation import program_stamps
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import open_log
from medmodel.language import _
from medmodel.runs import claims, failures, queue, webhook
from medmodel.runs.claims import Claim
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import RATE_TESTS, RUNS, Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

NICENESS = 19
POLL_SECONDS = 0.05
BUSY_LOOK_SECONDS = 1.0
FULL_LOOK_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


_claims: list[Claim] = []
"""Keeps the locks of the devices until the process is gone, with its GPU memory."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; the exit status is 0 unless the run failed or cannot start."""
    parser = argparse.ArgumentParser(prog="python -m medmodel.worker")
    parser.add_argument("folder", type=Path, help="a run's folder, or the workspace")
    parser.add_argument("--idle", action="store_true", help="wait for the next run")
    parser.add_argument(
        "--reserved",
        action="store_true",
        help="a scheduler reserved what this machine shows: end with the parent",
    )
    parser.add_argument("--node", default="", help="what to call this machine")
    options = parser.parse_args(arguments)
    os.nice(max(0, NICENESS - os.nice(0)))
    if options.idle:
        return wait_and_train(RunStore(options.folder.resolve()))
    if options.reserved:
        _end_with_parent()
    claim_run = (
        functools.partial(claims.claim_reserved, node=options.node)
        if options.reserved
        else claims.claim_run
    )
    try:
        claim = claim_when_free(Run(options.folder.resolve()), claim_run)
    except (RunError, OSError) as error:  # of the system: its text names the file
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return train_claimed(claim)


def claim_when_free(run: Run, claim_run: Callable[[Run], Claim | None]) -> Claim:
    """Waits until the run's device is free and takes the run.

    Args:
        run: The run.
        claim_run: Tries to take it, see `queue`.

    Raises:
        RunError: It cannot be trained (again).
    """
    while (claim := claim_run(run)) is None:
        time.sleep(BUSY_LOOK_SECONDS)
    return claim


def _end_with_parent() -> None:
    """Has Linux kill this process when its parent dies, as with its node's Ray.

    One that went on would hold the run's lock, and another node could not resume it.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it was asked for
        os.kill(os.getpid(), signal.SIGKILL)


def wait_and_train(store: RunStore) -> int:
    """The idle worker: trains the next run, then sees to a successor.

    Ends at once where another idle worker waits, and when there is no shell and
    nothing to do; gives way to a successor when the program is updated meanwhile.
    """
    idle = Lock(store.root / "idle.lock")
    if not idle.acquire():
        return 0
    program, ready = program_stamps(), store.root / "idle.ready"
    ready.unlink(missing_ok=True)
    claim = claims.claim_next(store)
    for load in (_load_tensorflow, _load_training, _build_features):
        if claim is None:
            load()
            claim = claims.claim_next(store)
    if claim is None:
        ready.touch()
        claim = _next_claim(store, program)
    idle.release()
    if claim is None and program_stamps() == program:
        return 0
    code = 0 if claim is None else train_claimed(claim)
    wanted = any(queue.waiting(store)) or queue.shell_present(store)
    if wanted and not queue.dispatched(store):
        queue.start_worker(store)
    return code


def _next_claim(store: RunStore, program: object) -> Claim | None:
    """Waits for a run; None when nobody can bring one, or the program was updated.

    Also where runs go to a cluster from now on.

    A worker that waits across an update would train with the old program, while the
    helpers that it starts, and whoever asked, are of the new one.
    """
    stamp, looked, queued = 0, 0.0, True
    while store.root.is_dir():
        age = time.monotonic() - looked
        now = queue.queue_stamp(store)
        limit = BUSY_LOOK_SECONDS if queued else FULL_LOOK_SECONDS
        if now != stamp or age >= limit:
            stamp, looked = now, time.monotonic()
            if program_stamps() != program:
                return None
            claim = claims.claim_next(store)
            if claim is not None:
                return claim
            queued = any(queue.waiting(store))
            if queue.dispatched(store):
                return None
            if not queued and not queue.shell_present(store):
                return None
        time.sleep(POLL_SECONDS)
    return None


def train_claimed(claim: Claim) -> int:
    """Trains a claimed run to its end and says how it ended; 1 if it failed."""
    run = claim.run
    _claims.append(claim)
    _compute_on(claim.devices)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        run.request_stop()

    signal.signal(signal.SIGTERM, stop)
    reporter = StatusWriter(run)
    try:
        _print_to_log(run)
        state = _work(run, reporter)
    except Exception as error:
        state = RunStatus.FAILED
        _close_failed(reporter, error)
    else:
        _close_ended(reporter, state)
    claim.lock.release()
    # Last: whoever is told may look, and nobody waits for an address that is slow.
    webhook.tell_ended(run, state, reporter.status.failure)
    _send_to_mlflow(run, state)
    return int(state is RunStatus.FAILED)


def _send_to_mlflow(run: Run, state: RunStatus) -> None:
    """Sends a run that was trained here, where a server is named."""
    trained = run.folder.parent.name == RUNS and not run.tested_model
    if trained and state is not RunStatus.FAILED and run.history_path.exists():
        from medmodel.export import mlflow_run

        mlflow_run.start_export(run)


def _work(run: Run, reporter: StatusWriter) -> RunStatus:
    """Trains; or asks a finished model, tests it elsewhere, averages several."""
    run.check_settings()
    if run.batch:
        from medmodel.inference import batch_prediction

        return batch_prediction.work(run, reporter)
    if run.folder.parent.name == RATE_TESTS:
        from medmodel.training import rate_finder

        return rate_finder.find_rate(run, reporter)
    if run.tested_model:
        from medmodel.training import external_run

        return external_run.test(run, reporter)
    if run.ensemble:
        from medmodel.training.ensembles import assembly

        return assembly.assemble(run, reporter)
    from medmodel.training import train

    return train.train(run, reporter)


def _close_ended(reporter: StatusWriter, state: RunStatus) -> None:
    if state is RunStatus.DONE:
        finished = _("Finished.")
        message = f"{finished} {reporter.remark}".rstrip()
    elif reporter.run.model_path.exists():
        stopped = _("Stopped. The best model so far is kept.")
        message = f"{stopped} {reporter.remark}".rstrip()
    elif reporter.run.tested_model or reporter.run.batch:
        message = _("Stopped. Resume goes on where it was.")
    else:
        message = _("Stopped before there was a model.")
    now = time.time()
    reporter.close(
        state=state, phase="finished", message=message, seconds_left=None, ended=now
    )


def _close_failed(reporter: StatusWriter, error: Exception) -> None:
    trains = not reporter.run.is_batch
    failure = failures.failure_of(error, trains)
    try:
        traceback.print_exception(error)
        sys.stderr.flush()
    finally:
        # Also where the log cannot be written any more.
        reporter.close(
            state=RunStatus.FAILED,
            message=failure.message,
            failure=failure,
            seconds_left=None,
            ended=time.time(),
        )


def _print_to_log(run: Run) -> None:
    """Sends all output of this process to the run's log, that of C++ code too."""
    sys.stdout.flush()
    sys.stderr.flush()
    root = run.folder.parent.parent
    relative = run.folder.relative_to(root) / "log.txt"
    with open_log(root, str(relative), append=True) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def _compute_on(claimed: list[devices.Device]) -> None:
    """Shows TensorFlow only these GPUs; it must not have looked for any yet."""
    uuids = [device.uuid for device in claimed if device.is_gpu]
    # An empty list would be taken for none on some versions and for all on others.
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(uuids) or "-1"


def _load_tensorflow() -> None:
    import keras  # noqa: F401


def _load_training() -> None:
    from medmodel.training import train  # noqa: F401


def _build_features() -> None:
    """Builds the network of the recipe Instant as it is used most.

    Not where there are GPUs: TensorFlow would take hold of all of them before it is
    known which one the run gets.
    """
    if not devices.gpus():
        from medmodel.networks import features
        from medmodel.training import input_size

        features.warm(Preprocessing(input_size.USUAL))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of libraries must not keep a finished worker, and its device, for ever.
    os._exit(status)
