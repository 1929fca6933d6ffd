"""External validation: a finished model tested on a folder of another place.

The test is a run like any other: it waits its turn, shows how far it is, can be stopped
and resumed, and survives whatever its server does. In the end it holds a copy of the
model, the other folder as its data set and all of its images as test images. Its
validation images stay those of training, so that thresholds and temperature do.

    external.json     of the test: whose model, and which class there is which here
    elsewhere.json    of the model's run: its tests
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError, RunError, value_or_problem
from medmodel.core.samples import axis_of
from medmodel.core.storage import read_as, write_json
from medmodel.data.datasets import Index, load_index
from medmodel.data.layout import list_files
from medmodel.data.segmentation.pairs import image_masks
from medmodel.data.splits import known_patients
from medmodel.evaluation.calibration.temperature_scaling import stored_temperature
from medmodel.evaluation.decision.frozen_thresholds import frozen_thresholds
from medmodel.evaluation.decision.predicted_class import predicted_positions
from medmodel.evaluation.multi_label import external_findings
from medmodel.language import SOURCE, _, speaking
from medmodel.runs import queue
from medmodel.runs.copies import ExternalCopies, write_external_copies
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import (
    SAMPLE_COLUMNS,
    read_predictions,
    score_array,
    score_columns,
    write_predictions,
)
from medmodel.runs.tables.segmentation import write_segmentation
from medmodel.runs.tables.split import write_split

if TYPE_CHECKING:
    import pandas as pd

_COPIED = (
    *("history.csv", "environment.json", "model.json", "reference.npz"),
    "usual.npz",
)


def submit(run: Run, folder: Path, mapping: Mapping[str, str], store: RunStore) -> Run:
    """Puts the test of a model on another folder into the queue.

    Args:
        run: The finished run.
        folder: The other data set; it is checked first where that is needed.
        mapping: Class of the folder -> class of the model; others are left out. Of a
            segmentation empty: the values of its masks are classes.
        store: Where the test becomes a run.

    Raises:
        RunError: The run has no model, or the workspace cannot be written.
        DataError: A class is none of the model's, or none is left; of a segmentation,
            the folder has no masks; of several findings, it tells one class of each
            image.
    """
    class_names = run.model_facts.class_names
    counted_classes = {name: counted for name, counted in mapping.items() if counted}
    if run.config.segments:
        _check_masks(folder)
    elif not counted_classes or not set(counted_classes.values()) <= set(class_names):
        raise DataError(
            _("No class of {folder} counts as one of this model.", folder=folder.name)
        )
    if run.config.multi_label:
        external_findings.folder_findings(folder)
    with speaking(SOURCE):  # It is kept for all sessions, see `said_name`.
        name = _("{model}, tested on {folder}", model=run.title, folder=folder.name)
    config = replace(
        run.config,
        dataset=str(folder),
        name=name,
        device="auto",
        # The test of one fold's model is no fold of the other folder.
        folds=1,
        fold=TrainConfig.fold,
    )
    asked = {"model": run.id, "mapping": counted_classes}
    made = store.create(config, {"external.json": asked})
    write_json(run.folder / "elsewhere.json", [*_test_ids(run), made.id])
    audit.record("external_test", run=run.id, dataset=str(folder))
    queue.notify_queue(store)
    return made


def _check_masks(folder: Path) -> None:
    """Refuses a folder on which no segmentation can be tested."""
    if not image_masks(folder):
        raise DataError(
            _(
                "{name} has no image with a segmentation mask: put the masks into a "
                "folder masks beside the folder images, each called as its image.",
                name=folder.name,
            )
        )


def matching_values(
    own: Sequence[int], there: Sequence[int], folder: Path
) -> list[int]:
    """The value in the masks of another folder of each of a segmentation's classes.

    It is the same; where there is but one class here and one there, that one.

    Args:
        own: Value in masks of each class of the model, the background first.
        there: Values that occur in the masks there, without the background.
        folder: The other data set.

    Raises:
        DataError: There are values that are no class of the model.
    """
    if set(there) <= set(own):
        return list(own)
    if len(own) == 2 and len(there) == 1:
        return [0, there[0]]
    raise DataError(
        _(
            "The masks of {folder} hold the values {there}, this model outlines {own}: "
            "save them with the same value for each class.",
            folder=folder.name,
            there=", ".join(map(str, there)),
            own=", ".join(map(str, own[1:])),
        )
    )


def external_tests(run: Run, store: RunStore) -> list[Run]:
    """The tests of a run's model that are still there, newest first."""
    tests = []
    for run_id in reversed(_test_ids(run)):
        try:
            tests.append(store.get(run_id))
        except RunError:  # deleted since
            continue
    return tests


