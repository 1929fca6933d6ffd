"""Results of a reader study: reader alone, model, reader with model, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.reader_study import Answer, ReaderStudy
from medmodel.evaluation.comparison.model_comparison import (
    CommonImages,
    PairedDifference,
    common_images,
    compare,
)
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import N_, _
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import PREDICTED, score_columns

ALONE, MODEL, AIDED = N_("Reader alone"), N_("Model"), N_("Reader with model")


@dataclass(frozen=True)
class StudyResults:
    """What a reader did, alone and with the model, on the same images.

    Args:
        images: Images that were read both ways.
        common: `ALONE`, `MODEL` and `AIDED` as models of these images; a reader's score
            of the named class is the confidence, the others share the rest.
        improved: Wrong alone, right with the model.
        worsened: Right alone, wrong with the model.
        changed: Images of which the reader changed the class.
        kappa_model: Cohen's kappa of the reader alone and the model; not-a-number where
            both always say the same one class.
        kappa_aided: Of the reader with the model and the model.
        seconds_alone: Median time of an image alone.
        seconds_aided: Median further time with the model.
    """

    images: int
    common: CommonImages
    improved: int
    worsened: int
    changed: int
    kappa_model: float
    kappa_aided: float
    seconds_alone: float
    seconds_aided: float

    def differences(self, metric: str) -> list[PairedDifference]:
        """Every pair by one metric, corrected by Holm; as in `compare`."""
        return compare(self.common, metric)


def study_results(run: Run, study: ReaderStudy) -> StudyResults:
    """Results of the images that were read so far, alone and with the model.

    Args:
        run: The run whose model was shown.
        study: Its readings.

    Raises:
        DataError: No image was read both ways, or the run has no prediction of one.
        RunError: The run has no predictions.
    """
    readings = study.complete
    table = independent_predictions(run).set_index("path")
    paths = [reading.path for reading in readings]
    if not paths or not set(paths) <= set(table.index):
        raise DataError(_("No image was read yet that this model has predicted."))
    rows = table.loc[paths].reset_index()
    alone = [reading.alone for reading in readings]
    aided = [reading.aided for reading in readings if reading.aided]
    common = common_images(
        {
            ALONE: _as_predictions(rows, study.classes, alone),
            MODEL: rows,
            AIDED: _as_predictions(rows, study.classes, aided),
        }
    )
    first, model, last = (common.models[name] for name in (ALONE, MODEL, AIDED))
    right_first, right_last = (m.predicted == m.truth for m in (first, last))
    return StudyResults(
        images=len(paths),
        common=common,
        improved=int((right_last & ~right_first).sum()),
        worsened=int((right_first & ~right_last).sum()),
        changed=int((first.predicted != last.predicted).sum()),
        kappa_model=cohen_kappa(first.predicted, model.predicted),
        kappa_aided=cohen_kappa(last.predicted, model.predicted),
        seconds_alone=float(np.median([answer.seconds for answer in alone])),
        seconds_aided=float(np.median([answer.seconds for answer in aided])),
    )


def _as_predictions(
    rows: pd.DataFrame, classes: list[str], answers: Sequence[Answer]
) -> pd.DataFrame:
    """A reader's answers as a table of predictions.

    The class that was named comes first however low the confidence is: at least a
    little above what an equal share would be.
    """
    columns = score_columns(classes)
    least = 1 / len(classes) + 1e-6
    scores = np.empty((len(answers), len(classes)))
    for row, answer in enumerate(answers):
        share = max(answer.confidence / 100, least)
        scores[row] = (1 - share) / (len(classes) - 1)
        scores[row, classes.index(answer.label)] = share
    # The threshold is the model's: of a reader the highest score decides.
    own = rows.drop(columns=PREDICTED, errors="ignore")
    return own.assign(**dict(zip(columns, scores.T, strict=True)))


def cohen_kappa(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """Agreement beyond chance of two readers of the same images.

    Args:
        one: Class of each image, shape `(n,)`.
        other: Likewise.

    Returns:
        At most 1; not-a-number where chance alone would agree always.

    Reference: Cohen, Educational and Psychological Measurement 20 (1960) 37.
    """
    agreement = float(np.mean(one == other))
    classes = np.union1d(one, other)
    chance = sum(float(np.mean(one == k) * np.mean(other == k)) for k in classes)
    return float("nan") if chance >= 1 else (agreement - chance) / (1 - chance)


def results_table(
    results: StudyResults, metrics: Sequence[str], position: int | None = None
) -> pd.DataFrame:
    """Every metric of reader, model and both, as text with intervals.

    Args:
        results: As from `study_results`.
        metrics: Keys of `metric_table.METRICS`.
        position: The positive class of two; None for means over the classes.
    """
    rows = []
    for key in metrics:
        metric = METRICS[key]
        of_class = position if metric.averaged else None
        title = metric.overall_title if of_class is None else _(metric.title)
        values = {
            _(name): str(metric.estimate(predictions, of_class))
            for name, predictions in results.common.models.items()
        }
        rows.append({_("Metric"): title, **values})
    return pd.DataFrame(rows)
