"""Results of a reading room: its readers, their majority and the model, paired."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.random_readers import (
    mean_of_readers,
    readers_against,
)
from medmodel.evaluation.clinical.reading_room import PhoneAnswer, ReadingRoom
from medmodel.evaluation.comparison.model_comparison import (
    CommonImages,
    PairedDifference,
    common_images,
    difference,
)
from medmodel.evaluation.comparison.paired_tests import corrected
from medmodel.evaluation.intervals.estimate import (
    NOT_MEASURABLE,
    Estimate,
    where_enough,
)
from medmodel.evaluation.intervals.minima import Members, all_images
from medmodel.evaluation.metrics.metric_table import METRICS, group_of_class
from medmodel.evaluation.predictions import Predictions
from medmodel.language import N_, _
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import (
    PREDICTED,
    decided_by_threshold,
    predicted_position,
    score_columns,
)

READERS, MAJORITY, MODEL = N_("Readers, mean"), N_("Majority"), N_("Model")
METRICS_OF_CHOICES = ("accuracy", "sensitivity", "specificity")
"""Metrics that the readers' mean has."""


@dataclass(frozen=True)
class RoomResults:
    """What a room's readers and the model did on the same images.

    Args:
        common: `MAJORITY` and `MODEL` as models of the images that anybody answered.
        choices: Position of the class that each reader named, shape `(readers,
            images)`, in the order of `common`; of those who answered every image.
        partial: Readers who did not answer every image: they count in the majority.
        unanswered: Images that nobody answered; left out.
    """

    common: CommonImages
    choices: NDArray[np.intp]
    partial: int
    unanswered: int

    @property
    def images(self) -> int:
        """Images that were answered."""
        return len(self.common.paths)

    @property
    def readers(self) -> int:
        """Readers who answered every image."""
        return len(self.choices)

    @property
    def model(self) -> Predictions:
        """The model on these images."""
        return self.common.models[MODEL]

    def estimate(self, name: str, metric: str, position: int | None) -> Estimate:
        """A metric of readers, majority or model, with its 95 % interval.

        Args:
            name: `READERS`, `MAJORITY` or `MODEL`.
            metric: Key of `METRICS`; readers have those of `METRICS_OF_CHOICES`.
            position: The positive class; None for all classes together, of which
                readers have the accuracy alone.
        """
        if name != READERS:
            return METRICS[metric].estimate(self.common.models[name], position)
        if metric == "accuracy":
            return self._mean(np.ones(self.images, np.bool_), metric, None)
        if position is None or metric not in METRICS_OF_CHOICES:
            return NOT_MEASURABLE
        positive = self.model.truth == position
        among = positive if metric == "sensitivity" else ~positive
        return self._mean(among, metric, position)

    def _mean(
        self, among: NDArray[np.bool_], metric: str, position: int | None
    ) -> Estimate:
        if not self.readers or not among.any():
            return NOT_MEASURABLE
        data = self.model
        choices, truth = self.choices[:, among], data.truth[among]
        patients = None if data.patients is None else data.patients[among]
        if position is None:
            correct, group = choices == truth, all_images(patients, len(truth))
        else:
            members: Members = "class" if metric == "sensitivity" else "rest"
            group = group_of_class(data, position, members)
            correct = (choices == position) == (truth == position)
        return where_enough(mean_of_readers(correct, patients), metric, group)

    def differences(self) -> list[PairedDifference]:
        """Accuracy of every pair on the same images, corrected by Holm.

        Readers against the model only where two readers answered every image, and not
        where all of them differ from it alike on every image: then they are the
        majority.
        """
        pairs = [difference(self.common, MAJORITY, MODEL, "accuracy")]
        if self.readers >= 2:
            readers = self._readers_against_model()
            if not math.isnan(readers.p):
                pairs.insert(0, readers)
        return corrected(pairs)

    def _readers_against_model(self) -> PairedDifference:
        data = self.model
        correct, right = self.choices == data.truth, data.predicted == data.truth
        estimate, p = readers_against(correct, right, data.patients)
        # Readers add to what images tell: from 10 on, intervals hold the truth 93 times
        # of 100 in simulations of 3 to 50 readers.
        group = all_images(data.patients, self.images)
        estimate = where_enough(estimate, "accuracy", group)
        values = (float(correct.mean()), float(right.mean()))
        test = N_("Obuchowski–Rockette, one treatment")
        return PairedDifference(
            "accuracy", READERS, MODEL, values, estimate, p, test, None
        )


