"""Seconds left over all phases of a run, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medmodel.core.config import config_for
from medmodel.runs import time_left
from medmodel.runs.time_left import Part, TimeLeft
from medmodel.runs.time_plan import time_plan


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


PARTS = (
    Part("checking", 10, 1.0, "checking"),
    Part("training", 20, 2.0, "training"),
    Part("evaluating", 5, 1.0),
    Part("evaluating", 3, 1.0),
)


def test_guesses_of_all_phases_at_first() -> None:
    left, share = TimeLeft(PARTS, clock=Clock()).progress("checking", 0, 10)
    assert left == 10 + 40 + 5 + 3 and share == 0


def test_what_is_measured_corrects_the_later_phases() -> None:
    clock = Clock()
    plan = TimeLeft(PARTS, clock=clock)
    for done in range(1, 6):
        clock.now = 100 + 2 * done  # twice as slow as guessed, after a slow start
        left, share = plan.progress("checking", done, 10)
    assert left == pytest.approx(2 * 5 + 2 * 48)
    assert share == pytest.approx(110 / (110 + 106))


def test_a_correction_has_its_limits() -> None:
    clock = Clock()
    plan = TimeLeft(PARTS, clock=clock)
    for done in range(1, 6):
        clock.now = 100 * done
        left, _ = plan.progress("checking", done, 10)
    assert left == pytest.approx(500 + 4 * 48)


def test_the_same_phase_with_other_images_is_the_next_part() -> None:
    plan = TimeLeft(PARTS, clock=Clock())
    plan.progress("evaluating", 0, 5)
    assert plan.place == 2
    plan.progress("evaluating", 5, 5)
    assert plan.progress("evaluating", 0, 3)[0] == 3
    assert plan.place == 3
    # And once more: there is no further part.
    plan.progress("evaluating", 3, 3)
    assert plan.progress("evaluating", 0, 3)[0] == 3


def test_a_phase_that_is_not_planned_says_nothing() -> None:
    plan = TimeLeft(PARTS, clock=Clock())
    assert plan.progress("waiting for another run", 0, 0) == (None, 0.0)
    assert plan.place == -1


def test_a_phase_of_unknown_length_counts_its_guess_down() -> None:
    clock = Clock()
    plan = TimeLeft([Part("pilot", 0, 40.0)], clock=clock)
    plan.progress("pilot", 0, 0)
    clock.now = 30
    assert plan.progress("pilot", 0, 0)[0] == 10
    clock.now = 300
    assert plan.progress("pilot", 0, 0)[0] == 4


def test_the_next_run_knows_the_speed_of_this_one(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "speeds.json"
    plan = TimeLeft(PARTS, file, clock)
    plan.progress("checking", 0, 10)
    clock.now = 30
    plan.progress("checking", 10, 10)
    plan.progress("training", 0, 20)
    clock.now = 40
    plan.progress("training", 20, 20)
    plan.finish()
    assert json.loads(file.read_text()) == {"checking": 3.0, "training": 0.5}
    assert TimeLeft(PARTS, file, clock).progress("checking", 0, 10)[0] == 30 + 10 + 8


@pytest.mark.parametrize("text", ["{", "[]", '{"checking": "fast"}'])
def test_damaged_speeds_are_guessed_again(tmp_path: Path, text: str) -> None:
    file = tmp_path / "speeds.json"
    file.write_text(text)
    assert TimeLeft(PARTS, file, Clock()).progress("checking", 0, 10)[0] == 58


def test_a_clock_that_stands_still_corrects_nothing() -> None:
    plan = TimeLeft(PARTS, clock=Clock())
    for done in range(1, 6):
        left, _ = plan.progress("checking", done, 10)
    assert left == 40 + 5 + 3


def test_a_full_disk_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(time_left, "write_json", full)
    clock = Clock()
    plan = TimeLeft(PARTS, tmp_path / "speeds.json", clock)
    plan.progress("checking", 0, 10)
    clock.now = 30
    plan.progress("checking", 10, 10)
    plan.finish()
    assert plan.place == len(PARTS)


@pytest.mark.parametrize("recipe", ["instant", "compact"])
def test_the_plan_ends_with_what_follows_the_last_prediction(
    recipe: str, tmp_path: Path
) -> None:
    plan = time_plan(config_for(recipe, "/data/lungs"), 1000, tmp_path)
    phases = [part.phase for part in plan.parts]
    place = phases.index("evaluating")
    units, later = plan.parts[place].units, plan.parts[place + 1 :]
    assert later[-1].phase == "reference"
    left, _ = plan.progress("evaluating", units, units)
    assert left == pytest.approx(sum(part.guess for part in later))
    left, share = plan.progress("reference", 0, 0)
    assert left is not None and left > 0 and share < 1
