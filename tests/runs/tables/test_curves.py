"""history.csv and steps.csv: rows appended, rewound, and damaged ones."""

from __future__ import annotations

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import FileError
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.curves import (
    append_epoch,
    append_steps,
    read_history,
    rewind_history,
    rewind_steps,
)


@pytest.fixture
def run() -> Run:
    return RunStore().create(TrainConfig("/data/x"))


def test_epochs_on_disk(run: Run) -> None:
    assert read_history(run).empty
    run.history_path.touch()
    assert read_history(run).empty
    run.history_path.unlink()
    append_epoch(run, {"epoch": 1, "attempt": 2, "val_loss": 0.25, "odd": 7})
    append_epoch(run, {"epoch": 2, "learning_rate": 1e-3})
    assert (run.folder / "history.csv").read_text() == (
        "attempt,epoch,step,time,loss,accuracy,val_loss,val_accuracy,learning_rate\n"
        "2,1,,,,,0.25,,\n,2,,,,,,,0.001\n"
    )
    assert read_history(run)["epoch"].tolist() == [1, 2]


def test_steps_rewound_to_one(run: Run) -> None:
    rewind_steps(run, 0)
    assert not run.steps_path.exists()
    append_steps(run, [("1.0", 1, step, "0.5", "0.75") for step in (1, 2, 10)])
    with run.steps_path.open("a") as file:
        file.write("1.0,1,11")  # a machine that went down in the middle of a line
    rewind_steps(run, 2)
    assert (run.folder / "steps.csv").read_text() == (
        "time,epoch,step,loss,accuracy\n1.0,1,1,0.5,0.75\n1.0,1,2,0.5,0.75\n"
    )


def test_history_rewound_to_an_epoch_has_each_once(run: Run) -> None:
    for attempt, epoch in ((1, 1), (1, 2), (2, 2), (2, 3), (2, 10)):
        append_epoch(run, {"attempt": attempt, "epoch": epoch})
    rewind_history(run, 3)
    history = read_history(run)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["attempt"].tolist() == [1, 2, 2]


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b"x,x,x,x,x\n", b'"', b"\0,,,\n"])
def test_damaged_steps_are_left_out_where_training_goes_on(
    run: Run, damage: bytes
) -> None:
    append_steps(run, [("1.0", 1, step, "0.5", "0.75") for step in (1, 2)])
    with run.steps_path.open("ab") as file:
        file.write(damage)
    rewind_steps(run, 1)
    lines = run.steps_path.read_text().splitlines()
    assert lines[0].startswith("time") and len(lines) <= 2


def test_a_history_that_is_no_table_is_named(run: Run) -> None:
    assert read_history(run).empty
    run.history_path.write_bytes(b"\xff\xfe\x00epoch\n\xff")
    with pytest.raises(FileError, match=r"history\.csv is damaged"):
        read_history(run)
    run.history_path.unlink()
    run.history_path.mkdir()
    with pytest.raises(FileError, match=r"history\.csv cannot be read"):
        read_history(run)


def test_steps_that_are_no_table_are_put_aside(run: Run) -> None:
    run.steps_path.write_bytes(b"\xff\xfe")
    rewind_steps(run, 5)
    assert run.steps_path.read_text() == "time,epoch,step,loss,accuracy\n"
    assert (run.folder / "steps.csv.damaged").read_bytes() == b"\xff\xfe"
    run.steps_path.write_text("time,epoch,step,loss,accuracy\n1,1,x,1,1\n1,1,2,1,1\n")
    rewind_steps(run, 5)
    assert run.steps_path.read_text().splitlines()[1:] == ["1,1,2,1,1"]
