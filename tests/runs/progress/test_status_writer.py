"""What a worker says: soon, whole, and without holding the training up."""

from __future__ import annotations

import csv
import errno
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.environment import REPOSITORY
from medmodel.core.locks import Lock
from medmodel.core.storage import read_json
from medmodel.runs.progress import status_writer
from medmodel.runs.progress import status_writer as reporter_module
from medmodel.runs.progress.status_writer import WRITTEN, StatusWriter
from medmodel.runs.progress.time_left import Part, TimeLeft
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus, Status
from medmodel.runs.tables.curves import EPOCH_COLUMNS


@pytest.fixture
def run(workspace: Path) -> Iterator[Run]:
    run = RunStore().create(TrainConfig(dataset="/data"))
    lock: Lock = run.lock
    assert lock.acquire()
    run.write_status(Status(state=RunStatus.RUNNING, attempt=2))
    yield run
    lock.release()


@pytest.fixture
def reporter(run: Run) -> Iterator[StatusWriter]:
    with StatusWriter(run) as reporter:
        yield reporter


def rows(run: Run, name: str) -> list[dict[str, str]]:
    path = run.folder / name
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_change_of_phase_is_on_disk_at_once(run: Run, reporter: StatusWriter) -> None:
    reporter.update(phase="training", message="Go.", epochs=7)
    status = run.status
    assert (status.phase, status.message, status.epochs) == ("training", "Go.", 7)
    assert status.attempt == 2


def test_other_changes_come_soon(run: Run, reporter: StatusWriter) -> None:
    reporter.update(best_epoch=3)
    wait_for(lambda: run.status.best_epoch == 3)


def test_heart_beats_while_training_is_busy(run: Run, reporter: StatusWriter) -> None:
    first = run.status.heartbeat
    wait_for(lambda: run.status.heartbeat > first + 0.9)
    wait_for(lambda: {"Processor", "Memory"} <= set(run.status.usage))