def room_results(run: Run, reading: ReadingRoom) -> RoomResults:
    """Results of the images that were revealed so far.

    Raises:
        DataError: Nobody answered an image, or the run has no prediction of one.
        RunError: The run has no predictions.
    """
    answered = {
        path: answers
        for path, answers in zip(reading.paths, reading.answers, strict=False)
        if answers
    }
    table = independent_predictions(run).set_index("path")
    if not answered or not set(answered) <= set(table.index):
        raise DataError(_("Nobody answered yet."))
    rows = table.loc[list(answered)].reset_index()
    shares = np.stack(
        [majority_shares(a, len(reading.classes)) for a in answered.values()]
    )
    columns = score_columns(list(reading.classes))
    # The threshold is the model's: of the room the highest share decides.
    majority = rows.drop(columns=PREDICTED, errors="ignore")
    majority = majority.assign(**dict(zip(columns, shares.T, strict=True)))
    common = common_images({MAJORITY: majority, MODEL: rows})
    choices, partial = _choices([answered[path] for path in common.paths])
    unanswered = len(reading.answers) - len(answered)
    return RoomResults(common, choices, partial, unanswered)


def majority_shares(
    answers: tuple[PhoneAnswer, ...], classes: int
) -> NDArray[np.float64]:
    """How much the answers are for each class, shape `(classes,)`; sums to 1.

    The class that most named comes first; of equal ones that with the higher sum of
    confidences, and then the first one. Confidence parts nothing but ties.
    """
    counts, confidence = np.zeros(classes), np.zeros(classes)
    for answer in answers:
        counts[answer.choice] += 1
        confidence[answer.choice] += answer.confidence / 100
    weights = counts + 0.5 * confidence / max(len(answers), 1)
    return np.asarray(weights / weights.sum())


def _choices(
    answers: list[tuple[PhoneAnswer, ...]],
) -> tuple[NDArray[np.intp], int]:
    """Choices of readers who answered all images, and how many others there are."""
    by_reader: dict[int, dict[int, int]] = {}
    for image, each in enumerate(answers):
        for answer in each:
            by_reader.setdefault(answer.reader, {})[image] = answer.choice
    whole = [
        [choices[image] for image in range(len(answers))]
        for choices in by_reader.values()
        if len(choices) == len(answers)
    ]
    matrix = np.array(whole, np.intp).reshape(len(whole), len(answers))
    return matrix, len(by_reader) - len(whole)


def answers_table(run: Run, reading: ReadingRoom) -> pd.DataFrame:
    """Every answer as a row, with truth and model; phones by number, nobody's name.

    Raises:
        RunError: The run has no predictions.
    """
    table = independent_predictions(run).set_index("path")
    columns = score_columns(list(reading.classes))
    rows = []
    revealed = zip(reading.paths, reading.answers, strict=False)
    for number, (path, answers) in enumerate(revealed, 1):
        row = table.loc[[path]].iloc[0]
        first = predicted_position(row, reading.classes)
        score = float(row[columns[first]])
        facts = {
            "image": number,
            "path": path,
            "true_class": table.loc[path, "label"],
            "model_class": reading.classes[first],
            "model_score": round(score, 4),
            "model_tied": not decided_by_threshold(row, reading.classes)
            and bool((row[columns] == score).sum() > 1),
        }
        rows += [
            {
                **facts,
                "reader": answer.reader,
                "class": reading.classes[answer.choice],
                "confidence": answer.confidence,
                "seconds": answer.seconds,
            }
            for answer in answers
        ]
    return pd.DataFrame(rows)


def estimates_table(results: RoomResults, position: int | None) -> pd.DataFrame:
    """Metrics of readers, majority and model, as text with intervals."""
    rows = []
    for key in (*METRICS_OF_CHOICES, "auc"):
        metric = METRICS[key]
        of_class = position if metric.averaged else None
        title = metric.overall_title if of_class is None else _(metric.title)
        estimates = {
            name: results.estimate(name, key, of_class)
            for name in (READERS, MAJORITY, MODEL)
        }
        readers = estimates[READERS]
        values = {_(name): str(estimate) for name, estimate in estimates.items()}
        values[_(READERS)] = str(readers) if readers.measurable else "–"
        rows.append({_("Metric"): title, **values})
    return pd.DataFrame(rows)
