"""Patients with what a network sees in their images, and what happened to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.core.storage import read_if_whole
from medmodel.data.prepared import stored_features
from medmodel.evaluation.predictions import split_predictions
from medmodel.evaluation.survival.outcomes import Outcome, match_outcomes
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Images:
    """What is known of images before anybody asks what happened.

    Args:
        paths: Of each, (n,).
        patients: Of each; "" where unknown.
        tested: Whether it is a test image; the others are for development.
        numbers: What the network sees in it, shape `(n, d)`.
    """

    paths: list[str]
    patients: list[str]
    tested: NDArray[np.bool_]
    numbers: Floats


@dataclass(frozen=True)
class Patients:
    """Patients whose outcome is known.

    Args:
        numbers: Mean over the images of each, shape `(n, d)`.
        time: As in `Outcome`, (n,).
        event: Likewise.
    """

    numbers: Floats
    time: Floats
    event: NDArray[np.bool_]


@dataclass(frozen=True)
class Cohort:
    """Patients to fit to, and others to test on.

    Args:
        development: The model is fitted to these.
        test: It is tested on these; none of them is among the others.
        without_outcome: Images of which the table says nothing.
        in_both: Patients with images in both parts, who are left out of the test.
        unknown: Images whose patient is not known: each file counts as one.
        without_image: Patients or files of the table that no image belongs to.
    """

    development: Patients
    test: Patients
    without_outcome: int
    in_both: int
    unknown: int = 0
    without_image: int = 0


def score_images(predictions: pd.DataFrame, position: int) -> Images:
    """Validation and test images with the log-odds of one class's score.

    Args:
        predictions: Of a run, as from `read_predictions`.
        position: The class.

    Raises:
        DataError: One of the splits is empty.
    """
    parts = [predictions[predictions["split"] == name] for name in ("val", "test")]
    odds = [
        split_predictions(predictions, name).log_odds[:, position]
        for name in ("val", "test")
    ]
    return Images(
        [str(path) for part in parts for path in part["path"]],
        [str(patient) for part in parts for patient in part["patient"]],
        np.repeat([False, True], [len(part) for part in parts]),
        np.concatenate(odds)[:, None],
    )


@dataclass(frozen=True)
class _NotedEncoder:
    table: str


def feature_images(run: Run) -> Images | None:
    """All images of a run with the features of the frozen network; None without any.

    Training and validation images are for development.

    Raises:
        RunError: The run's split.csv cannot be read.
    """
    table = read_split(run)
    paths = [str(path) for path in table["path"]]
    noted = read_if_whole(run.folder / "encoder.json", _NotedEncoder)
    config = run.config
    # Beside another recipe's model there may be those of a run of Instant.
    network = config.model if config.training == "frozen" else TrainConfig.model
    stored = stored_features(
        Path(config.dataset),
        paths,
        run.model_facts.preprocessing,
        noted.table if noted else f"{network}_[0-9]*",
    )
    if stored is None:
        return None
    features, readable = stored
    rows = table.set_index("path").loc[readable]
    return Images(
        readable,
        [str(patient) for patient in rows["patient"]],
        (rows["split"] == "test").to_numpy(),
        np.asarray(features, float),
    )


def build_cohort(images: Images, outcomes: Mapping[str, Outcome]) -> Cohort:
    """Joins images and outcomes; each patient counts once.

    Args:
        images: As from `score_images` or `feature_images`.
        outcomes: As from `outcomes.outcomes_by_unit`.

    Raises:
        DataError: The table names none of the images, a patient's images have
            different outcomes, or one of the parts is empty.
    """
    units = match_outcomes(outcomes, images.paths, images.patients)
    named = [at for at, unit in enumerate(units) if unit]
    if not named:
        raise DataError(
            _(
                "The table names no patient and no image of this model. Its column "
                "must name patients as the data set does, or files."
            )
        )
    keys = {at: images.patients[at] or units[at] for at in named}
    by_key: dict[str, Outcome] = {}
    for at, key in keys.items():
        outcome = outcomes[units[at]]
        if by_key.setdefault(key, outcome) != outcome:
            raise DataError(
                _("The table gives images of one patient different outcomes.")
            )
    development = {keys[at] for at in named if not images.tested[at]}
    both = {keys[at] for at in named if images.tested[at]} & development
    parts = [
        _patients(images, keys, by_key, [at for at in named if wanted(at)])
        for wanted in (
            lambda at: not images.tested[at],
            lambda at: images.tested[at] and keys[at] not in both,
        )
    ]
    return Cohort(
        development=parts[0],
        test=parts[1],
        without_outcome=len(units) - len(named),
        in_both=len(both),
        unknown=sum(not images.patients[at] for at in named),
        without_image=len(outcomes.keys() - set(units)),
    )


def _patients(
    images: Images,
    keys: Mapping[int, str],
    outcomes: Mapping[str, Outcome],
    rows: Sequence[int],
) -> Patients:
    if not rows:
        raise DataError(
            _(
                "The table names no patient of the development images, or none of the "
                "test images: both are needed."
            )
        )
    names = list(dict.fromkeys(keys[at] for at in rows))
    place = {name: at for at, name in enumerate(names)}
    sums = np.zeros((len(names), images.numbers.shape[1]))
    positions = [place[keys[at]] for at in rows]
    np.add.at(sums, positions, images.numbers[list(rows)])
    counts = np.bincount(positions, minlength=len(names))
    return Patients(
        sums / counts[:, None],
        np.array([outcomes[name].time for name in names], float),
        np.array([outcomes[name].event for name in names], bool),
    )
