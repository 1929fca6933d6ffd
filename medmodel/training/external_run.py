"""Runs an external validation: another folder's images through a finished model."""

from __future__ import annotations

import numpy as np

from medmodel.core.errors import Cancelled
from medmodel.data.datasets import Index, index_dataset
from medmodel.data.folders import safe_folder
from medmodel.data.prepared import prepare
from medmodel.data.segmentation.prepared_masks import prepare_masks
from medmodel.evaluation import external_validation
from medmodel.inference import prediction
from medmodel.networks.hardware import choose_devices
from medmodel.quality.external_copies import find_external_copies
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import segmentation
from medmodel.training.segmentation_results import MaskedImages, outlined_rows

CHUNK = 256
"""Images between two looks at whether somebody asked to stop."""


def test(run: Run, reporter: StatusWriter) -> RunStatus:
    """Does an external test to its end, in this process; what was prepared is kept.

    Args:
        run: As from `external_validation.submit`; this process holds its lock.
        reporter: Told everything; says when to stop.

    Returns:
        `DONE`, or `STOPPED` if somebody asked for that.

    Raises:
        DataError: The folder cannot be used, or is no other place.
        RunError: The model is not there any more.
        OSError: The disk is full or fails.
    """
    try:
        _test(run, reporter)
    except Cancelled:
        return RunStatus.STOPPED
    return RunStatus.DONE


def _test(run: Run, reporter: StatusWriter) -> None:
    store = RunStore(run.folder.parent.parent)
    model = store.get(run.tested_model)
    preprocessing = model.model_facts.preprocessing
    _, device = choose_devices(run.config.device)
    reporter.update(device=device, epochs=0)
    reporter.progress("checking", 0, 0)
    index = index_dataset(safe_folder(run.config.dataset), reporter.job)
    if run.config.segments:
        _test_segmentation(run, model, index, reporter)
        return
    rows = external_validation.external_images(index, run, model)
    reporter.progress("comparing", 0, 0)
    copies = find_external_copies(index, model)
    external_validation.check_copies(index, rows, copies, model)
    prepared = prepare(index.folder, rows, preprocessing, reporter.job)
    loaded = prediction.load(model)
    scores = []
    for start in range(0, len(prepared.pixels), CHUNK):
        reporter.job.check()
        reporter.progress("testing", start, len(prepared.pixels))
        chunk = prepared.pixels[start : start + CHUNK]
        scores.append(prediction.predict(loaded, chunk))
    external_validation.write_external_test(
        run, model, prepared.table, np.concatenate(scores), copies
    )


def _test_segmentation(
    run: Run, model: Run, index: Index, reporter: StatusWriter
) -> None:
    """The same of a model that outlines, on the images there that have masks."""
    index, masks = segmentation.index_with_masks(index)
    rows = external_validation.external_images(index, run, model)
    reporter.progress("comparing", 0, 0)
    copies = find_external_copies(index, model)
    external_validation.check_copies(index, rows, copies, model)
    facts = model.model_facts
    prepared = prepare(index.folder, rows, facts.preprocessing, reporter.job)
    there = prepare_masks(
        index.folder,
        prepared,
        segmentation.shapes_of(index.readable),
        masks,
        facts.preprocessing,
        reporter.job,
    )
    samples = prepared.table.assign(split="test")
    images = MaskedImages(
        index.folder,
        index.table.set_index("path"),
        masks,
        external_validation.matching_values(
            facts.mask_values, there.values, index.folder
        ),
        samples,
        prepared.pixels,
    )

    def progress(done: int, images: int) -> None:
        reporter.job.check()
        reporter.progress("testing", done, images)

    every = np.arange(len(samples))
    tested = list(outlined_rows(prediction.load(model), images, every, progress))
    external_validation.write_external_segmentation(run, model, samples, tested, copies)
