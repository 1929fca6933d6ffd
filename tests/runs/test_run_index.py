"""The list of all runs: right, and read once."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from medmodel.core import regular_files, storage
from medmodel.core.config import config_for
from medmodel.core.errors import RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.language import speaking
from medmodel.runs import run_index
from medmodel.runs.notes import Notes, change_notes
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts, RunStatus

HISTORY = "attempt,epoch,step,time,loss,accuracy,val_loss,val_accuracy,learning_rate\n"


def finished(store: RunStore, *val_losses: float) -> Run:
    run = store.create(config_for("instant", "/data/lungs"))
    rows = [f"1,{i},{i},0,1,1,{v},{1 - v},0\n" for i, v in enumerate(val_losses, 1)]
    (run.folder / "history.csv").write_text(HISTORY + "".join(rows))
    run.write_model_facts(ModelFacts(["a", "b"], Preprocessing(32), [], 1))
    (run.folder / "best.keras").touch()
    run.write_status(replace(run.status, state=RunStatus.DONE, started=10, ended=70))
    return run


def test_the_best_epoch_speaks_for_a_run(store: RunStore) -> None:
    finished(store, 0.5, 0.25, 0.75)
    (entry,) = run_index.entries(store)
    assert (entry.val_loss, entry.val_accuracy) == (0.25, 0.75)
    assert entry.title == "Instant on lungs"
    assert entry.seconds == 60
    assert entry.test_accuracy is None


def test_the_epoch_that_the_worker_chose_comes_first(store: RunStore) -> None:
    run = finished(store, 0.5, 0.25, 0.75)
    run.write_status(replace(run.status, best_epoch=3))
    (entry,) = run_index.entries(store)
    assert entry.val_loss == 0.75


def test_lines_being_written_and_no_numbers_are_left_out(store: RunStore) -> None:
    run = finished(store, 0.5, float("nan"))
    with (run.folder / "history.csv").open("a") as file:
        file.write("1,3,3,0,1")
    (entry,) = run_index.entries(store)
    assert entry.val_loss == 0.5


def test_accuracy_on_the_test_split_alone(store: RunStore) -> None:
    run = finished(store, 0.5)
    (run.folder / "predictions.csv").write_text(
        "path,patient,split,label,score_a,score_b\n"
        "1,,test,a,0.9,0.1\n2,,test,b,0.8,0.2\n3,,test,b,0.1,0.9\n4,,val,b,0.9,0.1\n"
    )
    (entry,) = run_index.entries(store)
    assert entry.test_accuracy == pytest.approx(2 / 3)


def test_changes_are_seen_and_unchanged_files_not_read_again(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(store, 0.5)
    (before,) = run_index.entries(store)
    monkeypatch.setattr(run_index, "read_entry", None)
    assert run_index.entries(store) == [before]
    monkeypatch.undo()
    path = run.folder / "history.csv"
    path.write_text(HISTORY + "1,1,1,0,1,1,0.125,0.5,0\n")
    os.utime(path, (1, 1))
    (after,) = run_index.entries(store)
    assert after.val_loss == 0.125


@pytest.fixture
def settled(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose facts stand in catalogue.json, as a new server finds them."""
    monkeypatch.setattr(run_index, "_FEW", 1)
    monkeypatch.setattr(run_index, "SETTLED_SECONDS", -60.0)
    run = finished(store, 0.5, 0.25)
    run.write_status(replace(run.status, best_epoch=2))
    change_notes(run, tags=["seen"], note="Good one.", pinned=True)
    run_index.entries(store)
    start_anew()
    return run


def start_anew() -> None:
    run_index._known.clear()
    run_index._loaded.clear()


def test_a_new_server_reads_what_an_earlier_one_knew(
    store: RunStore, settled: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "read_entry", None)
    (entry,) = run_index.entries(store)
    assert (entry.val_loss, entry.run.id) == (0.25, settled.id)
    assert entry.config == settled.config and entry.status == settled.status
    assert entry.notes == Notes(("seen",), "Good one.", True)


@pytest.mark.parametrize(
    "name", ["history.csv", "status.json", "best.keras", "notes.json"]
)
def test_nothing_old_is_believed_once_a_file_changed(
    store: RunStore, settled: Run, name: str
) -> None:
    path = settled.folder / name
    before = path.stat()
    path.write_bytes(path.read_bytes() + b" ")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    read: list[str] = []
    reading = run_index.read_entry

    def noting(run: Run) -> Entry:
        read.append(run.id)
        return reading(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_index, "read_entry", noting)
        run_index.entries(store)
    assert read == [settled.id]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "runs": {"x": 1}}'])
def test_a_damaged_catalogue_is_made_anew(
    store: RunStore, settled: Run, text: str
) -> None:
    (store.root / "catalogue.json").write_text(text)
    (entry,) = run_index.entries(store)
    assert entry.val_loss == 0.25
    assert settled.id in (store.root / "catalogue.json").read_text()


def test_nobody_waits_for_a_catalogue_that_is_a_pipe(
    store: RunStore, settled: Run
) -> None:
    (store.root / "catalogue.json").unlink()
    os.mkfifo(store.root / "catalogue.json")
    (entry,) = run_index.entries(store)
    assert entry.val_loss == 0.25


def test_a_test_whose_model_is_not_known_is_listed_and_named(
    store: RunStore, settled: Run
) -> None:
    (settled.folder / "external.json").write_text("{")
    start_anew()
    (store.root / "catalogue.json").unlink()
    (entry,) = run_index.entries(store)
    assert entry.test_of == ""
    assert any("external.json is damaged" in text for text in entry.problems)


