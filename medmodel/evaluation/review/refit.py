"""Refit: an Instant run trained again with the labels that people corrected.

A refit is a run of its own, with the split of the run that it came from and the
corrected labels: no image changes its split, so no test image is ever trained on.

    refit.json             of the refit: which run it came from, how many corrections
    refit_validation.csv   of the refit: scores of validation images before and after
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.core.errors import DataError, value_or_problem
from medmodel.core.storage import damaged, read_bytes, write_rows
from medmodel.data.corrections.label_corrections import (
    Correction,
    corrected_labels,
    corrections,
)
from medmodel.data.datasets import index_folder
from medmodel.data.folders import safe_folder
from medmodel.evaluation.comparison.paired_tests import accuracy_difference
from medmodel.evaluation.decision.predicted_class import (
    decision_threshold,
    predicted_positions,
)
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import all_images
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import SOURCE, _, speaking
from medmodel.runs import queue, run_index
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Refit, RunStatus, Status
from medmodel.runs.tables.predictions import score_columns
from medmodel.runs.tables.split import read_split, write_split

if TYPE_CHECKING:
    import pandas as pd

VALIDATION = "refit_validation.csv"
_KEPT = ("environment.json", "encoder.json")
"""Files of the run that say how it was trained: its input size, its encoder."""
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class RefitResult:
    """What a refit changed on the validation images, by their corrected labels.

    Args:
        before: Accuracy of the model that it came from.
        after: Accuracy of the refitted one.
        difference: The second minus the first, of the same images.
        p: Of McNemar's test of the difference, two-sided.
        changed: Validation images whose predicted class is another one.
        images: Validation images.
    """

    before: Estimate
    after: Estimate
    difference: Estimate
    p: float
    changed: int
    images: int

    def __str__(self) -> str:
        """The sentence."""
        values = {
            "before": self.before,
            "after": self.after,
            "changed": self.changed,
            "images": self.images,
        }
        if not self.difference.has_interval:
            return _(
                "Validation accuracy {before} before, {after} after; {changed:,} of "
                "{images:,} images have another predicted class.",
                **values,
            )
        return _(
            "Validation accuracy {before} before, {after} after: a difference of "
            "{points:+.1f} percentage points ({low:+.1f} to {high:+.1f}); {changed:,} "
            "of {images:,} images have another predicted class.",
            points=100 * self.difference.value,
            low=100 * self.difference.low,
            high=100 * self.difference.high,
            **values,
        )


def corrections_of(run: Run) -> list[Correction]:
    """The reviewed labels of a run's data set, oldest first.

    Raises:
        DataError: The data set is not there, or the list is damaged.
    """
    return corrections(index_folder(safe_folder(run.config.dataset)))


def original_run(run: Run, store: RunStore) -> Run:
    """The run that a refit came from; of another run itself.

    Raises:
        RunError: It was deleted.
    """
    return store.get(run.refit.run) if run.refit else run


def submit_refit(run: Run, store: RunStore) -> Run:
    """Puts a refit with all corrections of the data set into the queue.

    Args:
        run: An Instant run that ended, or a refit of one.
        store: Where the refit becomes a run.

    Raises:
        DataError: It is no Instant run, nothing was corrected in its images, or a class
            would lose its last training image.
        RunError: It has no model or no split, or the workspace cannot be written.
    """
    source = original_run(run, store)
    if source.config.training != "frozen" or source.tested_model:
        raise DataError(
            _("Only runs of the recipe Instant are refitted: {title}.", title=run.title)
        )
    classes = source.model_facts.class_names
    table, reviewed = read_split(source), corrections_of(source)
    labels = dict(zip(table["path"], table["label"], strict=True))
    corrected = corrected_labels(labels, reviewed, classes)
    changed = {path for path, label in corrected.items() if labels[path] != label}
    if not changed:
        raise DataError(_("No label of this run's images was corrected yet."))
    relabelled = table.assign(label=table["path"].map(corrected))
    _check_classes(table, relabelled)
    facts = Refit(
        run=source.id,
        reviewed=sum(c.path in labels for c in reviewed),
        corrected=len(changed),
        corrected_test=int(
            table.loc[table["split"] == "test", "path"].isin(changed).sum()
        ),
    )
    with speaking(SOURCE):  # It is kept for all sessions.
        name = _("{model}, refitted", model=source.title)

    def fill(made: Run) -> Status:
        write_split(made, relabelled)
        for file in _KEPT:
            if (source.folder / file).exists():
                shutil.copyfile(source.folder / file, made.folder / file)
        return Status(RunStatus.QUEUED, epochs=source.config.epochs)

    made = store.create(replace(source.config, name=name), {"refit.json": facts}, fill)
    audit.record("refit", run=source.id, refit=made.id)
    queue.notify_queue(store)
    return made


def _check_classes(table: pd.DataFrame, relabelled: pd.DataFrame) -> None:
    """Refuses labels of which a class would have nothing to learn from any more."""
    before, after = (
        set(each.loc[each["split"] == "train", "label"]) for each in (table, relabelled)
    )
    missing = sorted(before - after)
    if missing:
        raise DataError(
            _(
                "With these corrections no training image of {classes} is left: the "
                "model needs one at least. Undo a correction.",
                classes=_(", ").join(missing),
            )
        )


def refits_of(run: Run, store: RunStore) -> list[Run]:
    """The refits of a run that are still there, oldest first."""
    refits = []
    for entry in run_index.entries(store):
        # Of a damaged file the page of that run says so.
        refit, _problem = value_or_problem(lambda each: each.refit, entry.run)
        if refit is not None and refit.run == run.id:
            refits.append(entry.run)
    return sorted(refits, key=lambda each: each.id)


def write_validation(
    run: Run,
    rows: pd.DataFrame,
    classes: Sequence[str],
    before: NDArray[np.floating],
    after: NDArray[np.floating],
) -> None:
    """Writes refit_validation.csv, entirely or not at all.

    Args:
        run: The refit.
        rows: Columns `path, patient, label` of the validation images.
        classes: Of the model.
        before: Scores by the model that it came from, shape `(n, classes)`.
        after: By the refitted one.
    """
    header = ["path", "patient", "label"]
    columns = [*header, *(f"before_{c}" for c in classes), *score_columns(classes)]
    values = zip(rows[header].itertuples(index=False), before, after, strict=True)
    lines = ([*row, *(f"{score:.8g}" for score in (*b, *a))] for row, b, a in values)
    write_rows(run.folder / VALIDATION, columns, lines)


def refit_result(
    run: Run, labels: Mapping[str, str] | None = None
) -> RefitResult | None:
    """What a refit changed on the validation images; None while it is not known.

    Args:
        run: The refit.
        labels: Path -> class by which both are judged; those of the refit where None.

    Raises:
        FileError: refit_validation.csv is damaged.
        RunError: The run that it came from was deleted.
    """
    import pandas as pd

    path = run.folder / VALIDATION
    content = read_bytes(path, _MOST_BYTES)
    if content is None:
        return None
    try:
        names = pd.read_csv(io.BytesIO(content), nrows=0)
        texts = dict.fromkeys(("path", "patient", "label"), str)
        kinds = {str(n): texts.get(str(n), float) for n in names}
        table = pd.read_csv(io.BytesIO(content), dtype=kinds, keep_default_na=False)
        table = table.assign(split="val")
        if labels is not None:
            table["label"] = table["path"].map(labels).fillna(table["label"])
        after = split_predictions(table, "val")
        scores = table[[f"before_{c}" for c in after.classes]].to_numpy(float)
    except (ValueError, KeyError, DataError) as error:
        raise damaged(path) from error
    before = replace(after, scores=scores)
    source = original_run(run, RunStore(run.folder.parent.parent))
    return _result(_as_predicted(before, source), _as_predicted(after, run))


def _as_predicted(data: Predictions, run: Run) -> Predictions:
    """With the classes that the run's model predicts, by its decision threshold."""
    threshold = decision_threshold(run)
    choices = predicted_positions(data.scores, data.classes, threshold)
    return replace(data, choices=choices)


def _result(before: Predictions, after: Predictions) -> RefitResult:
    difference, p, _images = accuracy_difference(after, before)
    n = len(after.truth)
    return RefitResult(
        before=METRICS["accuracy"].estimate(before),
        after=METRICS["accuracy"].estimate(after),
        difference=where_enough(
            difference, "accuracy difference", all_images(after.patients, n)
        ),
        p=p,
        changed=int((before.predicted != after.predicted).sum()),
        images=n,
    )
