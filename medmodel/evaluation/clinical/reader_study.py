"""Reader study: a person reads images alone, then sees the model and may change.

The reading before the model is shown is committed and never changed. A study is a file
beside the run, written after every image: it can be left and gone on with.

Reference: sequential design; Obuchowski and Bullen, Statistics in Medicine 41 (2022)
1147. Confidence as a percentage: Gur et al., Radiology 244 (2007) 5.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from medmodel.core.errors import DataError, FileError, RunError
from medmodel.core.storage import damaged, read_as, write_json
from medmodel.language import _
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import RUN_ID, Run
from medmodel.runs.tables.predictions import scored_classes

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
FEWEST, MOST = 2, 1000
"""Images of a study."""


@dataclass(frozen=True)
class Answer:
    """What a reader says of an image.

    Args:
        label: The class.
        confidence: In per cent, that this is right.
        seconds: From seeing the image, or the model's answer, to saying so.
    """

    label: str
    confidence: Percent
    seconds: Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class Reading:
    """One image: first alone, then with the model.

    Args:
        path: The image, as in the run's predictions.
        alone: Before the model's answer was shown.
        aided: Afterwards; None until it is said.
    """

    path: str
    alone: Answer
    aided: Answer | None = None


@dataclass(frozen=True)
class ReaderStudy:
    """What a study's file holds; no reader's name.

    Args:
        id: Names the file.
        paths: The images in the order in which they are read.
        classes: Those of the model.
        created: Seconds since 1970.
        readings: So far, in this order.
    """

    id: str
    paths: list[str]
    classes: list[str]
    created: float
    readings: list[Reading] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether every image was read, alone and with the model."""
        return len(self.complete) == len(self.paths)

    @property
    def complete(self) -> list[Reading]:
        """Images that were read alone and with the model."""
        return [reading for reading in self.readings if reading.aided]

    @property
    def current(self) -> str:
        """The image to be read, alone or with the model; "" after the last."""
        done = len(self.complete)
        return self.paths[done] if done < len(self.paths) else ""

    @property
    def waits_for_aided(self) -> bool:
        """Whether the current image was read alone, and the model is to be shown."""
        return len(self.readings) > len(self.complete)


def begin_study(run: Run, images: int, seed: int | None = None) -> ReaderStudy:
    """A new study over test images in random order, copies of training images left out.

    Args:
        run: A run that has predicted test images.
        images: How many, at most; as many of each class as can be had.
        seed: Of the draw and the order; by chance without one.

    Raises:
        DataError: There are too few test images.
        RunError: The run has no predictions.
        OSError: The disk is full or fails.
    """
    chosen, classes = draw_images(run, images, seed)
    study = ReaderStudy(secrets.token_hex(6), chosen, classes, time.time())
    _write(run, study)
    return study


def draw_images(
    run: Run, images: int, seed: int | None = None
) -> tuple[list[str], list[str]]:
    """Test images to be read in random order, and the model's classes.

    Takes the arguments of `begin_study` and raises what it raises, but writes nothing.
    """
    table = independent_predictions(run)
    tested = table[table["split"] == "test"]
    if len(tested) < FEWEST:
        raise DataError(
            _("A reader study needs {count} test images at least.", count=FEWEST)
        )
    random = np.random.default_rng(seed)
    paths, labels = tested["path"].tolist(), tested["label"].tolist()
    chosen = _drawn(paths, labels, min(images, MOST), random)
    return chosen, scored_classes(table)


def _drawn(
    paths: Sequence[str],
    labels: Sequence[str],
    images: int,
    random: np.random.Generator,
) -> list[str]:
    """Images in random order, the classes in turn as long as they last."""
    remaining = {
        label: [p for p, other in zip(paths, labels, strict=True) if other == label]
        for label in sorted(set(labels))
    }
    for members in remaining.values():
        random.shuffle(members)
    chosen: list[str] = []
    while len(chosen) < images and any(remaining.values()):
        for members in remaining.values():
            if members and len(chosen) < images:
                chosen.append(members.pop())
    random.shuffle(chosen)
    return chosen


def read_alone(run: Run, study: ReaderStudy, answer: Answer) -> ReaderStudy:
    """Commits what the reader says of the current image before the model is shown.

    Raises:
        DataError: It was read already, or there is no such class.
        OSError: The disk is full or fails.
    """
    _check(study, answer)
    if study.waits_for_aided or not study.current:
        raise DataError(_("This image was read already: its first reading stays."))
    readings = [*study.readings, Reading(study.current, answer)]
    return _write(run, replace(study, readings=readings))


def read_aided(run: Run, study: ReaderStudy, answer: Answer) -> ReaderStudy:
    """What the reader says of the current image when the model was shown.

    Raises:
        DataError: It was not read alone, or there is no such class.
        OSError: The disk is full or fails.
    """
    _check(study, answer)
    if not study.waits_for_aided:
        raise DataError(_("Read this image without the model first."))
    last = replace(study.readings[-1], aided=answer)
    return _write(run, replace(study, readings=[*study.readings[:-1], last]))


def studies(run: Run) -> list[ReaderStudy]:
    """A run's studies, the newest first; damaged files are left out."""
    found = []
    for path in _folder(run).glob("*.json"):
        try:
            found.append(load_study(run, path.stem))
        except (FileError, RunError):
            continue
    return sorted(found, key=lambda study: -study.created)


def load_study(run: Run, study_id: str) -> ReaderStudy:
    """A study by its id.

    Raises:
        RunError: There is none.
        FileError: Its file is damaged.
    """
    if not RUN_ID.fullmatch(study_id):
        raise RunError(_("That is not the id of a reader study."))
    path = _folder(run) / f"{study_id}.json"
    study = read_as(path, ReaderStudy)
    if study is None:
        raise RunError(_("There is no such reader study any more."))
    read = [reading.path for reading in study.readings]
    named = {study.id} == {study_id} and set(study.classes) >= {
        answer.label
        for reading in study.readings
        for answer in (reading.alone, reading.aided)
        if answer
    }
    open_readings = [n for n, r in enumerate(study.readings) if r.aided is None]
    if (
        not named
        or read != study.paths[: len(read)]
        or open_readings
        not in (
            [],
            [len(read) - 1],
        )
    ):
        raise damaged(path, _("its readings are not those of its images"))
    return study


def delete_study(run: Run, study: ReaderStudy) -> None:
    """Removes a study for good."""
    (_folder(run) / f"{study.id}.json").unlink(missing_ok=True)


def _check(study: ReaderStudy, answer: Answer) -> None:
    if answer.label not in study.classes:
        raise DataError(_("There is no class {name}.", name=answer.label))
    if not 0 <= answer.confidence <= 100:
        raise DataError(_("Confidence lies between 0 and 100 %."))


def _folder(run: Run) -> Path:
    return run.folder / "readings"


def _write(run: Run, study: ReaderStudy) -> ReaderStudy:
    write_json(_folder(run) / f"{study.id}.json", study)
    return study
