"""Batches beside the runs, as commands list them and write their tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.output import moment, say, say_table
from medmodel.core import audit
from medmodel.core.errors import DataError, RunError, os_reason
from medmodel.language import _, translate
from medmodel.language.quantities import ago
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

if TYPE_CHECKING:
    import pandas as pd

_ENDINGS = (".csv", ".parquet")


def readable_batches(store: RunStore) -> tuple[list[Run], list[str]]:
    """The batches of a store, newest first, and a sentence for each damaged one."""
    from medmodel.batch import jobs

    readable, damaged = [], []
    for batch in store.list():
        try:
            jobs.batch_request(batch)
            batch.check_settings()
            batch.status  # noqa: B018 (raises where it is damaged)
        except RunError as error:
            damaged.append(translate(str(error)))
        else:
            readable.append(batch)
    return readable, damaged


def batch_values(batch: Run) -> dict[str, Any]:
    """A batch as JSON has it."""
    from medmodel.batch import jobs

    status, request = batch.status, jobs.batch_request(batch)
    return {
        "batch": batch.id,
        "title": batch.title,
        "state": status.state.value,
        "model": request.model,
        "dataset": batch.config.dataset,
        "table": request.table or None,
        "created": moment(status.created),
        "started": moment(status.started),
        "ended": moment(status.ended),
        "done": status.done,
        "total": status.total,
    }


def say_batches(batches: Sequence[Run]) -> None:
    """Prints a table of batches."""
    header = [_("Batch"), _("State"), _("Images"), _("Name"), _("Created")]
    say_table(header, [_row(batch) for batch in batches], numbers=(2, 4))


def _row(batch: Run) -> list[str]:
    status = batch.status
    images = f"{status.done:,}/{status.total:,}" if status.total else ""
    state, created = _(status.state.value), ago(status.created)
    return [batch.id, state, images, batch.title, created]


def check_output(output: Path | None) -> Path:
    """Where the table of a batch goes.

    Raises:
        click.UsageError: Nowhere, or to a file of another kind.
    """
    if output is None or output.suffix.casefold() not in _ENDINGS:
        raise click.UsageError(
            _("Say where the table goes: --output FILE.csv or FILE.parquet.")
        )
    return output


def check_masks(run: Run, masks: Path | None) -> None:
    """Before hours of waiting.

    Args:
        run: A run, or a batch of one.
        masks: Where masks are wanted; None if they are not.

    Raises:
        click.UsageError: The model outlines nothing.
    """
    if masks and not run.config.segments:
        raise click.UsageError(
            _("--masks is for models that outline; this one classifies.")
        )


def write_table(
    batch: Run, output: Path, masks: Path | None = None, anyway: bool = False
) -> dict[str, Any]:
    """Writes the table of a batch that is done, and its masks where they are wanted.

    Args:
        batch: The batch.
        output: CSV or Parquet by its ending.
        masks: Folder that gets the masks of a segmentation as PNG files, in folders as
            the images; None for none.
        anyway: Whether also those of images that are unlike the training data.

    Returns:
        Id of the batch, and counts of images, of unreadable files and of images that
        are unlike the training data; of a segmentation also of images with an outline
        and of masks that were written, and how many of these have a shortened name.

    Raises:
        RunError: It is not done, or its files are damaged.
        DataError: The table or a mask cannot be written.
        FileError: A mask is lost.
    """
    from medmodel.batch import jobs, results, table

    check_done(batch)
    rows = results.described(batch, jobs.model_of(batch))
    _write(table.exported(rows), output)
    ending = output.suffix[1:].casefold()
    audit.record("export", batch=batch.id, what=f"batch {ending}")
    values = {
        "batch": batch.id,
        "output": str(output),
        "images": len(rows),
        "unreadable": int((rows["problem"] != "").sum()),
        "unlike_training": int((rows["unlike_training"] == 1).sum()),
    }
    if batch.config.segments:
        values["outlined"] = int((rows["outlined"] != "").sum())
        values |= {"masks": 0, "masks_shortened": 0}
        if masks:
            values |= _write_masks(batch, rows, masks, anyway)
    return values


def _write_masks(
    batch: Run, rows: pd.DataFrame, folder: Path, anyway: bool
) -> dict[str, int]:
    from medmodel.batch import masks

    taken = masks.taken(rows, anyway)
    try:
        count = masks.write_files(batch.folder, taken, folder)
    except OSError as error:
        raise DataError(
            _(
                "{path} cannot be written: {reason}.",
                path=error.filename or folder,
                reason=os_reason(error),
            )
        ) from error
    audit.record("export", batch=batch.id, what="batch masks")
    return {"masks": count, "masks_shortened": masks.shortened(taken)}


def say_table_written(values: dict[str, Any]) -> None:
    """What `write_table` returned, as a sentence."""
    say(
        _(
            "{images:,} images in {output}; not readable: {unreadable:,}; unlike the "
            "training data: {unlike_training:,}.",
            **values,
        )
    )
    if "outlined" in values:
        say(
            _(
                "With an outline: {outlined:,}; masks written: {masks:,}.",
                **values,
            )
        )
    if values.get("masks_shortened"):
        from medmodel.batch import masks

        say(masks.shortened_sentence(values["masks_shortened"]))


def check_done(batch: Run) -> None:
    """To be called before its table is written.

    Raises:
        RunError: It waits, is at work, was stopped, failed or was interrupted.
    """
    status = batch.status
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

    as_csv = output.suffix.casefold() == ".csv"
    content = table.csv_bytes(rows) if as_csv else table.parquet_bytes(rows)
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
