"""Runs sent to MLflow: what is sent, and that no failure touches the run."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from medmodel.core.config import config_for
from medmodel.core.storage import write_json
from medmodel.export import mlflow_run
from medmodel.export.mlflow_run import (
    epoch_metrics,
    read_export,
    run_params,
    run_tags,
    send,
    send_again,
    start_export,
)
from medmodel.reports import evaluation_html
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.curves import append_epoch
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.segmented_run import write_segmented_run

SECRET = "Doe_John"


@pytest.fixture
def run(class_folders: Path) -> Run:
    config = config_for(
        "compact",
        str(class_folders.parent / SECRET),
        name=f"for {SECRET}",
        patient_pattern=f"{SECRET}-(.*)",
    )
    run = RunStore().create(config)
    for epoch in (1, 2):
        row = {"epoch": epoch, "step": 5 * epoch, "time": 100.5 + epoch, "attempt": 1}
        losses = {"loss": 0.5 / epoch, "val_loss": float("nan"), "accuracy": 0.75}
        append_epoch(run, {**row, **losses})
    with StatusWriter(run) as reporter:
        reporter.close(
            state=RunStatus.DONE, started=1.0, ended=2.0, device="Processor", attempt=1
        )
    return run


def test_numbers_of_each_epoch(run: Run) -> None:
    assert list(epoch_metrics(run)) == [
        ("loss", 0.5, 101_500, 1),
        ("loss", 0.25, 102_500, 2),
        ("accuracy", 0.75, 101_500, 1),
        ("accuracy", 0.75, 102_500, 2),
    ]


def test_numbers_of_several_findings(class_folders: Path) -> None:
    config = replace(config_for("instant", str(class_folders)), multi_label=True)
    run = RunStore().create(config)
    row = {"epoch": 1, "step": 5, "time": 1.0, "attempt": 1, "loss": 0.5}
    append_epoch(run, {**row, "auc": 0.75, "val_loss": 0.25, "val_auc": 0.625})
    sent = [(name, value) for name, value, _when, _epoch in epoch_metrics(run)]
    assert sent == [
        *(("loss", 0.5), ("auc", 0.75), ("val_loss", 0.25), ("val_auc", 0.625)),
    ]


def test_nothing_of_persons_and_places_is_sent(run: Run) -> None:
    params, tags = run_params(run), run_tags(run)
    assert params["model"] == "compact_resnet" and params["epochs"] == "20"
    assert params["augmentation.rotation"] == "7.0"
    assert tags["medmodel.run"] == run.id and tags["medmodel.state"] == "done"
    assert SECRET not in json.dumps([params, tags])
    assert str(run.config.dataset) not in json.dumps([params, tags])


def test_without_a_server_nothing_is_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("", "  "):
        monkeypatch.setenv(mlflow_run.VARIABLE, value)
        assert not start_export(run)
    monkeypatch.delenv(mlflow_run.VARIABLE)
    assert not start_export(run) and read_export(run) is None


def test_a_missing_package_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    export = send(run)
    assert "pip install mlflow-skinny" in export.problem and not export.run_id
    assert read_export(run) == export


class Server(BaseHTTPRequestHandler):
    """Enough of MLflow's REST interface; answers 500 once it is told to fail."""

    def do_GET(self) -> None:
        if "runs/get" in self.path:
            return self._answer({"run": {"info": self._info(), "data": {}}})
        self._answer({"experiment": {"experiment_id": "3", "name": "MedModel"}})

    def _info(self) -> dict[str, object]:
        name, place = RUN[-1]
        facts = {"experiment_id": "3", "status": "RUNNING", "artifact_uri": place}
        return {"run_id": name, "run_uuid": name, **facts}

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        TAKEN.append((self.path.rpartition("mlflow/")[2], json.loads(content)))
        info = self._info()
        self._answer({"run": {"info": info, "data": {}}, "run_info": info})

    def _answer(self, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(500 if FAILING else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


TAKEN: list[tuple[str, dict]] = []
FAILING: list[bool] = []
RUN = [("r9", "/nowhere")]
"""Id and place of files of the run that the server makes."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    TAKEN.clear()
    FAILING.clear()
    del RUN[1:]
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        mlflow_run.VARIABLE: address,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    }.items():
        monkeypatch.setenv(name, value)
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


mlflow_warnings = pytest.mark.filterwarnings("ignore")


@mlflow_warnings
def test_a_server_gets_settings_numbers_and_tags(run: Run, server: str) -> None:
    export = send(run)
    assert export.problem == "" and export.run_id == "r9"
    assert read_export(run) == export
    paths = [path for path, _content in TAKEN]
    assert paths == ["runs/create", "runs/log-batch", "runs/log-batch", "runs/update"]
    settings, numbers = TAKEN[1][1], TAKEN[2][1]
    assert {"key": "epochs", "value": "20"} in settings["params"]
    points = [(m["key"], m["value"], int(m["step"])) for m in numbers["metrics"]]
    assert ("loss", 0.25, 2) in points and len(points) == 4
    assert SECRET not in json.dumps(TAKEN)


@mlflow_warnings
def test_a_card_that_is_not_taken_costs_the_card_alone(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluation_html, "model_card_html", lambda run: "<p>card</p>")
    # The server names a folder of its own machine, where nothing can be written.
    (tmp_path / "nowhere").touch()
    RUN.append(("r1", str(tmp_path / "nowhere")))
    export = send(run)
    assert export.run_id == "r1" and "not its model card" in export.problem
    assert [path for path, _content in TAKEN][-1] == "runs/update"
    RUN.append(("r2", str(tmp_path / "there")))
    assert send(run).problem == ""
    card = tmp_path / "there" / "model_card.html"
    assert card.read_text() == "<p>card</p>"


@mlflow_warnings
def test_a_segmentation_has_a_card_too(server: str, tmp_path: Path) -> None:
    run = write_segmented_run(draw_masked_folder(tmp_path / "data" / "discs"))
    RUN.append(("r3", str(tmp_path / "there")))
    assert send(run).problem == ""
    assert "Dice" in (tmp_path / "there" / "model_card.html").read_text()


@mlflow_warnings
def test_a_server_that_fails_is_told_in_one_sentence(run: Run, server: str) -> None:
    FAILING.append(True)
    export = send(run)
    assert export.run_id == "" and "did not take it" in export.problem
    assert "MLFLOW_TRACKING_URI" in export.problem and server not in export.problem
    assert run.status.state is RunStatus.DONE


@mlflow_warnings
def test_what_fails_in_the_middle_is_ended_on_the_server(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_run, "epoch_metrics", lambda run: 1 / 0)
    export = send(run)
    assert export.run_id == "" and "ZeroDivisionError" in export.problem
    path, content = TAKEN[-1]
    assert path == "runs/update" and content["status"] == "FAILED"


@mlflow_warnings
def test_what_a_killed_process_left_is_ended_and_sent_anew(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(mlflow_run, "_send_all", interrupt)
        send(run)
    left = read_export(run)
    assert left is not None and left.run_id == "r9" and not left.ended
    assert "its process was ended" in left.problem
    started: list[Run] = []
    monkeypatch.setattr(mlflow_run, "start_export", lambda run: started.append(run))
    monkeypatch.setattr(mlflow_run.time, "time", lambda: 0.0)
    send_again(RunStore())
    assert not started  # it may still be at work
    later = (run.folder / mlflow_run.FILE).stat().st_mtime + 1000
    monkeypatch.setattr(mlflow_run.time, "time", lambda: later)
    monkeypatch.setattr(mlflow_run, "start_export", lambda run: True)
    damaged = RunStore().create(run.config)
    for name in (mlflow_run.FILE, "config.json"):
        (damaged.folder / name).write_bytes((run.folder / name).read_bytes())
    (damaged.folder / "status.json").write_text("{")
    assert send_again(RunStore()) == 1
    TAKEN.clear()
    RUN.append(("r10", "/nowhere"))
    assert send(run).run_id == "r10" and send_again(RunStore()) == 0
    path, content = TAKEN[0]
    assert (path, content["run_id"]) == ("runs/update", "r9")
    assert content["status"] == "KILLED"


def interrupt(*_: object) -> str:
    raise KeyboardInterrupt


@mlflow_warnings
def test_a_database_without_its_driver_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("needs mlflow-skinny")
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    monkeypatch.setenv(
        mlflow_run.VARIABLE, "postgresql+psycopg://reader:secret@localhost/runs"
    )
    export = send(run)
    assert export.run_id == "" and "did not take it" in export.problem
    assert "secret" not in export.problem and read_export(run) == export


def test_what_is_written_elsewhere_counts_as_nothing(run: Run) -> None:
    write_json(run.folder / mlflow_run.FILE, {"run_id": 7})
    assert read_export(run) is None
    assert replace(mlflow_run.MlflowExport(), run_id="x").problem == ""
