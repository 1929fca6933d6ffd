"""The table of a data set's samples: its columns, and the CSV file that keeps it."""

from __future__ import annotations

import hashlib
import io
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from medmodel.core import samples
from medmodel.core.samples import Slicing
from medmodel.core.storage import read_bytes, replacing

if TYPE_CHECKING:
    import pandas as pd

_VERSION = 7
MOST_BYTES = 4 << 30
"""No index comes near: larger files are not read."""
log = logging.getLogger("medmodel.data.index_table")
_DIGEST = "sha256:"
"""In the first line, before the digest of all others."""
OLDER_VERSIONS = ("1", "3", "4", "5", "6")
"""Their tables can be shown, but are measured again by the next check."""
SAME_DIGESTS: tuple[str, ...] = ()
"""Older versions whose digests of pixels are those of today."""


class SampleRow(NamedTuple):
    """One sample of a data set, see `samples`; what could not be read has an `error`.

    Args:
        path: Its name: relative, posix.
        label: Its class.
        split: train, val or test; "" if the folder has none.
        bytes: Size of the file.
        mtime_ns: When the file changed last, in nanoseconds.
        format: As in `DecodedImage`, like `mode`, `frames`, `seen` and `series`.
        mode: See `format`.
        width: Of the decoded image in pixels.
        height: Of the decoded image in pixels.
        digest: Of the decoded pixels.
        patient: Stand-in for the number in a table or a DICOM header, else "".
        frames: See `format`.
        seen: See `format`.
        series: See `format`.
        hash: From here on as `image_stats.measure` says.
        mean: See `hash`.
        spread: See `hash`.
        white: See `hash`.
        rotated: See `hash`.
        colour: See `hash`.
        red: See `hash`.
        blue: See `hash`.
        error: Why it cannot be read; beginning with "-": why the file is left out.
    """

    path: str
    label: str = ""
    split: str = ""
    bytes: int = 0
    mtime_ns: int = 0
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    digest: str = ""
    patient: str = ""
    frames: int = 0
    seen: str = ""
    series: int = 0
    hash: str = ""
    mean: int = 0
    spread: int = 0
    white: int = 0
    rotated: int = 0
    colour: int = 0
    red: int = 0
    blue: int = 0
    error: str = ""


_DTYPES: dict[Any, Any] = {
    name: "int64" if kind is int else object
    for name, kind in get_type_hints(SampleRow).items()
}
_REPEATED = {"label", "split", "format", "mode", "patient", "seen", "error"}


def compact(values: Sequence[Any]) -> SampleRow:
    """A row whose words are kept in memory once for all rows."""
    return SampleRow._make(
        sys.intern(value) if name in _REPEATED else value
        for name, value in zip(SampleRow._fields, values, strict=True)
    )


def to_table(rows: Iterable[SampleRow]) -> pd.DataFrame:
    """The rows as a table, sorted by path."""
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=list(SampleRow._fields))
    return table.astype(_DTYPES).sort_values("path", ignore_index=True)


def write_table(path: Path, table: pd.DataFrame, slicing: Slicing) -> None:
    """Writes the table, with the choice of slices that it was made with."""
    choice = "" if slicing == Slicing() else f" {slicing.words()}"
    rows = table.to_csv(index=False).encode()
    with replacing(path, "wb") as file:
        file.write(f"# {_VERSION} {_DIGEST}{_digest(rows)}{choice}\n".encode())
        file.write(rows)


def _digest(rows: bytes) -> str:
    return hashlib.sha256(rows).hexdigest()


def read_table(
    path: Path, older: Sequence[str] = OLDER_VERSIONS
) -> tuple[pd.DataFrame, str] | None:
    """The table, and the choice of slices in words ("" where nobody chose).

    None if there is no such file, if it is of a version that is not in `older`, or no
    table: the next check makes it anew.

    Raises:
        FileError: There is something else in its place, or it cannot be read.
    """
    import pandas as pd

    content = read_bytes(path, MOST_BYTES)
    if content is None:
        return None
    try:
        first, _, rows = content.partition(b"\n")
        version, _, choice = first.decode("utf-8").strip()[2:].partition(" ")
        if version not in (str(_VERSION), *older):
            return None
        if choice.startswith(_DIGEST):  # which earlier programs did not write
            digest, _, choice = choice.partition(" ")
            if digest != f"{_DIGEST}{_digest(rows)}":
                raise ValueError("it was changed")
        table = pd.read_csv(io.BytesIO(rows), dtype=_DTYPES, keep_default_na=False)
    except ValueError as error:
        log.warning("%s is damaged, and is made anew: %s", path, type(error).__name__)
        return None
    if not {"path", "label", "split"} <= set(table):
        log.warning("%s is damaged, and is made anew", path)
        return None
    # The first version knew neither patients nor statistics.
    for name in set(SampleRow._fields) - set(table.columns):
        table[name] = 0 if _DTYPES[name] == "int64" else ""
    if version == "6":  # of later ones only DICOM of 8 bits is decoded otherwise
        table["hash"] = table["hash"].mask(table["format"] == "DICOM", "")
    elif version != str(_VERSION):
        table["hash"] = ""
    return table[list(SampleRow._fields)], choice


def rows_by_file(paths: Iterable[Path], slicing: Slicing) -> dict[str, list[SampleRow]]:
    """The rows of kept tables, by file; of later tables before those of earlier."""
    by_file: dict[str, list[SampleRow]] = {}
    wanted = "" if slicing == Slicing() else slicing.words()
    for path in paths:
        table, choice = read_table(path) or (to_table([]), wanted)
        if choice != wanted:
            # Another choice of slices changes these files' samples, and no others.
            table = table[(table["frames"] < 2) & (table["format"] != "NIfTI")]
        rows: dict[str, list[SampleRow]] = {}
        for values in table.itertuples(index=False):
            row = SampleRow._make(values)
            rows.setdefault(samples.file_of(row.path), []).append(row)
        by_file |= rows
    return by_file
