"""Which models Compare begins with; the others: test_compare_page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pages._shared.comparison import model_picker


def entries(*runs: str) -> dict[str, Any]:
    return {run: SimpleNamespace(run=SimpleNamespace(id=run)) for run in runs}


@pytest.mark.parametrize(
    ("session", "tested", "alike", "expected"),
    [
        ({}, "", "", []),
        ({}, "a", "a", ["a"]),
        ({}, "abc", "abc", ["c", "b"]),
        ({}, "abc", "ac", ["c", "a"]),
        ({}, "abc", "c", ["c"]),
        ({"chosen": "a"}, "abc", "abc", ["a", "c"]),
        ({"chosen": "gone"}, "abc", "abc", ["c", "b"]),
        ({"compared": ["a", "b"]}, "abc", "abc", ["a", "b"]),
        ({"compared": ["a", "gone"]}, "abc", "abc", ["c", "b"]),
        ({"compared": ["a"]}, "abc", "abc", ["c", "b"]),
    ],
)
def test_remembered_or_the_newest(
    session: dict[str, Any],
    tested: str,
    alike: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {"chosen": model_picker.CHOSEN, "compared": model_picker._COMPARED}
    state = {keys[name]: value for name, value in session.items()}
    monkeypatch.setattr(model_picker.st, "session_state", state)
    monkeypatch.setattr(
        model_picker, "is_comparable", lambda entry, first: entry.run.id in alike
    )
    assert model_picker._remembered(entries(*tested)) == expected
