"""Corruption test: a run's test images predicted again after every corruption.

The same images are asked each time, so that what a corruption costs is a paired
difference, with the interval of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DECODER_ERRORS, NPY_HEADER_ERRORS, MedModelError
from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.core.regular_files import open_regular
from medmodel.core.storage import damaged, newer, replacing
from medmodel.evaluation.comparison.paired_tests import accuracy_difference, holm
from medmodel.evaluation.decision.predicted_class import (
    decision_threshold,
    predicted_positions,
)
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import MINIMA, all_images, enough
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.language import N_, _, join_sentences, ngettext
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import DecisionThreshold
from medmodel.runs.tables.predictions import read_predictions

if TYPE_CHECKING:
    import pandas as pd

MOST_IMAGES = 200
"""Test images that are asked 50 times; drawn from all where there are more."""
SIGNIFICANT = 0.05
MIDDLE = 3
"""The strength at which corruptions are ranked."""
_FILE = "corruptions.npz"
_EXAMPLE = "example of "
"""Before the key of a corruption, what the array of its examples is called."""


@dataclass(frozen=True)
class CorruptionTest:
    """What a model says of the same test images, clean and corrupted.

    Args:
        clean: Of the images as they are.
        corrupted: Key of `CORRUPTIONS` -> one for each strength, mildest first.
        examples: Key of `CORRUPTIONS` -> the first image after each strength, uint8
            (STRENGTHS, height, width, channels).
    """

    clean: Predictions
    corrupted: dict[str, list[Predictions]]
    examples: dict[str, NDArray[np.uint8]]

    def change(self, key: str, strength: int) -> Estimate:
        """Accuracy under a corruption minus that of the clean images.

        Args:
            key: Of the corruption.
            strength: 1 to `STRENGTHS`.

        Returns:
            In fractions; without an interval where images or patients are too few.
        """
        estimate = accuracy_difference(self._at(key, strength), self.clean)[0]
        group = all_images(self.clean.patients, len(self.clean.truth))
        return where_enough(estimate, "accuracy difference", group)

    @property
    def too_few(self) -> str:
        """Why no difference has an interval, as a sentence; "" where they have."""
        units = all_images(self.clean.patients, len(self.clean.truth))
        if enough("accuracy difference", units):
            return ""
        least = MINIMA["accuracy difference"]
        return _(
            "Too few test images to tell what corruptions cost: {group}; {least} are "
            "the least.",
            group=units,
            least=least.patients if units.of_patients else least.images,
        )

    @property
    def verdict(self) -> str:
        """What costs accuracy, and how much at most; or why that cannot be told."""
        if self.too_few:
            return self.too_few
        falls = self.falls()
        if not falls:
            return _(
                "At strength {strength}, no corruption costs accuracy by more than "
                "chance could.",
                strength=MIDDLE,
            )
        changes = [self.change(key, MIDDLE) for key in falls]
        worst = [
            key
            for key, change in zip(falls, changes, strict=True)
            if math.isclose(change.value, changes[0].value)
        ]
        beyond = ngettext(
            "At strength {strength}, {count} of {all} corruptions costs more accuracy "
            "than chance could.",
            "At strength {strength}, {count} of {all} corruptions cost more accuracy "
            "than chance could.",
            len(falls),
            strength=MIDDLE,
            all=len(self.corrupted),
        )
        return join_sentences([beyond, _most_of_these(worst, changes[0])])

    def metric(self, name: str, key: str, strength: int) -> Estimate:
        """A metric of `METRICS` under a corruption; of strength 0 without it."""
        data = self._at(key, strength) if strength else self.clean
        return METRICS[name].estimate(data)

    def falls(self, strength: int = MIDDLE) -> list[str]:
        """Corruptions that cost accuracy beyond chance, the worst first.

        By McNemar's test, corrected for all corruptions at once by Holm's method; the
        interval of the difference must say so, too.

        Args:
            strength: 1 to `STRENGTHS`.
        """
        names = list(self.corrupted)
        tested = [accuracy_difference(self._at(k, strength), self.clean) for k in names]
        adjusted = holm([p for _estimate, p, _needed in tested])
        changes = {key: self.change(key, strength) for key in names}
        worse = [
            key
            for key, p in zip(names, adjusted, strict=True)
            if p <= SIGNIFICANT and changes[key].high < 0
        ]
        return sorted(worse, key=lambda key: changes[key].value)

    def _at(self, key: str, strength: int) -> Predictions:
        return self.corrupted[key][strength - 1]


def _most_of_these(worst: Sequence[str], change: Estimate) -> str:
    """What the worst corruptions cost, several only where they cost the same."""
    titles = [_(CORRUPTIONS[key].title) for key in worst]
    if len(titles) == 1:
        return _(
            "Largest loss among these: {corruption}, {points:.1f} percentage points "
            "({low:.1f} to {high:.1f}).",
            corruption=titles[0],
            points=-100 * change.value,
            low=-100 * change.high,
            high=-100 * change.low,
        )
    return _(
        "Largest loss among these: {corruptions}, {points:.1f} percentage points each.",
        corruptions=_(", ").join(titles),
        points=-100 * change.value,
    )


def corruption_task(run: Run) -> BackgroundTask:
    """The task that makes the test; its process asks the model."""
    return BackgroundTask(
        arguments=("medmodel.inference.corrupt_and_predict", str(run.folder)),
        state_path=run.folder / "corruptions.json",
        lock_path=run.folder / "corruptions.lock",
        log_path=run.folder / "corruptions.txt",
        interrupted=N_(
            "The test was not finished: its process was killed, or the machine went "
            "down. Start it again."
        ),
        unusable=N_("The folder of the run cannot be written"),
        folder=str(run.folder),
    )


def corruption_state(run: Run) -> TaskState:
    """How far a run's test is."""
    return corruption_task(run).state()


