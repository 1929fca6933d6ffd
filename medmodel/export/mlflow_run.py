"""Sends a finished run to an MLflow server: `python -m medmodel.export.mlflow_run RUN`.

Off unless MLFLOW_TRACKING_URI names a server, or a folder. A process of its own does it
after the training has ended, so that a server that is slow or away never touches a
training; mlflow.json of the run says how it went.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medmodel.core.environment import python_environment
from medmodel.core.errors import MedModelError
from medmodel.core.storage import read_if_whole, write_json
from medmodel.language import N_, SOURCE, _, speaking
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.cells import read_cells

VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MedModel"
"""Used where MLFLOW_EXPERIMENT_NAME names no other."""
FILE = "mlflow.json"
SECONDS = 120
"""After which a server that does not answer is given up."""
_DEAD_SECONDS = 3 * SECONDS
"""After which the process of a run that is not sent yet cannot be at work any more."""
_NOT_SENT = ("dataset", "name", "patient_pattern", "weights", "augmentation")
"""Settings that may hold names, numbers or places; augmentation goes in parts."""
_METRICS = (
    *("loss", "accuracy", "dice", "auc"),
    *("val_loss", "val_accuracy", "val_dice", "val_auc", "learning_rate"),
)
_CHARACTERS = 500
"""Longest value of a parameter that every server takes."""
_MOST = 100
"""Parameters, and metrics, of one request."""
_UNFINISHED = N_("The run was not sent to MLflow whole: its process was ended.")
log = logging.getLogger("medmodel.export.mlflow_run")


@dataclass(frozen=True)
class MlflowExport:
    """What mlflow.json holds.

    Args:
        run_id: Of the run in MLflow; empty where it was not sent.
        problem: Why not, or what was left out, as a sentence.
        ended: When, seconds since 1970; 0 while it is sent, or where that was killed.
    """

    run_id: str = ""
    problem: str = ""
    ended: float = 0.0


def read_export(run: Run) -> MlflowExport | None:
    """How sending a run went; None where it was never asked for."""
    return read_if_whole(run.folder / FILE, MlflowExport)


def start_export(run: Run) -> bool:
    """Sends a run in a process of its own, if a server is named; whether one is."""
    if not os.environ.get(VARIABLE, "").strip():
        return False
    try:
        subprocess.Popen(
            [sys.executable, "-m", "medmodel.export.mlflow_run", str(run.folder)],
            env={
                **python_environment(),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                # Who names a folder wants its files there.
                "MLFLOW_ALLOW_FILE_STORE": "true",
                "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:  # no memory for another process
        log.warning("The run is not sent to MLflow: %s", error)
        return False
    return True


def send(run: Run) -> MlflowExport:
    """Sends a run: settings, numbers of each epoch, the model card; no patient data.

    Returns:
        How it went, as it is written into mlflow.json; never an error.
    """
    run_id, problem = "", ""
    try:
        import mlflow  # noqa: F401 (whether it is there)
    except ImportError:
        problem = _(
            "The run was not sent to MLflow: its package is missing. Install it: "
            "pip install mlflow-skinny"
        )
    else:
        try:
            run_id, problem = _send(run)
        except Exception as error:
            # Also a missing driver of a database, and whatever else comes of MLflow.
            log.warning("The run is not sent to MLflow: %s", type(error).__name__)
            problem = _(
                "The run was not sent to MLflow: the server in {variable} did not take "
                "it ({kind}). The run itself is whole.",
                variable=VARIABLE,
                kind=type(error).__name__,
            )
    export = MlflowExport(run_id, problem, time.time())
    write_json(run.folder / FILE, export)
    return export


def _send(run: Run) -> tuple[str, str]:
    """Id in MLflow, and what was left out, as a sentence."""
    from mlflow import MlflowClient

    client = MlflowClient()
    _end_killed(client, run)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "").strip() or EXPERIMENT
    experiment = client.get_experiment_by_name(name)
    place = experiment.experiment_id if experiment else client.create_experiment(name)
    started = int(run.status.started * 1000)
    sent = client.create_run(place, start_time=started, run_name=run.id)
    run_id = str(sent.info.run_id)
    try:
        write_json(run.folder / FILE, MlflowExport(run_id, _UNFINISHED))
        problem = _send_all(client, run, run_id)
    except Exception:
        _terminate(client, run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED", int(run.status.ended * 1000) or None)
    return run_id, problem


def _send_all(client: Any, run: Run, run_id: str) -> str:
    """Settings, tags, numbers and card; what was left out, as a sentence."""
    from mlflow.entities import Metric, Param, RunTag

    params = [Param(key, text) for key, text in run_params(run).items()]
    tags = [RunTag(key, text) for key, text in run_tags(run).items()]
    client.log_batch(run_id, params=params[:_MOST], tags=tags)
    metrics = [Metric(*values) for values in epoch_metrics(run)]
    for start in range(0, len(metrics), _MOST):
        client.log_batch(run_id, metrics=metrics[start : start + _MOST])
    return _send_card(client, run, run_id)


def _end_killed(client: Any, run: Run) -> None:
    """Ends what a process began that was killed: else it is "running" for ever."""
    before = read_export(run)
    if before and before.run_id and not before.ended:
        _terminate(client, before.run_id, "KILLED")


def _terminate(client: Any, run_id: str, state: str) -> None:
    """Ends a run in MLflow; where that fails, too, the server is away."""
    try:
        client.set_terminated(run_id, state)
    except Exception as error:
        log.warning("A run in MLflow could not be ended: %s", type(error).__name__)


def send_again(store: RunStore) -> int:
    """Sends what a killed process left half sent, once; returns how many."""
    if not os.environ.get(VARIABLE, "").strip():
        return 0
    count = 0
    for run in store.list():
        export = read_export(run)
        if export and export.run_id and not export.ended:
            # One that is damaged or deleted meanwhile must keep no other from it.
            with contextlib.suppress(MedModelError, FileNotFoundError):
                begun = (run.folder / FILE).stat().st_mtime
                if time.time() - begun > _DEAD_SECONDS and not run.status.state.active:
                    count += start_export(run)
    return count


def _send_card(client: Any, run: Run, run_id: str) -> str:
    """Sends the model card; a sentence where the server keeps no files."""
    from mlflow.exceptions import MlflowException

    # Here: the page of a run reads mlflow.json alone, and shall be quick.
    from medmodel.reports import evaluation_html

    try:
        card = evaluation_html.model_card_html(run)
    except MedModelError:  # without test images there is none
        return ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model_card.html")
        path.write_text(card, encoding="utf-8")
        try:
            client.log_artifact(run_id, str(path))
        except (MlflowException, OSError, ValueError) as error:
            log.warning("The model card is not sent: %s", type(error).__name__)
            return _(
                "MLflow has the run's settings and numbers, not its model card: the "
                "server did not take the file."
            )
    return ""


def run_params(run: Run) -> dict[str, str]:
    """Settings of a run by name; none that may name a person or a place."""
    settings = asdict(run.config)
    change = settings["augmentation"]
    settings |= {f"augmentation.{name}": value for name, value in change.items()}
    return {
        name: str(value)[:_CHARACTERS]
        for name, value in settings.items()
        if name not in _NOT_SENT
    }


def run_tags(run: Run) -> dict[str, str]:
    """What a run is, beside its settings."""
    status = run.status
    tags = {
        "medmodel.run": run.id,
        "medmodel.state": status.state.value,
        "medmodel.attempt": str(status.attempt),
        "medmodel.device": status.device,
        "medmodel.precision": status.precision,
        "medmodel.best_epoch": str(status.best_epoch),
    }
    return {name: value for name, value in tags.items() if value}


def epoch_metrics(run: Run) -> Iterator[tuple[str, float, int, int]]:
    """Name, value, milliseconds since 1970 and epoch of all numbers of a history."""
    for name in _METRICS:
        for epoch, when, text in read_cells(run.history_path, "epoch", "time", name):
            try:
                value = float(text)
                point = (name, value, int(float(when) * 1000), int(epoch))
            except ValueError:  # this recipe has none
                continue
            if math.isfinite(value):
                yield point


def main() -> None:
    """Sends the run of the command line."""
    run = Run(Path(sys.argv[1]).resolve())

    def give_up(*_arguments: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    with speaking(SOURCE):
        send(run)


if __name__ == "__main__":
    main()
