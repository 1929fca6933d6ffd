"""The images of a batch: all of a folder, or those that a table in it names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from medmodel.core import samples
from medmodel.core.errors import DataError, os_reason, value_or_problem
from medmodel.data.layout import read_layout
from medmodel.data.layouts.layout_choice import TableReading
from medmodel.data.layouts.listing import is_no_image, list_folder
from medmodel.data.tables import encodings
from medmodel.data.tables.columns import Table, file_column, find_columns
from medmodel.data.tables.manifest import is_text, possible_tables
from medmodel.data.tables.table_layout import FileLookup
from medmodel.data.tables.table_lines import read_table
from medmodel.language import _


class BatchImage(NamedTuple):
    """One image that the model is to be asked about.

    Args:
        path: Of its file in the folder; of a line of the table without a file, what
            stands there.
        label: Its class where the table or a folder says it, or its findings as from
            `findings.join_findings`; else "".
        problem: Why it cannot be read, where that is known already; else "".
    """

    path: str
    label: str = ""
    problem: str = ""


def list_images(
    folder: Path, classes: Collection[str], table: str = ""
) -> list[BatchImage]:
    """The images of a folder in the order of their paths, or of a table in its order.

    Files whose names say that they are something else (tables, texts, archives), hidden
    ones and masks of segmentation are left out, except where a table names them. A
    class is known where a file lies in a folder that is called like a class, or where
    the table says it.

    Args:
        folder: The folder.
        classes: The model's.
        table: Path of the table in the folder; "" for all images.

    Raises:
        DataError: The folder holds no image, or the table names none, cannot be read,
            or is none.
    """
    listing = list_folder(folder)
    if table:
        # Whatever it names is tried: who reads it says why it is no image.
        everything = ["/".join(parts) for parts in listing.stats]
        images = _named_in(folder, table, everything, classes)
    else:
        paths = [p for p in listing.paths if not is_no_image(Path(p).name)]
        images = [
            BatchImage(samples.join(path), _class_folder(path, classes))
            for path in sorted(paths)
        ]
    if not images:
        raise DataError(
            _("{table} names no file.", table=table)
            if table
            else _("{folder} holds no image.", folder=folder.name)
        )
    return images


def told_findings(
    images: Sequence[BatchImage], folder: Path, findings: Sequence[str]
) -> list[BatchImage]:
    """The images with the findings that the folder tells of each, as its label.

    Where the folder is no data set of several findings, or says nothing of one of the
    model's, what an image has is not known, and the images are as they were.

    Args:
        images: As from `list_images`, without any class.
        folder: Their folder.
        findings: The model's.
    """
    layout, _problem = value_or_problem(read_layout, folder)
    if layout is None or not set(findings) <= set(layout.findings):
        return list(images)
    labels = {file.path: file.label for file in layout.files}
    return [each._replace(label=labels.get(each.path, "")) for each in images]


def tables_of(folder: Path) -> list[str]:
    """Tables of a folder that have a column of files, relative, the outermost first."""
    paths = list_folder(folder).paths
    names = encodings.names_of(paths)
    return [
        path
        for path in possible_tables(paths)
        if not is_text(path) and _is_table(folder, path, names)
    ]


def _is_table(folder: Path, path: str, names: Collection[str]) -> bool:
    try:
        return _find_table(folder, path, names) is not None
    except (DataError, OSError):
        return False


def _find_table(folder: Path, path: str, names: Collection[str]) -> Table | None:
    """The table, also one with nothing but a column of files; None if it is none.

    Raises:
        DataError: It is no text.
        OSError: It cannot be opened.
    """
    table = find_columns(folder, folder / path, None, names, ask=False)
    if isinstance(table, str):
        column = file_column(folder, folder / path)
        if not column:
            return None
        reading = TableReading(file=column)
        table = find_columns(folder, folder / path, reading, names, ask=False)
    if not isinstance(table, Table) or "file" not in table.columns:
        return None
    # What it says of splits is of no use here, and may be words that nobody knows.
    columns = {k: at for k, at in table.columns.items() if k in ("file", "label")}
    return replace(table, columns=columns, flags={}, split="")


def _named_in(
    folder: Path, path: str, paths: Sequence[str], classes: Collection[str]
) -> list[BatchImage]:
    """One image for each file that a table names; its first line counts."""
    try:
        table = _find_table(folder, path, encodings.names_of(paths))
    except OSError as error:
        raise DataError(
            _(
                "{table} cannot be opened: {reason}.",
                table=path,
                reason=os_reason(error),
            )
        ) from error
    if table is None:
        raise DataError(
            _(
                "{table} has no column of files: call one of its columns file.",
                table=path,
            )
        )
    above = table.path.parent.relative_to(folder).as_posix()
    base = "" if above == "." else above
    lookup = FileLookup(paths)
    images: dict[str, BatchImage] = {}
    for row, match in lookup.match_all(list(read_table(table, folder)), base):
        label = row.label if row.label in classes else ""
        if match in lookup.paths:
            image = BatchImage(
                samples.join(match), label or _class_folder(match, classes)
            )
        else:
            missing = _("named in {name}, but not there", name=Path(path).name)
            image = BatchImage(row.file[:200], label, match or missing)
        images.setdefault(image.path, image)
    return list(images.values())


def _class_folder(path: str, classes: Collection[str]) -> str:
    """The innermost of a file's folders that is called like a class; "" if none is."""
    above = reversed(PurePosixPath(path).parts[:-1])
    return next((name for name in above if name in classes), "")
