"""What a person said the class of an image is, where that was reviewed.

The list is corrections.json beside the index of a data set; each entry can be taken
back, and no file of the data set is ever changed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medmodel.core.errors import DataError, FileError
from medmodel.core.locks import Lock
from medmodel.core.storage import read_as, write_json
from medmodel.language import _

FILE = "corrections.json"


@dataclass(frozen=True)
class Correction:
    """A reviewed label.

    Args:
        path: The image, as the index names it.
        label: Its class in the data set.
        correction: The class that the person chose; the same where the label is right.
        id: Tells it from others.
        time: When, in seconds since 1970.
    """

    path: str
    label: str
    correction: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    time: float = field(default_factory=time.time)

    @property
    def changes(self) -> bool:
        """Whether it names another class than the data set."""
        return self.correction != self.label


@dataclass(frozen=True)
class _CorrectionsFile:
    """What corrections.json holds."""

    all: list[Correction]


def corrections(place: Path) -> list[Correction]:
    """The reviewed labels kept beside an index, oldest first; each image once.

    Args:
        place: As from `datasets.index_folder`.

    Raises:
        DataError: The file that holds them is damaged.
    """
    path = place / FILE
    try:
        kept = read_as(path, _CorrectionsFile)
    except FileError as error:
        raise DataError(
            _(
                "The corrected labels of this data set cannot be read: {path} is "
                "damaged. Restore it from a backup, or remove it and review again.",
                path=path,
            )
        ) from error
    return [] if kept is None else kept.all


def correct(place: Path, correction: Correction) -> None:
    """Keeps a reviewed label; an earlier one of the same image gives way.

    Raises:
        DataError: The file that holds them is damaged.
        OSError: The disk is full or fails.
    """
    with _alone(place):
        others = [c for c in corrections(place) if c.path != correction.path]
        _write(place, [*others, correction])


def undo(place: Path, correction_id: str = "") -> Correction | None:
    """Takes one back, the last one if none is named; None if there is none.

    Raises:
        DataError: The file that holds them is damaged.
        OSError: The disk is full or fails.
    """
    with _alone(place):
        kept = corrections(place)
        wanted = correction_id or (kept[-1].id if kept else "")
        gone = next((c for c in kept if c.id == wanted), None)
        if gone is not None:
            _write(place, [c for c in kept if c.id != wanted])
        return gone


def corrected_labels(
    labels: Mapping[str, str], reviewed: Sequence[Correction], classes: Sequence[str]
) -> dict[str, str]:
    """Path -> class after the corrections.

    A correction holds as long as the data set says what it said then; classes that the
    model does not have change nothing.

    Args:
        labels: Path -> class in the data set.
        reviewed: The corrections.
        classes: Those that an image may have.
    """
    changed = {
        c.path: c.correction
        for c in reviewed
        if labels.get(c.path) == c.label and c.correction in classes
    }
    return {**labels, **changed}


def _alone(place: Path) -> Lock:
    """Two people may review at once: neither's answer may be lost."""
    place.mkdir(parents=True, exist_ok=True)
    return Lock(place / "corrections.lock")


def _write(place: Path, kept: Sequence[Correction]) -> None:
    write_json(place / FILE, {"all": [asdict(correction) for correction in kept]})