def test_what_changes_still_is_not_kept(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "_FEW", 1)
    finished(store, 0.5)
    store.create(config_for("instant", "/data/lungs"))
    run_index.entries(store)
    assert not (store.root / "catalogue.json").exists()
    monkeypatch.setattr(run_index, "SETTLED_SECONDS", -60.0)
    run_index.entries(store)
    kept = json.loads((store.root / "catalogue.json").read_text())["runs"]
    assert len(kept) == 1  # the finished one


def test_best_finished_run_first_and_unfinished_ones_not(store: RunStore) -> None:
    worse, better = finished(store, 0.5), finished(store, 0.25)
    store.create(config_for("instant", "/data/lungs"))
    found = [entry.run.id for entry in run_index.finished(store)]
    assert found == [better.id, worse.id]


def test_a_killed_worker_is_seen_though_no_file_changed(store: RunStore) -> None:
    run = store.create(config_for("instant", "/data/lungs"))
    lock = run.lock
    assert lock.acquire()
    run.write_status(replace(run.status, state=RunStatus.RUNNING))
    assert run_index.entries(store)[0].status.state is RunStatus.RUNNING
    lock.release()
    assert run_index.entries(store)[0].status.state is RunStatus.INTERRUPTED


DAMAGE = [
    *(("status.json", text) for text in ("{", "{}", "[]", '{"state": "unheard of"}')),
    ("status.json", '{"state": "done", "started": "soon"}'),
    ("status.json", "[" * 100_000),
    ("config.json", '{"dataset": 5}'),
    ("config.json", '{"dataset": "/data", "folds": "many"}'),
    ("predictions.csv", 'path,split,label,score_a\n"' + "x" * 200_000),
    ("predictions.csv", "path,split,label,score_a\nx,test,a,half\n"),
]


@pytest.mark.parametrize(("name", "text"), DAMAGE)
def test_a_run_with_a_model_survives_its_other_files(
    store: RunStore, name: str, text: str
) -> None:
    run = finished(store, 0.5)
    (run.folder / name).write_text(text)
    (entry,) = run_index.entries(store)
    assert entry.has_model and not entry.status.state.active
    (told,) = entry.problems
    assert f"{run.id}/{name}" in told and "damaged" in told
    assert run_index.unreadable(store) == [told]


def test_a_run_of_a_model_alone_is_listed(store: RunStore) -> None:
    run = finished(store, 0.5)
    for path in run.folder.iterdir():
        if path.name not in ("best.keras", "model.json"):
            path.unlink()
    (entry,) = run_index.entries(store)
    assert store.get(run.id).config.title == f"Run {run.id}"
    assert entry.has_model and entry.status.state is RunStatus.STOPPED
    assert [told.partition(" any more")[0] for told in run_index.unreadable(store)] == [
        f"The run {run.id} has no {name}" for name in ("config.json", "status.json")
    ]


@pytest.mark.parametrize(("name", "text"), DAMAGE)
def test_one_damaged_run_does_not_hide_the_others(
    store: RunStore, name: str, text: str
) -> None:
    damaged, sound = finished(store, 0.5), finished(store, 0.5)
    (damaged.folder / name).write_text(text)
    damaged.model_path.unlink()
    listed = [entry.run.id for entry in run_index.entries(store)]
    assert listed[0] == sound.id and (len(listed) == 2) == (name == "predictions.csv")
    (told,) = run_index.unreadable(store)
    assert damaged.id in told and "damaged" in told


def test_scores_that_are_no_numbers_are_named(store: RunStore) -> None:
    run = finished(store, 0.5)
    run.predictions_path.write_text("path,split,label,score_a\nx,test,a,half\n")
    (told,) = run_index.unreadable(store)
    assert "predictions.csv is damaged" in told


def test_a_folder_that_is_a_link_out_of_the_workspace_is_no_run(
    store: RunStore, tmp_path: Path
) -> None:
    run = finished(store, 0.5)
    run.folder.rename(tmp_path / "away")
    run.folder.symlink_to(tmp_path / "away")
    assert run_index.entries(store) == []
    with pytest.raises(RunError, match="is a link"):
        store.get(run.id)


def test_a_run_that_may_not_be_read_does_not_hide_the_others(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, sound = finished(store, 0.5), finished(store, 0.5)
    look, read = os.stat, regular_files.open_regular

    def stat(path: Any, *args: Any, **more: Any) -> os.stat_result:
        if f"{locked.id}/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, *args, **more)

    def open_regular(path: Path) -> IO[bytes]:
        stat(path)
        return read(path)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(storage, "open_regular", open_regular)
    assert [entry.run.id for entry in run_index.entries(store)] == [sound.id]
    assert "Permission denied" in run_index.unreadable(store)[0]


@pytest.mark.parametrize("loss", ["nan", "inf", "-inf"])
def test_an_epoch_without_a_loss_is_not_the_best(store: RunStore, loss: str) -> None:
    run = finished(store)
    rows = f"1,1,1,0,1,1,{loss},0.5,0\n1,2,2,0,1,1,0.75,0.25,0\n"
    (run.folder / "history.csv").write_text(HISTORY + rows)
    (entry,) = run_index.entries(store)
    assert (entry.val_loss, entry.val_accuracy) == (0.75, 0.25)


def test_only_older_active_runs_are_before_a_run(store: RunStore) -> None:
    finished(store, 0.5)
    runs = [store.create(config_for("instant", "/data/lungs")) for _ in range(2)]
    assert [run_index.runs_before(run, store) for run in runs] == [0, 1]


def test_why_a_file_is_damaged_is_kept_in_english(store: RunStore) -> None:
    run = finished(store, 0.5)
    (run.folder / "notes.json").write_text("{")
    with speaking("zh_Hans"):
        (entry,) = run_index.entries(store)
    (problem,) = entry.problems
    assert "is damaged" in problem
