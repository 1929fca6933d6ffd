"""A folder, a ZIP file or a table of images through a model: a batch, waited for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.output import goes_on, progress_bar
from medmodel.cli.parameters import FolderParameter
from medmodel.core.errors import DataError, RunError, os_reason
from medmodel.language import _, translate
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status import RunStatus

if TYPE_CHECKING:
    import pandas as pd

LOOK_EVERY = 0.3
"""Seconds between two looks at the batch."""
_QUEUE_EVERY = 2.0
_ENDINGS = (".csv", ".parquet")


def is_batch(path: Path) -> bool:
    """Whether a path names many images: a folder, a ZIP file or a table."""
    from medmodel.data.tables.manifest import SUFFIXES

    return path.is_dir() or path.name.casefold().endswith((".zip", *SUFFIXES))


def check_output(output: Path | None) -> Path:
    """Where the table goes.

    Raises:
        click.UsageError: Nowhere, or to a file of another kind.
    """
    if output is None or output.suffix.casefold() not in _ENDINGS:
        raise click.UsageError(
            _("Say where the table goes: --output FILE.csv or FILE.parquet.")
        )
    return output


def predict_batch(run: Run, source: Path, output: Path) -> dict[str, Any]:
    """Asks the model about all images, waits, and writes their table.

    The batch is one of the page Batch prediction: with Ctrl-C it goes on there.

    Args:
        run: The model's run.
        source: A folder, a ZIP file or a table.
        output: CSV or Parquet by its ending.

    Returns:
        Id of the batch, and counts of images, of unreadable files and of images that
        are unlike the training data.

    Raises:
        DataError: The images cannot be used, or the table cannot be written.
        RunError: The batch failed or was stopped.
    """
    from medmodel.batch import jobs, table

    folder, listed = _images_of(source)
    batch = jobs.submit(run, folder, listed)
    _wait(batch)
    rows = table.described(table.read(batch), run)
    _write(rows, output)
    return {
        "batch": batch.id,
        "output": str(output),
        "images": len(rows),
        "unreadable": int((rows["problem"] != "").sum()),
        "unlike_training": int((rows["unlike_training"] == 1).sum()),
    }


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
    sentence = _("The batch goes on: see the page Batch prediction, {id}.", id=batch.id)
    with goes_on(sentence), progress_bar() as show:
        while (status := batch.status).state.active:
            share = status.done / status.total if status.total else 0.0
            show(share, translate(status.message))
            if time.monotonic() - queue_seen > _QUEUE_EVERY:
                queue.ensure_worker(store)
                queue_seen = time.monotonic()
            time.sleep(LOOK_EVERY)
    if status.state is RunStatus.DONE:
        return
    failure = status.failure
    raise RunError(
        f"{translate(failure.message)} {translate(failure.advice)}"
        if failure
        else translate(status.message)
    )


def _write(rows: pd.DataFrame, output: Path) -> None:
    from medmodel.batch import table
    from medmodel.core.storage import replacing

    exported = table.exported(rows)
    as_csv = output.suffix.casefold() == ".csv"
    content = table.csv_bytes(exported) if as_csv else table.parquet_bytes(exported)
    try:
        with replacing(output, "wb") as file:
            file.write(content)
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be written: {reason}.",
                name=output.name,
                reason=os_reason(error),
            )
        ) from error
