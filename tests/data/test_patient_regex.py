"""A pattern that a person wrote may be slow or senseless: nothing waits for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import ConfigError
from medmodel.core.processes import sandbox
from medmodel.data import patient_regex

SENSELESS = ["(", "a{99999999999999999999}", "(" * 5000 + ")" * 5000]


@pytest.fixture(autouse=True)
def no_children_left() -> Iterator[None]:
    yield
    sandbox.close()


def test_the_group_or_the_match_is_the_patient() -> None:
    paths = ["a/p1_x.png", "a/IM-2.png", "a/none.png"]
    assert patient_regex.patients_of(paths, "") == ["", "", ""]
    assert patient_regex.patients_of(paths, r"p(\d)_|IM-(\d)") == ["1", "2", ""]
    assert patient_regex.patients_of(paths, r"p\d") == ["p1", "", ""]
    assert patient_regex.patients_of([], r"p\d") == []


def test_names_of_any_kind_come_back_as_they_were() -> None:
    name = "é\n\udcff\"'"
    assert patient_regex.patients_of([f"a/{name}.png"], r"(?s)/(.+)\.") == [name]


@pytest.mark.parametrize("pattern", SENSELESS, ids=["open", "often", "deep"])
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(ConfigError, match="regular expression"):
        patient_regex.patients_of(["a/1.png"], pattern)
    assert "patient_pattern" in config_problems(
        TrainConfig("/data", patient_pattern=pattern)
    )


def test_a_pattern_that_takes_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patient_regex, "SECONDS", 1)
    # Of processor time: however busy the machine is, that is what the pattern takes.
    with pytest.raises(ConfigError, match=r"within 1 seconds\. Repetitions"):
        patient_regex.patients_of(["a/" + "a" * 60 + "!.png"], "(a+)+$")
    assert patient_regex.patients_of(["a/1.png"], r"\d") == ["1"]


def test_a_busy_machine_says_nothing_of_the_pattern(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def busy(*_args: object, **_named: object) -> None:
        raise sandbox.MachineBusyError("busy")

    monkeypatch.setattr(sandbox, "ask", busy)
    with pytest.raises(ConfigError, match="as the machine is busy"):
        patient_regex.patients_of(["a/1.png"], r"\d")


def test_a_busy_machine_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []

    def ask(function: str, data: bytes, name: str, *limits: int, **_: str) -> object:
        waited.extend(limits)
        return {"patients": ["1"]}

    monkeypatch.setattr(sandbox, "ask", ask)
    assert patient_regex.patients_of(["a/1.png"], r"\d") == ["1"]
    assert waited == [5, 24]  # seconds of processor time; times as much wall time
