"""`medmodel watch`: follows a run or batch until it ends."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from medmodel.cli.batches import (
    check_masks,
    check_output,
    say_table_written,
    write_table,
)
from medmodel.cli.output import (
    goes_on,
    json_option,
    print_json_line,
    progress_bar,
    say,
)
from medmodel.cli.parameters import OutputParameter, RunOrBatchParameter
from medmodel.core.errors import RunError
from medmodel.language import _, ngettext, translate
from medmodel.language.quantities import duration
from medmodel.runs import queue
from medmodel.runs.progress.live import Tail
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.curves import named_columns

LOOK_EVERY = 0.3
"""Seconds between two looks at a run."""
LINE_EVERY = 10.0
"""Seconds after which a phase that goes on gets another line."""
_QUEUE_EVERY = 2.0
_EPOCH = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
_SHOWN = (
    *("state", "phase", "message", "done", "total", "epoch", "epochs", "step", "steps"),
    *("best_epoch", "share", "seconds_left", "device", "precision"),
)
Look = Callable[[Status, dict[str, float] | None], None]
"""Told the status whenever it changed, and the last finished epoch."""


@click.command("watch")
@click.argument(
    "run", metavar="[RUN_OR_BATCH]", type=RunOrBatchParameter(), required=False
)
@click.option(
    "--output",
    type=OutputParameter(),
    help="CSV or Parquet file for the table of a batch, once it is done.",
)
@click.option(
    "--masks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that gets the masks of a segmentation's batch as PNG files.",
)
@click.option(
    "--anyway",
    is_flag=True,
    help="Write masks also of images that are unlike the training data.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: Run | None,
    output: Path | None,
    masks: Path | None,
    anyway: bool,
    as_json: bool,
) -> None:
    """Follow a run or batch until it ends; by default the oldest that waits or works.

    The exit status is 0 where it is done and 1 where it was stopped, failed or was
    interrupted. Ctrl-C ends the watching alone. With --json every change is a line of
    JSON.
    """
    store = RunStore()
    if run is None:
        run = _oldest_active(store)
    if masks is not None and output is None:
        raise click.UsageError(_("--masks needs --output, the file of the table."))
    if output is not None:
        _check_table(run, output)
        check_masks(run, masks)
    if as_json:
        status = follow(run, store, lambda s, e: print_json_line(_values(run, s, e)))
        well = status.state is RunStatus.DONE
    else:
        well = watch_all([run], store)
    if not well:
        ctx.exit(1)
    if output is not None:
        values = write_table(run, output, masks, anyway)
        if not as_json:
            say_table_written(values)


def _check_table(run: Run, output: Path) -> None:
    """Before hours of waiting.

    Raises:
        click.UsageError: It is a run, which has no such table, or the file is of
            another kind.
    """
    if not run.is_batch:
        raise click.UsageError(
            _(
                "--output is for the table of a batch. The predictions of a run: "
                "medmodel evaluate {id} --predictions FILE.csv",
                id=run.id,
            )
        )
    check_output(output)


def _oldest_active(store: RunStore) -> Run:
    from medmodel.runs import run_index

    active = [e.run for e in run_index.entries(store) if e.status.state.active]
    active += [entry.run for entry in run_index.active_batches(store)]
    if not active:
        raise RunError(
            _("No run and no batch waits or works. medmodel list shows them all.")
        )
    return min(active, key=lambda run: run.id)


def watch_all(runs: Sequence[Run], store: RunStore, quiet: bool = False) -> bool:
    """Follows runs or batches one after another, and says how each ended.

    Args:
        runs: In the order of the queue.
        store: The workspace's runs.
        quiet: Whether nothing is printed but a bar in a terminal.

    Returns:
        Whether all of them are done.
    """
    well = True
    for run in runs:
        with progress_bar() as bar:
            status = follow(run, store, _shown_by(bar, quiet))
        if not quiet:
            _say_end(run, status)
        well = well and status.state is RunStatus.DONE
    return well


def follow(run: Run, store: RunStore, look: Look) -> Status:
    """Looks at a run again and again until it has ended; its last status.

    As long as it looks, this process counts as a shell: a worker comes for whatever
    waits.

    Raises:
        RunError: The run was deleted meanwhile.
    """
    names = named_columns(run, _EPOCH)
    tail = Tail(run.history_path, names)
    epoch: dict[str, float] | None = None
    before: tuple[Any, ...] | None = None
    queue_seen = 0.0
    sentence = _(
        "It goes on. Watch it again: medmodel watch {id}, stop it: medmodel stop {id}",
        id=run.id,
    )
    with goes_on(sentence):
        while True:
            status = run.status
            for row in tail.read()[1]:
                epoch = dict(zip(names, row, strict=True))
            now = (*(getattr(status, name) for name in _SHOWN), epoch)
            if now != before:
                look(status, epoch)
                before = now
            if not status.state.active:
                return status
            if time.monotonic() - queue_seen > _QUEUE_EVERY:
                queue.ensure_worker(store)
                queue_seen = time.monotonic()
            time.sleep(LOOK_EVERY)


def _values(run: Run, status: Status, epoch: dict[str, float] | None) -> dict[str, Any]:
    """A line of JSON."""
    shown = {name: getattr(status, name) for name in _SHOWN}
    return {
        "run": run.id,
        "kind": "batch" if run.is_batch else "run",
        **shown,
        "state": status.state.value,
        "failure": asdict(status.failure) if status.failure else None,
        "last_epoch": epoch,
    }


def _shown_by(bar: Callable[[float, str], None], quiet: bool) -> Look:
    """Shows a status in a terminal's bar, or in lines where output is kept."""
    before: tuple[str, int] = "", 0
    said_at = -LINE_EVERY

    def look(status: Status, epoch: dict[str, float] | None) -> None:
        nonlocal before, said_at
        bar(status.share, _words(status))
        line = _epoch_words(status, epoch) or translate(status.message)
        now = status.phase, status.epoch
        due = now != before or time.monotonic() - said_at >= LINE_EVERY
        if line and due and not quiet and not bar_is_shown():
            before, said_at = now, time.monotonic()
            say(line)

    return look


