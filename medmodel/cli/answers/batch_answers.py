"""A folder, a ZIP file or a table of images through a model: a batch, waited for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from medmodel.cli.batches import write_table
from medmodel.cli.output import goes_on, progress_bar
from medmodel.cli.parameters import FolderParameter
from medmodel.core.errors import DataError, os_reason
from medmodel.language import _, translate
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

LOOK_EVERY = 0.3
"""Seconds between two looks at the batch."""
_QUEUE_EVERY = 2.0


def is_batch(path: Path) -> bool:
    """Whether a path names many images: a folder, a ZIP file or a table."""
    from medmodel.data.tables.manifest import SUFFIXES

    return path.is_dir() or path.name.casefold().endswith((".zip", *SUFFIXES))


def predict_batch(
    run: Run,
    source: Path,
    output: Path,
    masks: Path | None = None,
    anyway: bool = False,
) -> dict[str, Any]:
    """Asks the model about all images, waits, and writes their table.

    The batch is one of the page Batch prediction: after Ctrl-C it goes on, and
    `medmodel watch` waits for it again.

    Args:
        run: The model's run.
        source: A folder, a ZIP file or a table.
        output: CSV or Parquet by its ending.
        masks: As for `write_table`.
        anyway: Likewise.

    Returns:
        As `write_table`.

    Raises:
        DataError: The images cannot be used, or the table cannot be written.
        RunError: The batch failed or was stopped.
    """
    from medmodel.batch import jobs

    folder, listed = _images_of(source)
    batch = jobs.submit(run, folder, listed)
    _wait(batch)
    return write_table(batch, output, masks, anyway)


def _images_of(source: Path) -> tuple[Path, str]:
    """The folder, and the table in it that names the images, or ""."""
    from medmodel.data import importing

    if source.is_dir():
        return _folder(source), ""
    if not source.name.casefold().endswith(".zip"):
        return _folder(source.absolute().parent), source.name
    try:
        with source.open("rb") as archive:
            return importing.import_zip(archive, source.name).folder, ""
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be opened: {reason}.",
                name=source.name,
                reason=os_reason(error),
            )
        ) from error


def _folder(path: Path) -> Path:
    return FolderParameter().convert(str(path), None, None)


def _wait(batch: Run) -> None:
    from medmodel.runs import queue

    store = RunStore(batch.folder.parent.parent)
    queue_seen = 0.0
    sentence = _(
        "It goes on. Wait for its table: medmodel watch {id} --output FILE.csv, stop "
        "it: medmodel stop {id}",
        id=batch.id,
    )
    with goes_on(sentence), progress_bar() as show:
        while (status := batch.status).state.active:
            share = status.done / status.total if status.total else 0.0
            show(share, translate(status.message))
            if time.monotonic() - queue_seen > _QUEUE_EVERY:
                queue.ensure_worker(store)
                queue_seen = time.monotonic()
            time.sleep(LOOK_EVERY)