def model_run(run: Run, store: RunStore) -> Run | None:
    """The run whose model this run has: itself, or of a test the one it tests.

    None where that one was deleted.
    """
    model = run.tested_model
    try:
        return store.get(model) if model else run
    except RunError:
        return None


def classes_there(run: Run, folder: Path) -> list[str]:
    """The classes of a folder, or its findings where the model gives several.

    Raises:
        DataError: Its files cannot be told into classes, or it tells one class of each
            image where the model gives several findings, or it has none.
    """
    if run.config.multi_label:
        classes = external_findings.folder_findings(folder)
    else:
        classes = folder_classes(folder)
    if not classes:
        raise DataError(
            _("{folder} holds no class folders with images.", folder=folder.name)
        )
    return classes


def folder_classes(folder: Path) -> list[str]:
    """The classes of a folder, sorted; from its index, else from the files' places.

    Raises:
        DataError: Its files cannot be told into classes.
    """
    index = load_index(folder)
    if index is not None:
        return index.classes
    return sorted({file.label for file in list_files(folder)[0]})


def match_classes(class_names: Sequence[str], other: Sequence[str]) -> dict[str, str]:
    """Class of the other folder -> class of the model with the same name, or ""."""
    simple = {name.casefold().strip(): name for name in class_names}
    return {name: simple.get(name.casefold().strip(), "") for name in other}


def external_images(index: Index, run: Run, model: Run) -> pd.DataFrame:
    """The images of the other folder under the model's classes.

    Args:
        index: Of the other folder.
        run: The test.
        model: The run whose model is tested.

    Returns:
        Columns `path, label, patient`, sorted by path.

    Raises:
        DataError: No image is left, volumes are cut along another axis, or the folder
            tells one class of each image where the model gives several findings.
    """
    rows = index.readable.sort_values("path", ignore_index=True)
    patients = known_patients(index, run.config.patient_pattern)
    rows = rows[["path", "label"]].assign(patient=patients)
    mapping = run.class_mapping
    if run.config.multi_label:
        external_findings.check_several(index.multi_label, index.folder)
        rows["label"] = [
            external_findings.mapped_label(label, mapping) for label in rows["label"]
        ]
    elif not run.config.segments:
        rows["label"] = rows["label"].map(lambda name: mapping.get(name, ""))
    rows = rows[rows["label"] != ""].reset_index(drop=True)
    if rows.empty:
        raise DataError(
            _(
                "No image of {folder} has a class of this model.",
                folder=index.folder.name,
            )
        )
    _check_axis(index, model)
    return rows


def check_copies(
    index: Index, rows: pd.DataFrame, copies: ExternalCopies, model: Run
) -> None:
    """Refuses a test on nothing but images of the model's own data set.

    Args:
        index: Of the other folder.
        rows: As from `external_images`.
        copies: Which of its images are copies.
        model: The run whose model is tested.

    Raises:
        DataError: All of them are identical to one.
    """
    if rows["path"].isin(copies.identical or []).all():
        raise DataError(
            _(
                "All {images:,} images of {folder} are also in {title}'s own data "
                "set: that is no external test.",
                images=len(rows),
                folder=index.folder.name,
                title=model.title,
            )
        )


