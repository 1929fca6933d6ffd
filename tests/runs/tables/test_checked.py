"""Checksums: a table that was cut, changed or half written is noticed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables import checked
from medmodel.runs.tables.checked import CHECKSUMS, set_damaged_checksums_aside
from medmodel.runs.tables.predictions import read_predictions, write_predictions
from medmodel.runs.tables.split import (
    SPLIT_COLUMNS,
    read_split,
    split_checksum,
    write_split,
)


@pytest.fixture
def run() -> Run:
    return RunStore().create(TrainConfig("/data/x"))


def split_of(count: int) -> pd.DataFrame:
    rows = [(f"a/{n}.png", "a", "", "train", "x") for n in range(count)]
    return pd.DataFrame(rows, columns=list(SPLIT_COLUMNS))


def test_a_table_that_was_cut_is_noticed(run: Run) -> None:
    write_split(run, split_of(4))
    whole = run.split_path.read_bytes()
    lines = whole.splitlines(keepends=True)
    run.split_path.write_bytes(b"".join(lines[:3]))
    with pytest.raises(RunError, match=r"split\.csv is damaged \(it has 2 of 4 rows\)"):
        read_split(run)
    run.split_path.write_bytes(whole.replace(b"a/3.png", b"a/9.png"))
    with pytest.raises(RunError, match=r"split\.csv .*changed since checksums\.json"):
        read_split(run)
    run.split_path.write_bytes(whole)
    assert len(read_split(run)) == 4


def test_a_run_of_an_earlier_version_has_no_checksums(run: Run) -> None:
    write_split(run, split_of(2))
    (run.folder / CHECKSUMS).unlink()
    assert len(read_split(run)) == 2 and split_checksum(run) is None
    run.split_path.write_text("path,label,patient,split\na/1.png,a,,train\na/2")
    with pytest.raises(RunError, match="belongs to no split"):
        read_split(run)


def test_a_table_written_anew_is_told_from_the_one_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_split(run, split_of(4))
    write_split(run, split_of(2))
    assert len(read_split(run)) == 2

    write_rows = checked.write_rows

    def killed(*arguments: Any) -> None:
        write_rows(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(checked, "write_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        write_split(run, split_of(3))
    monkeypatch.undo()
    assert len(read_split(run)) == 3


def test_checksums_that_were_changed_are_damage_themselves(run: Run) -> None:
    """Not the tables, which are whole: a resumed run goes on without the checksums."""
    samples = split_of(2)
    write_split(run, samples)
    write_predictions(run, ["a", "b"], samples, np.full((2, 2), 0.5))
    path = run.folder / CHECKSUMS
    whole = json.loads(path.read_text())
    read_split(run)
    read_predictions(run)
    changed = {**whole, "split.csv": {**whole["split.csv"], "rows": 3}}
    lost = {name: value for name, value in whole.items() if name != "split.csv"}
    for values in (changed, lost):
        path.write_text(json.dumps(values))
        with pytest.raises(RunError, match=r"checksums\.json is damaged"):
            read_split(run)
        set_damaged_checksums_aside(run)
        assert len(read_split(run)) == 2
    del whole[CHECKSUMS]  # as an earlier version wrote it
    path.write_text(json.dumps(whole))
    assert len(read_split(run)) == 2