def write_corruption_test(
    run: Run,
    paths: Sequence[str],
    clean: NDArray[np.floating],
    corrupted: Mapping[str, NDArray[np.floating]],
    examples: Mapping[str, NDArray[np.uint8]],
) -> None:
    """Keeps what the model said, entirely or not at all.

    Args:
        run: The run.
        paths: The images, length n.
        clean: Scores of the images as they are, shape `(n, classes)`.
        corrupted: Key of `CORRUPTIONS` -> scores, shape `(STRENGTHS, n, classes)`.
        examples: As in `CorruptionTest`.
    """
    arrays: dict[str, Any] = {_EXAMPLE + key: image for key, image in examples.items()}
    arrays |= {"paths": np.array(paths, dtype=str), "clean": clean, **corrupted}
    with replacing(run.folder / _FILE, "wb") as file:
        np.savez_compressed(file, **arrays)


def known_from_training(run: Run) -> str:
    """That a model was trained on images with such corruptions, else ""."""
    less = _("Of corruptions of other kinds the test says less.")
    if members := corrupted_members(run):
        return join_sentences([members, less])
    if not run.config.augmentation.corruption:
        return ""
    return _(
        "This model was trained on images with corruptions of these kinds: of other "
        "kinds the test says less."
    )


def corrupted_members(run: Run) -> str:
    """How many members of an ensemble were trained on corrupted images, else ""."""
    ensemble = run.ensemble
    if ensemble is None:
        return ""
    if run.has_model:
        shares = {m.run: m.corruption for m in run.model_facts.members}
    else:
        shares = dict.fromkeys(ensemble.members, 0.0)
    store = RunStore(run.folder.parent.parent)
    corrupted = sum(
        bool(share or _corrupted_share(store, member))
        for member, share in shares.items()
    )
    if not corrupted:
        return ""
    return ngettext(
        "{count} of {members} members of this ensemble was trained on corrupted "
        "images.",
        "{count} of {members} members of this ensemble were trained on corrupted "
        "images.",
        corrupted,
        members=len(shares),
    )


def _corrupted_share(store: RunStore, run_id: str) -> float:
    """Of a member whose ensemble does not say it; 0 where that run is gone."""
    try:
        return store.get(run_id).config.augmentation.corruption
    except MedModelError:
        return 0.0


def read_corruption_test(run: Run) -> CorruptionTest | None:
    """A run's test.

    Returns:
        None where there is none, or the run has another model now.

    Raises:
        FileError: The file is damaged, or names images that the run has not predicted.
        RunError: The run has no predictions.
    """
    path = run.folder / _FILE
    if not path.exists() or newer(run.model_path, path):
        return None
    try:
        with open_regular(path) as raw, np.load(raw, allow_pickle=False) as arrays:
            threshold = decision_threshold(run)
            return _checked(dict(arrays), read_predictions(run), threshold)
    except MedModelError:
        raise
    except (*DECODER_ERRORS, *NPY_HEADER_ERRORS, BadZipFile) as error:
        raise damaged(path) from error


def _checked(
    arrays: Mapping[str, NDArray[Any]],
    table: pd.DataFrame,
    threshold: DecisionThreshold | None,
) -> CorruptionTest:
    """Raises: LookupError, ValueError: The arrays do not fit each other or the run."""
    test = table[table["split"] == "test"].drop_duplicates("path").set_index("path")
    rows = test.loc[[str(path) for path in arrays["paths"]]]
    clean = split_predictions(rows, "test")
    shape = clean.scores.shape
    scores = {key: arrays[key].astype(float) for key in CORRUPTIONS if key in arrays}
    expected = {"clean": shape} | dict.fromkeys(scores, (STRENGTHS, *shape))
    if not scores or any(arrays[key].shape != expected[key] for key in expected):
        raise ValueError("The arrays have other shapes than the run's classes.")
    if not all(np.isfinite(arrays[key]).all() for key in expected):
        raise ValueError("A score is not a number.")
    examples = {key: arrays[_EXAMPLE + key] for key in scores}
    if any(e.dtype != np.uint8 or e.ndim != 4 for e in examples.values()):
        raise ValueError("An example is no image.")

    def answered(given: NDArray[np.float64]) -> Predictions:
        choices = predicted_positions(given, clean.classes, threshold)
        return replace(clean, scores=given, choices=choices)

    return CorruptionTest(
        answered(arrays["clean"].astype(float)),
        {key: list(map(answered, five)) for key, five in scores.items()},
        examples,
    )
