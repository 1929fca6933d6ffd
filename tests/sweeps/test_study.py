"""Optuna's study of a sweep: its file, and which combinations come next."""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from medmodel.core.config import config_for
from medmodel.core.errors import FileError
from medmodel.sweeps import study as studies
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.study import RUN, ask, open_study, storage_errors
from medmodel.sweeps.sweep import Sweep

LISTS = {
    "size": Dimension((64, 96)),
    "batch_size": Dimension((8, 16, 32)),
    "learning_rate": Dimension((1e-3, 1e-2)),
}


def config(trials: int) -> SweepConfig:
    return SweepConfig(config_for("compact", "/data", epochs=5), LISTS, trials)


@pytest.mark.parametrize(
    "name", ["a?b", "a%20b", "100%", "{x}", "a#b", "a\nb", "ä 中", "a'b;", "file:a"]
)
def test_the_file_lies_in_the_folder_whatever_that_is_called(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "w" / name
    folder.mkdir(parents=True)
    ask(open_study(Sweep(folder), config(8)), config(8))
    assert [path.name for path in folder.iterdir()] == ["trials.db"]
    assert list((tmp_path / "w").iterdir()) == [folder]


def test_nothing_is_tried_twice_as_long_as_there_is_something_else(
    tmp_path: Path,
) -> None:
    study = open_study(Sweep(tmp_path), config(10))
    tried = []
    for number in range(10):
        trial = ask(study, config(10))
        trial.set_user_attr(RUN, str(number))
        tried.append(tuple(trial.params.values()))
        study.tell(trial, trial.params["size"] / 100 + trial.params["batch_size"])
    assert len(set(tried)) == 10


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(b"no database" * 999, "not a database"), (b"", "is full")],
)
def test_what_is_wrong_with_the_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes, reason: str
) -> None:
    (tmp_path / "trials.db").write_bytes(damage)
    connect = sqlite3.connect

    def small(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **named)
        if not damage:
            connection.execute("PRAGMA max_page_count = 5")
        return connection

    monkeypatch.setattr(studies.sqlite3, "connect", functools.partial(small))
    with pytest.raises(FileError, match=reason), storage_errors():
        ask(open_study(Sweep(tmp_path), config(8)), config(8))