def bar_is_shown() -> bool:
    """Whether people see the bar, which stands for lines."""
    return sys.stderr.isatty()


def _words(status: Status) -> str:
    words = translate(status.message)
    if status.seconds_left and status.seconds_left >= 1:
        left = _("About {duration} left.", duration=duration(status.seconds_left))
        return f"{words} {left}"
    return words


def _epoch_words(status: Status, epoch: dict[str, float] | None) -> str:
    """The last finished epoch of a run in training; "" in other phases."""
    if epoch is None or status.phase != "training":
        return ""
    if "val_dice" in epoch:
        return _(
            "Epoch {epoch:.0f} of {epochs}: loss {loss}, validation loss {val_loss}, "
            "validation Dice {val_dice}",
            epoch=epoch["epoch"],
            epochs=status.epochs,
            **{name: _number(epoch[name]) for name in ("loss", "val_loss", "val_dice")},
        )
    if "val_auc" in epoch:
        return _(
            "Epoch {epoch:.0f} of {epochs}: loss {loss}, validation loss {val_loss}, "
            "validation mean AUC {val_auc}",
            epoch=epoch["epoch"],
            epochs=status.epochs,
            **{name: _number(epoch[name]) for name in ("loss", "val_loss", "val_auc")},
        )
    return _(
        "Epoch {epoch:.0f} of {epochs}: loss {loss}, validation loss {val_loss}, "
        "validation accuracy {val_accuracy}",
        epoch=epoch["epoch"],
        epochs=status.epochs,
        **{name: _number(epoch[name]) for name in ("loss", "val_loss", "val_accuracy")},
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _say_end(run: Run, status: Status) -> None:
    """How a run ended: what to do next, or why it failed."""
    if status.state is RunStatus.DONE and run.is_batch:
        say(
            ngettext(
                "{id} is done: {count:,} image.",
                "{id} is done: {count:,} images.",
                status.total,
                id=run.id,
            )
        )
        say(_("Write its table: medmodel watch {id} --output FILE.csv", id=run.id))
        return
    if status.state is RunStatus.DONE:
        # A test of a finished model, or a model from elsewhere, has no epoch.
        done = (
            _("{id} is done: best epoch {epoch}.", id=run.id, epoch=status.best_epoch)
            if status.best_epoch
            else _("{id} is done.", id=run.id)
        )
        say(done)
        say(_("Evaluate it: medmodel evaluate {id}", id=run.id))
        return
    say(_("{id}: {state}.", id=run.id, state=_(status.state.value)), to_errors=True)
    if status.failure:
        message, advice = status.failure.message, status.failure.advice
        say(f"{translate(message)} {translate(advice)}", to_errors=True)
