"""Tags, notes and pins: kept, bounded, never lost, and never told to the log."""

from __future__ import annotations

import threading

import pytest

from medmodel.core.config import config_for
from medmodel.core.errors import FileError, RunError
from medmodel.runs.notes import Notes, change_notes, notes_of
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore


@pytest.fixture
def run() -> Run:
    return RunStore().create(config_for("instant", "/data/lungs"))


def test_what_is_not_given_stays(run: Run) -> None:
    assert notes_of(run) == Notes()
    change_notes(run, tags=[" for  Friday ", "best", "best", ""])
    change_notes(run, note=" Ask Ann. ")
    assert change_notes(run, pinned=True) == notes_of(run)
    assert notes_of(run) == Notes(("best", "for Friday"), "Ask Ann.", True)
    change_notes(run, tags=[], pinned=False)
    assert notes_of(run) == Notes((), "Ask Ann.", False)


def test_the_log_tells_how_much_not_what(run: Run) -> None:
    change_notes(run, tags=["secret"], note="Mr Smith")
    text = (RunStore().root / "audit.jsonl").read_text()
    assert '"note"' in text and '"characters": 8' in text
    assert "secret" not in text and "Smith" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"note": "x" * 2001},
        {"tags": ["x" * 41]},
        {"tags": [str(n) for n in range(13)]},
    ],
)
def test_lengths_are_bounded(run: Run, changes: dict[str, object]) -> None:
    with pytest.raises(RunError, match="at most"):
        change_notes(run, **changes)  # type: ignore[arg-type]
    assert notes_of(run) == Notes()


def test_a_deleted_run_is_not_made_again(run: Run) -> None:
    RunStore().delete(run)
    with pytest.raises(RunError, match="no run"):
        change_notes(run, note="late")
    assert not run.folder.exists()


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"tags": "best"}', '{"note": 3}', '{"pinned": "yes"}'),
        '{"note": "' + "x" * 2001 + '"}',
        '{"tags": [' + ",".join(f'"{n}"' for n in range(13)) + "]}",
    ],
)
def test_damaged_notes_are_named_and_kept_beside_new_ones(run: Run, text: str) -> None:
    path = run.folder / "notes.json"
    for name in ("notes.json.damaged", "notes.json.damaged-2"):
        path.write_text(text)
        with pytest.raises(FileError, match=r"notes\.json is damaged"):
            notes_of(run)
        assert change_notes(run, pinned=True) == notes_of(run) == Notes(pinned=True)
        assert (run.folder / name).read_text() == text
        path.unlink()


def test_tags_of_a_hand_are_as_those_of_the_page(run: Run) -> None:
    (run.folder / "notes.json").write_text('{"tags": ["b", " a ", "b", ""]}')
    assert notes_of(run).tags == ("a", "b")


def test_changes_at_the_same_time_are_all_kept(run: Run) -> None:
    changes: list[dict[str, object]] = [
        {"note": "one"},
        {"tags": ["two"]},
        {"pinned": True},
    ]
    threads = [
        threading.Thread(target=change_notes, args=(run,), kwargs=change)
        for change in changes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes_of(run) == Notes(("two",), "one", True)
