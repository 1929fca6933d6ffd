"""Attributes of a data set's images: from tables beside them and from DICOM headers.

A table is any CSV file or workbook in the folder with a column that names files; each
further column is an attribute, unless it names a person, a class or a split. Encodings,
separators and spellings of file names as of tables with labels.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medmodel.core.errors import ImageError, MedModelError
from medmodel.core.regular_files import open_data_file
from medmodel.core.samples import file_of
from medmodel.data.attributes.attribute_groups import NoGroups, to_groups
from medmodel.data.attributes.personal_columns import is_personal
from medmodel.data.layouts.listing import list_folder
from medmodel.data.tables import encodings, table_text
from medmodel.data.tables.column_names import kind_of_column, surest_file_column
from medmodel.data.tables.manifest import possible_tables
from medmodel.data.tables.table_layout import FileLookup
from medmodel.data.tables.table_lines import ManifestRow
from medmodel.imaging.decoded_image import HEAD
from medmodel.imaging.scans import acquisition, is_dicom
from medmodel.language import N_, _

MOST_HEADERS = 2000
"""DICOM files whose headers are read; each takes some milliseconds."""
MOST_ATTRIBUTES = 20
ATTRIBUTE_TITLES = {
    "sex": N_("Sex"),
    "age": N_("Age band"),
    "scanner": N_("Scanner"),
    "site": N_("Site"),
    "view": N_("View"),
}
"""Attributes of DICOM headers, and what people call them."""


@dataclass(frozen=True)
class ImageAttributes:
    """The attributes of some images.

    Args:
        groups: Title of each attribute -> group of each image, "" where it is not
            stated; of two that part the images alike only the first.
        left_out: Title of a column -> why it is no attribute, in a few words.
    """

    groups: Mapping[str, list[str]]
    left_out: Mapping[str, str] = field(default_factory=dict)


def image_attributes(
    folder: Path,
    paths: Sequence[str],
    patients: Sequence[str] = (),
    classes: Collection[str] = (),
) -> ImageAttributes:
    """The attributes of these images of a data set.

    Args:
        folder: The data set's.
        paths: Images by their names in its index.
        patients: Those of the images; none where they are not known of all.
        classes: Of the data set: columns that are called like one say the label.
    """
    files = [file_of(path) for path in paths]
    labels = {name.casefold() for name in classes}
    values = {
        name: column
        for name, column in _table_values(folder, files).items()
        if name.casefold() not in labels
    }
    values = {**_header_values(folder, files), **values}
    groups: dict[str, list[str]] = {}
    left_out: dict[str, str] = {}
    if len(set(files)) > MOST_HEADERS and _is_dicom(folder, files[0]):
        left_out[_("DICOM headers")] = _(
            "not read of more than {count:,} files", count=MOST_HEADERS
        )
    for title, of_images in values.items():
        try:
            persons = None if title in ATTRIBUTE_TITLES else patients or files
            parted = to_groups(title, of_images, persons)
        except NoGroups as reason:
            left_out[title] = str(reason)
            continue
        if len(set(parted) - {""}) < 2:
            continue
        same = next((t for t, g in groups.items() if _alike(g, parted)), None)
        if same is not None:
            left_out[title] = _("the same groups as {other}", other=same)
        elif len(groups) < MOST_ATTRIBUTES:
            groups[title] = parted
        else:
            left_out[title] = _("only {count} are compared", count=MOST_ATTRIBUTES)
    return ImageAttributes(groups, left_out)


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two attributes part the images alike, however their groups are called."""
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))


def _header_values(folder: Path, files: Sequence[str]) -> dict[str, list[str]]:
    """What DICOM headers say of the images; nothing where there are too many files."""
    distinct = list(dict.fromkeys(files))
    if len(distinct) > MOST_HEADERS:
        return {}
    facts = {file: _header(folder, file) for file in distinct}
    if not any(facts.values()):
        return {}
    return {name: [facts[f].get(name, "") for f in files] for name in ATTRIBUTE_TITLES}


def _is_dicom(folder: Path, file: str) -> bool:
    try:
        with open_data_file(folder, file) as opened:
            return is_dicom(opened.read(HEAD))
    except OSError:  # as in `_header`
        return False


def _header(folder: Path, file: str) -> dict[str, str]:
    """Empty of what is no DICOM file, or cannot be read."""
    try:
        with open_data_file(folder, file) as opened:
            if not is_dicom(opened.read(HEAD)):
                return {}
            opened.seek(0)
            return acquisition(opened.read(), Path(file).name)
    except (OSError, ImageError):  # the check of the data set names such files
        return {}


def _table_values(folder: Path, files: Sequence[str]) -> dict[str, list[str]]:
    """Title of a column -> its value of each image; "" where tables disagree."""
    listed = list_folder(folder).paths
    lookup, names = FileLookup(listed), encodings.names_of(listed)
    by_column: dict[str, dict[str, str]] = {}
    for path in possible_tables(listed):
        try:
            table = _read(folder, path, names)
        except (OSError, MedModelError, csv.Error):  # no table: a text, a damaged file
            continue
        if table is None:
            continue
        base = Path(path).parent.as_posix()
        rows = [ManifestRow(file, "", "", "") for file in table.files]
        matched = [found for _row, found in lookup.match_all(rows, base.strip("."))]
        for name, column in table.columns.items():
            of_files = by_column.setdefault(name, {})
            for file, value in zip(matched, column, strict=True):
                if of_files.setdefault(file, value) != value:
                    of_files[file] = ""
    return {
        name: [of_files.get(file, "") for file in files]
        for name, of_files in by_column.items()
        if any(file in of_files for file in files)
    }


@dataclass(frozen=True)
class _AttributeTable:
    """Names of files, and the further columns: name -> a value for each file."""

    files: list[str]
    columns: Mapping[str, list[str]]


def _read(folder: Path, path: str, names: set[str]) -> _AttributeTable | None:
    """A table with its attributes; None if no column names files, or there are none."""
    encoding = table_text.possible_encodings(folder, folder / path, names)[0]
    text = table_text.read_text(folder, folder / path, encoding)
    rows = list(table_text.rows(text, table_text.best_separator(text, path)))
    if not rows:
        return None
    at = table_text.header_place(rows)
    header, lines = rows[at], rows[at + 1 :]
    kinds = [kind_of_column(name) for name in header]
    place = surest_file_column(header)
    if place is None:
        return None
    lines = [line for line in lines if place < len(line) and line[place]]
    columns = {
        _known(name): [line[n] if n < len(line) else "" for line in lines]
        for n, (name, kind) in enumerate(zip(header, kinds, strict=True))
        if name and kind in ("", "maybe split") and not is_personal(name)
    }
    return _AttributeTable([line[place] for line in lines], columns)


def _known(name: str) -> str:
    """A column that is called like an attribute of headers is that attribute."""
    return name.casefold() if name.casefold() in ATTRIBUTE_TITLES else name
