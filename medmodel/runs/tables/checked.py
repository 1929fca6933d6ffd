"""Tables that are known to be whole: each is written with a checksum beside it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medmodel.core.errors import FileError, RunError
from medmodel.core.storage import (
    damaged,
    read_as,
    read_bytes,
    set_aside,
    write_json,
    write_rows,
)
from medmodel.language import _
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

CHECKSUMS = "checksums.json"
"""What split.csv and predictions.csv were when they were written."""
MOST_TABLE_BYTES = 4 << 30
_SPLITS = {"train", "val", "test"}


@dataclass(frozen=True)
class Checksum:
    """What a table was when it was written.

    Args:
        rows: Its lines without the header.
        sha256: Of its bytes, hexadecimal.
    """

    rows: int
    sha256: str


def write_checked(
    run: Run, path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Writes a table, and beside it what tells later whether it is still whole."""
    checksums = _checksums(run)
    if checksums.pop(path.name, None):
        # Ended in between, it must not be taken for the table that is new.
        _write_checksums(run, checksums)
    write_rows(path, header, rows)
    checksums[path.name] = checksum(path.read_bytes())
    _write_checksums(run, checksums)


def read_checked(run: Run, path: Path) -> bytes | None:
    """The content of a table; None if there is none.

    Raises:
        FileError: It is not what was written. Runs of earlier versions do not say.
    """
    content = read_bytes(path, MOST_TABLE_BYTES)
    expected = None if content is None else _checksums(run).get(path.name)
    if content is None or expected is None:
        return content
    actual = checksum(content)
    if actual.rows != expected.rows:
        raise damaged(
            path,
            _(
                "it has {rows:,} of {expected:,} rows",
                rows=actual.rows,
                expected=expected.rows,
            ),
        )
    if actual != expected:
        raise damaged(
            path, _("it was changed since {file} was written", file=CHECKSUMS)
        )
    return content


@contextlib.contextmanager
def unreadable_told(run: Run, path: Path) -> Iterator[None]:
    """While a table of answers is read: says of which run it is, and what to do.

    Raises:
        RunError: In place of a `FileError` or `ValueError`.
    """
    try:
        yield
    except FileError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(
            _(
                "The {file} of {title} cannot be read ({reason}): restore it from a "
                "backup, or train again.",
                file=path.name,
                title=run.title,
                reason=error,
            )
        ) from error


def check_samples(table: pd.DataFrame) -> None:
    """Refuses rows without a path or split, and those that occur twice.

    Raises:
        ValueError: There is one.
    """
    if table.isna().to_numpy().any() or (table["path"] == "").any():
        raise ValueError(_("a row is cut short"))
    if not set(table["split"]) <= _SPLITS:
        raise ValueError(_("a row belongs to no split"))
    twice = table[table.duplicated(["path", "split"])]
    if len(twice):
        raise ValueError(_("{rows} rows occur twice", rows=len(twice)))


def set_damaged_checksums_aside(run: Run) -> None:
    """Renames a damaged checksums.json: the tables then count as of an earlier version.

    Raises:
        OSError: The disk fails.
    """
    try:
        _checksums(run)
    except FileError:
        set_aside(run.folder / CHECKSUMS)


def checksum_of(run: Run, path: Path) -> Checksum | None:
    """What a table was when it was written; None for runs of earlier versions."""
    return _checksums(run).get(path.name)


def _checksums(run: Run) -> dict[str, Checksum]:
    """What the tables were when they were written, by their names.

    Raises:
        FileError: The file of it was changed.
    """
    path = run.folder / CHECKSUMS
    checksums = read_as(path, dict[str, Checksum]) or {}
    # Earlier versions did not say what the file itself was.
    expected = checksums.pop(CHECKSUMS, None)
    if expected not in (None, _checksum_of_checksums(checksums)):
        raise damaged(path, _("it was changed"))
    return checksums


def _write_checksums(run: Run, checksums: Mapping[str, Checksum]) -> None:
    values = {**checksums, CHECKSUMS: _checksum_of_checksums(checksums)}
    write_json(run.folder / CHECKSUMS, values)


def _checksum_of_checksums(checksums: Mapping[str, Checksum]) -> Checksum:
    lines = sorted(f"{name} {c.rows} {c.sha256}\n" for name, c in checksums.items())
    return checksum("".join(lines).encode())


def checksum(content: bytes) -> Checksum:
    """That of a table's bytes."""
    rows = max(content.count(b"\n") - 1, 0)
    return Checksum(rows, hashlib.sha256(content).hexdigest())