def test_progress_tells_message_and_time_left(
    run: Run, reporter: StatusWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(reporter_module.time, "monotonic", lambda: now)
    reporter.progress("preparing", 0, 1200)
    assert reporter.status.message == "Preparing the images: 0 of 1,200."
    assert reporter.status.seconds_left is None
    now += 10
    reporter.progress("preparing", 300, 1200)
    assert reporter.status.seconds_left == pytest.approx(30)
    reporter.progress("preparing", 1200, 1200)
    assert reporter.status.seconds_left == 0
    reporter.progress("preparing", 1300, 1200)  # Files may come while others are read.
    assert reporter.status.seconds_left is None
    reporter.progress("evaluating", 5, 10)  # A new phase starts its own clock.
    assert reporter.status.seconds_left is None
    reporter.progress("checking", 0, 0)
    assert reporter.status.message == "Checking the images."


def test_a_run_that_was_asked_to_stop_says_so(run: Run, reporter: StatusWriter) -> None:
    """Also while the first step takes half a minute."""
    reporter.progress("training", 1, 10)
    assert run.status.message == "Training: 1 of 10."
    run.request_stop()
    wait_for(lambda: run.status.message == "Stopping. Training: 1 of 10.")
    reporter.close(state=RunStatus.STOPPED, message="Stopped.")
    assert run.status.message == "Stopped."


def test_remark_is_what_progress_did_not_say(reporter: StatusWriter) -> None:
    assert reporter.remark == ""
    reporter.progress("evaluating", 1, 2)
    assert reporter.remark == ""
    reporter.update(message="Careful.")
    reporter.update(done=2)
    assert reporter.remark == "Careful."


def test_steps_come_in_order_with_one_header(run: Run, reporter: StatusWriter) -> None:
    for step in range(1, 2001):
        reporter.step(step=step, epoch=1, loss=1 / 3, metric=0.5)
    wait_for(lambda: len(rows(run, "steps.csv")) == 2000)
    written = rows(run, "steps.csv")
    assert list(written[0]) == ["time", "epoch", "step", "loss", "accuracy"]
    assert [int(row["step"]) for row in written] == list(range(1, 2001))
    assert written[0]["loss"] == "0.333333"
    wait_for(lambda: run.status.step == 2000)


def test_epochs(run: Run, reporter: StatusWriter) -> None:
    reporter.step(step=5, epoch=1, loss=1.0, metric=0.5)
    reporter.epoch({"epoch": 1, "step": 5, "loss": 1.0, "val_loss": 2.0})
    (row,) = rows(run, "history.csv")
    assert tuple(row) == EPOCH_COLUMNS
    assert (row["attempt"], row["epoch"], row["val_loss"]) == ("2", "1", "2.0")
    assert row["learning_rate"] == ""
    assert len(rows(run, "steps.csv")) == 1  # An epoch's steps are there before it.
    wait_for(lambda: run.status.epoch == 1)


def test_stop_is_seen(run: Run, reporter: StatusWriter) -> None:
    assert not reporter.stop_requested
    run.request_stop()
    wait_for(lambda: reporter.stop_requested)


def test_close_writes_the_rest(run: Run) -> None:
    reporter = StatusWriter(run)
    reporter.step(step=1, epoch=1, loss=1.0, metric=0.5)
    failure = Failure("data", "what", "do")
    reporter.close(state=RunStatus.FAILED, failure=failure)
    assert run.status.failure == failure
    assert len(rows(run, "steps.csv")) == 1
    assert not (run.folder / ".reserve").exists()


def test_steps_that_cannot_be_written_fail_the_run(
    run: Run, reporter: StatusWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.folder / "steps.csv").mkdir()
    reporter.step(step=1, epoch=1, loss=1.0, metric=0.5)
    with pytest.raises(OSError):
        for step in range(500):
            reporter.step(step=step, epoch=1, loss=1.0, metric=0.5)
            time.sleep(0.01)


def test_full_disk_hides_no_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Run.write_status

    def on_a_full_disk(self: Run, status: Status) -> None:
        if (self.folder / ".reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, status)

    monkeypatch.setattr(Run, "write_status", on_a_full_disk)
    reporter = StatusWriter(run)
    reporter.update(phase="training")  # Cannot be written; nothing breaks.
    assert read_json(run.folder / "status.json")["phase"] == "waiting"
    failure = Failure("not_a_number", "what", "do")
    # The space that was set aside lets the last word through.
    reporter.close(state=RunStatus.FAILED, failure=failure)
    assert run.status.failure == failure


def test_a_step_that_comes_while_others_are_written_is_written_next(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = StatusWriter(run)
    reporter.close()  # No thread writes beside this test.
    append = status_writer.append_steps

    def append_slowly(run: Run, rows: list[object]) -> None:
        if len(reporter._steps) < 2:
            reporter.step(step=2, epoch=1, loss=0.5, metric=0.5)
        append(run, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(status_writer, "append_steps", append_slowly)
    reporter.step(step=1, epoch=1, loss=1.0, metric=0.5)
    reporter._flush_steps()
    assert [row["step"] for row in rows(run, "steps.csv")] == ["1"]
    monkeypatch.undo()
    reporter._flush_steps()
    reporter._flush_steps()
    assert [row["step"] for row in rows(run, "steps.csv")] == ["1", "2"]


def test_a_job_reports_and_asks(run: Run, reporter: StatusWriter) -> None:
    reporter.job.progress("checking", 1, 2)
    assert (reporter.status.phase, reporter.status.done) == ("checking", 1)
    assert not reporter.job.cancelled()
    run.request_stop()
    wait_for(reporter.job.cancelled)


def test_what_a_killed_worker_left_is_removed(run: Run) -> None:
    for name in (".new-best.keras", *(f".{n}.0123456789abcdef" for n in WRITTEN)):
        (run.folder / name).touch()
    notes = run.folder / ".notes.json.0123456789abcdef"
    notes.touch()  # somebody writes it just now
    with StatusWriter(run):
        pass
    hidden = list(run.folder.glob(".*"))
    assert hidden == [notes]


def test_of_each_file_of_a_run_it_is_known_whether_its_worker_writes_it() -> None:
    text = (REPOSITORY / "docs" / "workspace.md").read_text(encoding="utf-8")
    block = text.partition("\nruns/<id>/\n")[2].partition("```")[0]
    entries = [
        re.split(" {3,}", line.strip())[0].split()
        for line in block.splitlines()
        if line[2:3].strip()
    ]
    documented = {
        name for names in entries for name in names if "." in name and "/" not in name
    }
    documented.add("encoder_licence.txt")  # in the line below that of encoder.json
    by_others = {
        *("config.json", "copies.json", "corruptions.json", "corruptions.npz"),
        *("corruptions.lock", "corruptions.stop", "corruptions.txt"),
        "thresholds.json",
        *("calibration.json", "doubtful.json", "positive_class.json", "notes.json"),
        *("imported.json", "ensemble.json", "external.json", "elsewhere.json"),
        *("refit.json", "log.txt", "cluster.json", ".lock", ".txt"),  # of an export
    }
    # Of a learning-rate test alone, whose folder is told of with the data set's.
    assert documented | {"rates.json"} == {*WRITTEN} | by_others


def test_time_left_and_share_are_those_of_the_plan(run: Run) -> None:
    parts = [Part("checking", 10, 2.0, "checking"), Part("training", 5, 4.0)]
    file = run.folder / "speeds.json"
    with StatusWriter(run) as writer:
        writer.follow(TimeLeft(parts, file))
        writer.progress("training", 0, 5)
        status = writer.status
        assert (status.part, status.parts) == (2, 2)
        assert status.seconds_left == pytest.approx(20, abs=0.5)
        assert 0 <= status.share < 0.1
        writer.progress("checking", 9, 10)
        writer.close(state=RunStatus.STOPPED)
    assert not file.exists()
