"""What a person said a data set's folders and tables mean, where names do not tell.

Kept as layout.json beside the index, never in the data set's folder. Whatever lists the
data set's files reads it: the check, training, external tests, the predictor's cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medmodel.core.errors import MALFORMED, DataError
from medmodel.core.storage import read_as, write_json
from medmodel.data.folders import index_folder
from medmodel.data.layouts.split_names import Role
from medmodel.language import N_, _

Folders = tuple[str, ...]
"""Names of the folders that a file lies in, the outermost first."""
_FILE = "layout.json"
ASK = N_(
    "Or choose on the data set's page how it is to be read; until then "
    "nothing is trained on it."
)


@dataclass(frozen=True)
class FolderReading:
    """What the levels of a data set's folders mean.

    Args:
        around: Folders that hold the whole data set; what lies elsewhere is left out.
        class_level: Of the folders below, which level names the class; 0 the first.
        split_level: Which level names the split; None if none does. The same as
            `class_level` where names such as "cat_train" say both.
        splits: Name of a folder at that level -> its split; "" left out.
    """

    around: Folders = ()
    class_level: int = 0
    split_level: int | None = None
    splits: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True)
class TableReading:
    """What the columns of a table mean, by their names in its header.

    Those of a table without a header are called (1), (2) …

    Args:
        file: The column that names the files; "": the table is not used.
        label: The column of the class; "" where folders say it.
        patient: The column of the patient; "" if there is none.
        split: The column of the split; "" if there is none.
        splits: Word in that column -> its split; "" left out.
        encoding: Of its text, as Python calls it; "" where the file says it.
        findings: The columns of yes and no, one for each finding of an image.
        finding_separator: Between several findings in the column of the class; ""
            where that is one class.
    """

    file: str = ""
    label: str = ""
    patient: str = ""
    split: str = ""
    splits: Mapping[str, Role] = field(default_factory=dict)
    encoding: str = ""
    findings: tuple[str, ...] = ()
    finding_separator: str = ""

    @property
    def has_labels(self) -> bool:
        """Whether it says the class or the findings of a file."""
        return bool(self.label or self.findings)


@dataclass(frozen=True)
class LayoutChoice:
    """What was chosen for a data set.

    Args:
        folders: How to read its folders; None: as their names say.
        tables: Path of a table inside the data set -> how to read it; others are read
            as the names of their columns say.
    """

    folders: FolderReading | None = None
    tables: Mapping[str, TableReading] = field(default_factory=dict)


class AmbiguousLayoutError(DataError):
    """A data set can be read in several ways, and a person has to choose.

    Args:
        sentence: What is not certain.
        table: Path of the table that it is about; "" if it is about folders.
    """

    def __init__(self, sentence: str, table: str = "") -> None:
        super().__init__(f"{sentence} {ASK}")
        self.sentence = sentence
        self.table = table


def load_choice(folder: Path) -> LayoutChoice:
    """What was chosen for the data set in a folder; nothing by default.

    Raises:
        DataError: The file that holds it is damaged.
    """
    path = index_folder(folder) / _FILE
    try:
        return read_as(path, LayoutChoice) or LayoutChoice()
    except MALFORMED as error:
        # To go on without it would train on what somebody left out.
        raise DataError(
            _(
                "What was chosen about the layout of this data set cannot be read: "
                "{path} is damaged. Restore it from a backup, or remove it and "
                "choose again.",
                path=path,
            )
        ) from error


def save_choice(folder: Path, choice: LayoutChoice) -> None:
    """Keeps what was chosen, in place of what was chosen before."""
    path = index_folder(folder) / _FILE
    if choice == LayoutChoice():
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(choice))