def write_external_test(
    run: Run,
    model: Run,
    rows: pd.DataFrame,
    scores: NDArray[np.floating],
    copies: ExternalCopies,
) -> None:
    """Writes what the test found, and a copy of the model, into the test's folder.

    Args:
        run: The test.
        model: The run whose model was tested.
        rows: As from `rows_to_test`, shape `(n, 3)`.
        scores: What the model said of each, shape `(n, classes)`.
        copies: Which of them are copies of images of the model's own data set.
    """
    write_external_copies(run, copies)
    if run.config.multi_label:
        external_findings.write_tables(model, run, rows, scores)
    else:
        _write_tables(model, run, rows, scores)
    _copy_model(model, run)
    # Temperature and thresholds come later still: they were chosen before this was
    # seen. Those of a model that was trained on since are none of this one.
    if value_or_problem(stored_temperature, model)[0] is not None:
        _copy(model, run, "calibration.json")
    if value_or_problem(frozen_thresholds, model)[0] is not None:
        _copy(model, run, "thresholds.json")


def write_external_segmentation(
    run: Run,
    model: Run,
    samples: pd.DataFrame,
    rows: Sequence[Sequence[Any]],
    copies: ExternalCopies,
) -> None:
    """The same of a segmentation.

    Args:
        run: The test.
        model: The run whose model was tested.
        samples: Columns `path, label, patient` of the images.
        rows: For segmentation.csv.
        copies: Which of them are copies of images of the model's own data set.
    """
    write_external_copies(run, copies)
    write_segmentation(run, rows)
    write_split(run, samples.assign(split="test")[list(SAMPLE_COLUMNS)])
    _copy_model(model, run)


def _copy_model(model: Run, run: Run) -> None:
    """The model comes after all that a run with a model is expected to have."""
    for name in _COPIED:
        if (model.folder / name).is_file():
            shutil.copy2(model.folder / name, run.folder / name)
    shutil.copyfile(model.model_path, run.folder / ".model")
    (run.folder / ".model").rename(run.model_path)


def _copy(model: Run, run: Run, name: str) -> None:
    shutil.copyfile(model.folder / name, run.folder / name)


def _test_ids(run: Run) -> list[str]:
    return read_as(run.folder / "elsewhere.json", list[str]) or []


def _check_axis(index: Index, model: Run) -> None:
    """Refuses volumes that are cut along another axis than those of training."""
    volumes = index.readable.loc[index.readable["format"] == "NIfTI", "path"]
    if volumes.empty:
        return
    trained_axis, other = model.model_facts.preprocessing.axis, axis_of(volumes)
    if trained_axis != other:
        raise DataError(
            _(
                "{title} learned from {axis_word} slices, those of {folder} are "
                "{other_word}: choose {axis_word} ones under Slices and frames of "
                "that data set.",
                title=model.title,
                axis_word=_(trained_axis),
                folder=index.folder.name,
                other_word=_(other),
            )
        )


def _write_tables(
    model: Run, run: Run, rows: pd.DataFrame, scores: NDArray[np.floating]
) -> None:
    import pandas as pd

    classes = model.model_facts.class_names
    if model.imported and not model.predictions_path.exists():
        validation = pd.DataFrame(columns=[*SAMPLE_COLUMNS, *score_columns(classes)])
    else:
        table = read_predictions(model)
        validation = table[table["split"] == "val"]
    tested = rows.assign(split="test")[list(SAMPLE_COLUMNS)]
    answers = np.concatenate([score_array(validation, classes), scores])
    threshold = model.model_facts.threshold
    positions = predicted_positions(answers, classes, threshold)
    write_predictions(
        run,
        classes,
        pd.concat([validation, tested]),
        answers,
        [classes[at] for at in positions] if threshold else None,
    )
    write_split(run, tested)
