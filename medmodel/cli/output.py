"""What commands print: JSON for programs, sentences and tables for people."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import click

from medmodel.language import SOURCE, speaking

INTERRUPTED = 130
"""Exit status where somebody pressed Ctrl-C: 128 and the number of that signal."""
_STEPS = 1000
_GAP = "  "


def _speak_english(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    if value:
        ctx.with_resource(speaking(SOURCE))
    return value


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_speak_english,
    help="Print one JSON object, in English, in place of text.",
)
"""Every command has it; docs/command-line.md names the keys."""


def print_json(values: Any) -> None:
    """Prints a value as JSON; what is not a number is null."""
    click.echo(json.dumps(_finite(values), indent=2, ensure_ascii=False))


def print_json_line(values: Any) -> None:
    """Prints a value as one line of JSON, at once."""
    click.echo(json.dumps(_finite(values), ensure_ascii=False))
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def say(text: str = "", to_errors: bool = False) -> None:
    """Prints lines of text.

    Names of runs, classes and files are other people's: what would move the cursor or
    colour the terminal is shown as a mark.
    """
    lines = (
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        for line in text.split("\n")
    )
    click.echo("\n".join(lines), err=to_errors)


@contextlib.contextmanager
def goes_on(sentence: str) -> Iterator[None]:
    """Says, where Ctrl-C ends the waiting within it, that the work itself goes on.

    Args:
        sentence: That it does, and how to see it again.

    Raises:
        click.exceptions.Exit: With `INTERRUPTED`.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(f"\n{sentence}", to_errors=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def say_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()
) -> None:
    """Prints a table.

    Args:
        header: Of each column.
        rows: Their cells.
        numbers: Positions of columns that are aligned at the right.
    """
    lines = [[" ".join(cell.split()) for cell in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            " " * (width - _width(cell)) + cell
            if at in numbers
            else cell + " " * (width - _width(cell))
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        say(_GAP.join(cells).rstrip())


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: letters of Chinese take two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    marks = sum(bool(unicodedata.combining(letter)) for letter in text)
    return len(text) + wide - marks


def moment(seconds: float) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC; None for 0, which stands for never."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None]]:
    """Gives a function that shows a share, 0 to 1, and a sentence beside it.

    In a terminal alone, on the error stream: what is piped stays free of it.
    """
    if not sys.stderr.isatty():
        yield lambda share, text: None
        return
    with click.progressbar(length=_STEPS, file=sys.stderr, show_eta=False) as bar:

        def show(share: float, text: str) -> None:
            bar.label = text
            bar.pos = round(_STEPS * min(max(share, 0.0), 1.0))
            bar.render_progress()

        yield show
