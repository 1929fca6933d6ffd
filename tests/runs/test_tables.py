"""Tables of a run's folder: exact bytes out, the same values in."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import FileError, RunError
from medmodel.runs import tables
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status import RunStatus

SAMPLES = pd.DataFrame(
    {
        "label": ["sick", "NA"],
        "path": ["a/1.png", 'b/"2", too.png'],
        "split": ["val", "test"],
        "patient": ["007", ""],
        "digest": ["x", "y"],
    }
)


@pytest.fixture
def run() -> Run:
    return RunStore().create(TrainConfig("/data/x"))


def test_predictions_on_disk(run: Run) -> None:
    scores = np.array([[0.123456789, 1 - 0.123456789], [1.0, 1e-9]])
    tables.write_predictions(run, ["sick", "NA"], SAMPLES, scores)
    assert (run.folder / "predictions.csv").read_text() == (
        "path,patient,split,label,score_sick,score_NA\n"
        "a/1.png,007,val,sick,0.12345679,0.87654321\n"
        '"b/""2"", too.png",,test,NA,1,1e-09\n'
    )
    table = tables.read_predictions(run)
    assert table["patient"].tolist() == ["007", ""]
    assert table["label"].tolist() == ["sick", "NA"]
    assert tables.scored_classes(table) == ["sick", "NA"]
    in_other_order = tables.score_array(table, ["NA", "sick"])
    assert in_other_order.tolist() == [[0.87654321, 0.12345679], [1e-9, 1.0]]


def test_predictions_need_a_row_of_scores_for_every_image(run: Run) -> None:
    with pytest.raises(ValueError):
        tables.write_predictions(run, ["sick"], SAMPLES, np.ones((1, 1)))
    assert not run.predictions_path.exists()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (RunStatus.QUEUED, "has no predictions yet: .* when it ends"),
        (RunStatus.RUNNING, "has no predictions yet: .* when it ends"),
        (RunStatus.STOPPED, "it ended before its images were evaluated. Resume it"),
        (RunStatus.FAILED, "it ended before its images were evaluated. Resume it"),
        (RunStatus.INTERRUPTED, "it ended before its images were evaluated. Resume"),
        (RunStatus.DONE, "has no predictions.csv any more"),
    ],
)
def test_why_a_run_has_no_predictions(
    run: Run, state: RunStatus, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "status", SimpleNamespace(state=state))
    with pytest.raises(RunError, match=sentence):
        tables.read_predictions(run)


def test_predictions_that_cannot_be_used(run: Run) -> None:
    with pytest.raises(RunError, match="no predictions yet"):
        tables.read_predictions(run)
    run.predictions_path.write_text("path,split,label,score_a\nx,test,a,0.5\n")
    with pytest.raises(RunError, match="has no column patient"):
        tables.read_predictions(run)
    run.predictions_path.write_text("path,patient,split,label,score_a\nx,,test,a,b\n")
    with pytest.raises(RunError, match="cannot be read .* train again"):
        tables.read_predictions(run)


def test_split_on_disk(run: Run) -> None:
    table = SAMPLES[list(tables.SPLIT_COLUMNS)]
    tables.write_split(run, table)
    assert (run.folder / "split.csv").read_text() == (
        'path,label,patient,split,digest\na/1.png,sick,007,val,x\n"b/""2"", too.png",'
        "NA,,test,y\n"
    )
    pd.testing.assert_frame_equal(tables.read_split(run), table)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "is missing"),
        ("", "cannot be read"),
        ("path,patient\na,b\n", "has no column split"),
    ],
)
def test_a_split_that_cannot_be_used(run: Run, text: str | None, reason: str) -> None:
    if text is not None:
        run.split_path.write_text(text)
    with pytest.raises(RunError, match=reason):
        tables.read_split(run)


def test_epochs_on_disk(run: Run) -> None:
    assert tables.read_history(run).empty
    run.history_path.touch()
    assert tables.read_history(run).empty
    run.history_path.unlink()
    tables.append_epoch(run, {"epoch": 1, "attempt": 2, "val_loss": 0.25, "odd": 7})
    tables.append_epoch(run, {"epoch": 2, "learning_rate": 1e-3})
    assert (run.folder / "history.csv").read_text() == (
        "attempt,epoch,step,time,loss,accuracy,val_loss,val_accuracy,learning_rate\n"
        "2,1,,,,,0.25,,\n,2,,,,,,,0.001\n"
    )
    assert tables.read_history(run)["epoch"].tolist() == [1, 2]


def test_steps_rewound_to_one(run: Run) -> None:
    tables.rewind_steps(run, 0)
    assert not run.steps_path.exists()
    tables.append_steps(run, [("1.0", 1, step, "0.5", "0.75") for step in (1, 2, 10)])
    with run.steps_path.open("a") as file:
        file.write("1.0,1,11")  # a machine that went down in the middle of a line
    tables.rewind_steps(run, 2)
    assert (run.folder / "steps.csv").read_text() == (
        "time,epoch,step,loss,accuracy\n1.0,1,1,0.5,0.75\n1.0,1,2,0.5,0.75\n"
    )


def test_history_rewound_to_an_epoch_has_each_once(run: Run) -> None:
    for attempt, epoch in ((1, 1), (1, 2), (2, 2), (2, 3), (2, 10)):
        tables.append_epoch(run, {"attempt": attempt, "epoch": epoch})
    tables.rewind_history(run, 3)
    history = tables.read_history(run)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["attempt"].tolist() == [1, 2, 2]


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b"x,x,x,x,x\n", b'"', b"\0,,,\n"])
def test_damaged_steps_are_left_out_where_training_goes_on(
    run: Run, damage: bytes
) -> None:
    tables.append_steps(run, [("1.0", 1, step, "0.5", "0.75") for step in (1, 2)])
    with run.steps_path.open("ab") as file:
        file.write(damage)
    tables.rewind_steps(run, 1)
    lines = run.steps_path.read_text().splitlines()
    assert lines[0].startswith("time") and len(lines) <= 2


def test_cells_of_named_columns(run: Run) -> None:
    path = run.folder / "x.csv"
    assert tables.read_header(path) == [] == list(tables.read_cells(path, "a"))
    path.write_text('a,b,c\n1,"2,2",3\n4,5\n6,7,8')
    assert tables.read_header(path) == ["a", "b", "c"]
    assert list(tables.read_cells(path, "c", "b")) == [["3", "2,2"], ["8", "7"]]
    assert list(tables.read_cells(path, "c", "d")) == []
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(FileError, match=r"x\.csv is damaged"):
        list(tables.read_cells(path, "a"))
    path.write_text('a\n"' + "x" * 200_000)
    with pytest.raises(FileError, match=r"x\.csv is damaged"):
        list(tables.read_cells(path, "a"))


def split_of(count: int) -> pd.DataFrame:
    rows = [(f"a/{n}.png", "a", "", "train", "x") for n in range(count)]
    return pd.DataFrame(rows, columns=list(tables.SPLIT_COLUMNS))


def test_a_table_that_was_cut_is_noticed(run: Run) -> None:
    tables.write_split(run, split_of(4))
    whole = run.split_path.read_bytes()
    lines = whole.splitlines(keepends=True)
    run.split_path.write_bytes(b"".join(lines[:3]))
    with pytest.raises(RunError, match=r"split\.csv is damaged \(it has 2 of 4 rows\)"):
        tables.read_split(run)
    run.split_path.write_bytes(whole.replace(b"a/3.png", b"a/9.png"))
    with pytest.raises(RunError, match=r"split\.csv .*changed since checksums\.json"):
        tables.read_split(run)
    run.split_path.write_bytes(whole)
    assert len(tables.read_split(run)) == 4


def test_a_run_of_an_earlier_version_has_no_checksums(run: Run) -> None:
    tables.write_split(run, split_of(2))
    (run.folder / tables.CHECKSUMS).unlink()
    assert len(tables.read_split(run)) == 2 and tables.split_checksum(run) is None
    run.split_path.write_text("path,label,patient,split\na/1.png,a,,train\na/2")
    with pytest.raises(RunError, match="belongs to no split"):
        tables.read_split(run)


def test_a_table_written_anew_is_told_from_the_one_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.write_split(run, split_of(4))
    tables.write_split(run, split_of(2))
    assert len(tables.read_split(run)) == 2

    write_rows = tables.write_rows

    def killed(*arguments: Any) -> None:
        write_rows(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "write_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        tables.write_split(run, split_of(3))
    monkeypatch.undo()
    assert len(tables.read_split(run)) == 3


ROWS = "path,patient,split,label,score_a,score_b\n"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("x,,test,a,inf,0", "no number from 0 to 1"),
        ("x,,test,a,nan,0", "cannot be read"),
        ("x,,test,a,-0.1,1.1", "no number from 0 to 1"),
        ("x,,test,c,0.5,0.5", "no scores of the class 'c'"),
        ("x,,tset,a,0.5,0.5", "belongs to no split"),
        (",,test,a,0.5,0.5", "cut short"),
        ("x,,test,a,0.5", "cannot be read"),
        ("x,,test,a,0.5,0.5\nx,,test,b,0.5,0.5", "1 rows occur twice"),
    ],
)
def test_rows_that_no_model_writes_are_refused(
    run: Run, rows: str, reason: str
) -> None:
    run.predictions_path.write_text(ROWS + rows + "\n")
    with pytest.raises(RunError, match=rf"predictions\.csv of .*{reason}"):
        tables.read_predictions(run)


def test_one_image_may_be_for_validation_here_and_for_a_test_there(run: Run) -> None:
    text = ROWS + "x,,test,a,0.5,0.5\nx,,val,b,1,0\n"
    run.predictions_path.write_text(text)
    assert len(tables.read_predictions(run)) == 2


def test_a_history_that_is_no_table_is_named(run: Run) -> None:
    assert tables.read_history(run).empty
    run.history_path.write_bytes(b"\xff\xfe\x00epoch\n\xff")
    with pytest.raises(FileError, match=r"history\.csv is damaged"):
        tables.read_history(run)
    run.history_path.unlink()
    run.history_path.mkdir()
    with pytest.raises(FileError, match=r"history\.csv cannot be read"):
        tables.read_history(run)


def test_steps_that_are_no_table_are_put_aside(run: Run) -> None:
    run.steps_path.write_bytes(b"\xff\xfe")
    tables.rewind_steps(run, 5)
    assert run.steps_path.read_text() == "time,epoch,step,loss,accuracy\n"
    assert (run.folder / "steps.csv.damaged").read_bytes() == b"\xff\xfe"
    run.steps_path.write_text("time,epoch,step,loss,accuracy\n1,1,x,1,1\n1,1,2,1,1\n")
    tables.rewind_steps(run, 5)
    assert run.steps_path.read_text().splitlines()[1:] == ["1,1,2,1,1"]


def test_a_line_without_an_end_is_damage(run: Run) -> None:
    run.history_path.write_text("epoch,val_loss\n1,0.5\n" + "0" * (1 << 20))
    with pytest.raises(FileError, match=r"history\.csv is damaged"):
        list(tables.read_cells(run.history_path, "epoch"))
    cells = "1," * ((1 << 19) - 1)
    run.history_path.write_text(f"epoch,val_loss\n1,0.5\n{cells}\n")
    assert list(tables.read_cells(run.history_path, "epoch")) == [["1"]]


def test_checksums_that_were_changed_are_damage_themselves(run: Run) -> None:
    """Not the tables, which are whole: a resumed run goes on without the checksums."""
    tables.write_split(run, SAMPLES)
    tables.write_predictions(run, ["sick", "NA"], SAMPLES, np.full((2, 2), 0.5))
    path = run.folder / tables.CHECKSUMS
    whole = json.loads(path.read_text())
    tables.read_split(run)
    tables.read_predictions(run)
    changed = {**whole, "split.csv": {**whole["split.csv"], "rows": 3}}
    lost = {name: value for name, value in whole.items() if name != "split.csv"}
    for values in (changed, lost):
        path.write_text(json.dumps(values))
        with pytest.raises(RunError, match=r"checksums\.json is damaged"):
            tables.read_split(run)
        tables.set_damaged_checksums_aside(run)
        assert len(tables.read_split(run)) == 2
    del whole[tables.CHECKSUMS]  # as an earlier version wrote it
    path.write_text(json.dumps(whole))
    assert len(tables.read_split(run)) == 2
