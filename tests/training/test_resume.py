"""A training that was ended somewhere ends as one that never was, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from medmodel.benchmark.durability.resume import (
    CASES,
    PLACES,
    SMALL,
    Killed,
    draw_images,
    ended_at,
    outcome,
    train_once,
)
from medmodel.core.config import config_for
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import train


def killed() -> None:
    """Ends an attempt like SIGKILL."""
    raise Killed


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run and what it came to."""

    run: Run
    outcome: dict[str, object]

    def again(self) -> Run:
        """A new run with its settings."""
        return RunStore().create(self.run.config)


def trained_once(case: str, root: Path) -> Whole:
    settings = {**SMALL, **CASES[case].settings}
    folder = root / "data" / "drawn"
    run = RunStore().create(config_for(dataset=str(folder), **settings))
    assert train_once(run) is RunStatus.DONE
    return Whole(run, outcome(run))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace and a drawn data set that all tests share."""
    root = tmp_path_factory.mktemp("resume")
    draw_images(root / "data" / "drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
        patch.setenv("MEDMODEL_DATA", str(root / "data"))
        yield root


@pytest.fixture(scope="module")
def textbook(root: Path) -> Whole:
    """The textbook's network, trained once without a break."""
    return trained_once("textbook CNN", root)


@pytest.fixture(scope="module")
def compact(root: Path) -> Whole:
    """The compact network with its Dropout, trained once without a break."""
    return trained_once("compact", root)


@pytest.fixture(autouse=True)
def same_workspace(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
    monkeypatch.setenv("MEDMODEL_DATA", str(root / "data"))


def interrupted(run: Run, place: str) -> None:
    with pytest.raises(Killed), ended_at(PLACES[place], killed):
        train_once(run)


@pytest.mark.parametrize(
    "place", ["step in epoch 2", "best model saved", "history written", "trained"]
)
def test_killed(textbook: Whole, place: str) -> None:
    run = textbook.again()
    interrupted(run, place)
    assert train_once(run) is RunStatus.DONE
    assert outcome(run) == textbook.outcome


def test_dropout_goes_on_with_its_seeds(compact: Whole) -> None:
    run = compact.again()
    interrupted(run, "epoch 2 over")
    assert train_once(run) is RunStatus.DONE
    assert outcome(run) == compact.outcome


def test_mixup_and_averaged_weights_go_on_as_they_were(root: Path) -> None:
    whole = trained_once("mixup and averaged weights", root)
    for place in ("best model saved", "epoch 2 over"):
        run = whole.again()
        interrupted(run, place)
        assert train_once(run) is RunStatus.DONE
        assert outcome(run) == whole.outcome


@pytest.mark.parametrize("place", ["step in epoch 2", "validation"])
def test_stopped(textbook: Whole, place: str) -> None:
    run = textbook.again()
    with ended_at(PLACES[place], run.request_stop):
        assert train_once(run) is RunStatus.STOPPED
    run.clear_stop()
    assert train_once(run) is RunStatus.DONE
    assert outcome(run) == textbook.outcome


def test_what_is_finished_is_not_trained_again(
    textbook: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = textbook.again()
    interrupted(run, "evaluating")
    (run.folder / "model.json").write_text("{")
    monkeypatch.setattr(train, "fit", lambda *_: pytest.fail("trained again"))
    assert train_once(run) is RunStatus.DONE
    assert outcome(run) == textbook.outcome


@pytest.mark.parametrize(
    "name",
    ["best.keras", "best.json", "history.csv", "steps.csv", "environment.json"]
    + ["backup/epoch_00002.npz", "model.json", "checksums.json"],
)
def test_a_damaged_file_blocks_no_resume(textbook: Whole, name: str) -> None:
    run = textbook.again()
    interrupted(run, "epoch 2 over")
    path = run.folder / name
    path.write_bytes(path.read_bytes()[:20] + b"\xff")
    assert train_once(run) is RunStatus.DONE
    assert outcome(run) == textbook.outcome


def test_a_lost_model_is_trained_again(textbook: Whole) -> None:
    run = textbook.again()
    interrupted(run, "evaluating")
    run.model_path.write_bytes(b"half")
    assert train_once(run) is RunStatus.DONE
    assert outcome(run) == textbook.outcome
