"""What is printed: JSON for any program, text that does nothing to a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from medmodel.cli import output


def printed(function: object, *arguments: object, **more: object) -> str:
    @click.command()
    def command() -> None:
        function(*arguments, **more)  # type: ignore[operator]

    return CliRunner().invoke(command, catch_exceptions=False).output


def test_what_is_no_number_is_null_in_json() -> None:
    values = {"a": float("nan"), "b": [1.5, (float("inf"), "ü")], "c": {"d": -0.0}}
    text = printed(output.print_json, values)
    assert json.loads(text) == {"a": None, "b": [1.5, [None, "ü"]], "c": {"d": 0.0}}
    assert "ü" in text


def test_a_line_of_json_is_one_line() -> None:
    assert printed(output.print_json_line, {"a": "x\ny"}) == '{"a": "x\\ny"}\n'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("a\tb\rc", "a\ufffdb\ufffdc"),
        ("two\nlines", "two\nlines"),
        ("\u202eevil", "\ufffdevil"),
        ("肺炎 é", "肺炎 é"),
    ],
)
def test_names_do_nothing_to_the_terminal(text: str, shown: str) -> None:
    assert printed(output.say, text) == shown + "\n"


def test_tables_are_aligned_by_what_letters_take() -> None:
    text = printed(
        output.say_table, ["NAME", "n"], [["肺炎", "7"], ["e\u0301", "12"]], numbers=[1]
    )
    assert text == "NAME   n\n肺炎   7\ne\u0301     12\n"


def test_a_cell_is_one_line() -> None:
    assert printed(output.say_table, ["A", "B"], [["x\ny", ""]]) == "A    B\nx y\n"


def test_moments_are_utc() -> None:
    assert output.moment(0) is None
    assert output.moment(86_400.5) == "1970-01-02T00:00:00+00:00"


def test_a_bar_in_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with output.progress_bar() as show:
        show(0.5, "Half")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with output.progress_bar() as show:
        show(0.25, "A quarter")
        show(2.0, "More than all")
    captured = capsys.readouterr()
    assert captured.out == "" and "A quarter" in captured.err
    assert "25%" in captured.err and "100%" in captured.err
    assert "200%" not in captured.err


def test_the_folder_of_tests_mirrors_the_commands() -> None:
    source = Path(output.__file__).parent
    tests = Path(__file__).parent
    modules = [p for f in (source, source / "answers") for p in f.glob("[a-z]*.py")]
    assert not [
        str(path)
        for path in modules
        if not (
            tests / path.relative_to(source).parent / f"test_{path.stem}.py"
        ).exists()
    ]
