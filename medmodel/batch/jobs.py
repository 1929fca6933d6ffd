"""Batches as jobs of the queue: asked for, listed, their model.

A batch lies in batches/<id> of the workspace and is worked on as a run is: it waits its
turn, shows how far it is, can be stopped and resumed, and survives its server.

    batch.json      whose model, which images
    batch.csv       one line for each image, as the model answers
    masks.bin       of a segmentation, the masks
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medmodel.core import audit
from medmodel.core.config import TrainConfig
from medmodel.core.errors import FileError, RunError
from medmodel.core.storage import file_digest
from medmodel.language import SOURCE, _, speaking
from medmodel.runs import queue
from medmodel.runs.run import BATCHES, Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import BatchRequest


def batch_store(root: Path | None = None) -> RunStore:
    """The batches of a workspace, by default of this installation's."""
    return RunStore(root, BATCHES)


def submit(model: Run, folder: Path, table: str = "") -> Run:
    """Puts a batch into the queue and sees that a worker comes for it.

    Args:
        model: The run whose model is asked.
        folder: Of the images.
        table: Path of the table in the folder that names them; "" for all images.

    Raises:
        RunError: The run has no model, or the workspace cannot be written.
    """
    model.model_facts  # noqa: B018 (raises where there is no model)
    root = model.folder.parent.parent
    with speaking(SOURCE):  # It is kept for all sessions.
        name = _("{model}, images of {folder}", model=model.title, folder=folder.name)
    config = replace(
        model.config,
        dataset=str(folder),
        name=name,
        device="auto",
        folds=1,
        fold=TrainConfig.fold,
    )
    request = BatchRequest(model.id, file_digest(model.model_path), table)
    batch = batch_store(root).create(config, {"batch.json": request})
    audit.record("batch", run=model.id, batch=batch.id)
    queue.notify_queue(RunStore(root))
    return batch


def batch_request(batch: Run) -> BatchRequest:
    """What was asked for.

    Raises:
        RunError: batch.json is lost or damaged.
    """
    try:
        request = batch.batch
    except FileError as error:
        raise RunError(str(error)) from error
    if request is None:
        raise RunError(_("The batch {id} has no batch.json any more.", id=batch.id))
    return request


def model_of(batch: Run) -> Run | None:
    """The run whose model a batch asks; None where it was deleted.

    Raises:
        RunError: batch.json is lost or damaged.
    """
    request = batch_request(batch)
    try:
        model = RunStore(batch.folder.parent.parent).get(request.model)
    except RunError:
        return None
    return model if model.has_model else None


def check_model(batch: Run, model: Run) -> None:
    """Refuses a model that is not the one that answered the first images.

    Raises:
        RunError: It was trained further since the batch was asked for.
    """
    if file_digest(model.model_path) != batch_request(batch).model_digest:
        raise RunError(
            _(
                "The model of {title} has changed since this batch was asked for: "
                "start a new one.",
                title=model.title,
            )
        )
