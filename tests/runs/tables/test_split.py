"""split.csv: exact bytes out, the same values in."""

from __future__ import annotations

import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.split import SPLIT_COLUMNS, read_split, write_split


@pytest.fixture
def run() -> Run:
    return RunStore().create(TrainConfig("/data/x"))


def test_split_on_disk(run: Run) -> None:
    rows = [
        ("a/1.png", "sick", "007", "val", "x"),
        ('b/"2", too.png', "NA", "", "test", "y"),
    ]
    table = pd.DataFrame(rows, columns=list(SPLIT_COLUMNS))
    write_split(run, table)
    assert (run.folder / "split.csv").read_text() == (
        'path,label,patient,split,digest\na/1.png,sick,007,val,x\n"b/""2"", too.png",'
        "NA,,test,y\n"
    )
    pd.testing.assert_frame_equal(read_split(run), table)


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
        read_split(run)
