"""`medmodel list`: the runs and batches of the workspace, newest first."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from medmodel.cli.batches import batch_values, readable_batches, say_batches
from medmodel.cli.output import json_option, moment, print_json, say, say_table
from medmodel.language import _, ngettext
from medmodel.language.quantities import ago, duration
from medmodel.runs import run_index
from medmodel.runs.run import BATCHES, Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

_LISTED = 20


@click.command("list")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_LISTED,
    show_default=True,
    help="List so many of the newest runs and batches; 0 lists all.",
)
@click.option(
    "--state",
    type=click.Choice([state.value for state in RunStatus]),
    help="List runs and batches in this state only.",
)
@json_option
def command(limit: int, state: str | None, as_json: bool) -> None:
    """List the runs and batches of the workspace, newest first."""
    store = RunStore()
    chosen = [
        entry
        for entry in run_index.entries(store)
        if state in (None, entry.status.state.value)
    ]
    shown = chosen[: limit or None]
    batches, damaged_batches = readable_batches(RunStore(place=BATCHES))
    batches = [b for b in batches if state in (None, b.status.state.value)]
    damaged = [*run_index.unreadable(store), *damaged_batches]
    if as_json:
        values = {
            "total": len(chosen),
            "runs": [entry_values(entry) for entry in shown],
            "total_batches": len(batches),
            "batches": [batch_values(batch) for batch in batches[: limit or None]],
            "damaged": damaged,
        }
        print_json(values)
        return
    _say_runs(shown, len(chosen), store.root)
    if batches:
        _say_batches(batches[: limit or None], len(batches))
    for sentence in damaged:
        say(sentence, to_errors=True)


def entry_values(entry: Entry) -> dict[str, Any]:
    """A run as JSON has it."""
    status, config = entry.status, entry.config
    return {
        "run": entry.run.id,
        "title": entry.title,
        "state": status.state.value,
        "recipe": config.recipe,
        "dataset": config.dataset,
        "test_of": entry.test_of or None,
        "has_model": entry.has_model,
        "created": moment(status.created),
        "started": moment(status.started),
        "ended": moment(status.ended),
        "seconds": round(entry.seconds, 1),
        "epoch": status.epoch,
        "epochs": status.epochs,
        "best_epoch": status.best_epoch,
        "val_loss": entry.val_loss,
        "val_accuracy": entry.val_accuracy,
        "val_dice": entry.val_dice,
        "val_auc": entry.val_auc,
        "test_accuracy": entry.test_accuracy,
        "test_dice": entry.test_dice,
        "test_images": entry.test_images,
    }


def _say_runs(shown: list[Entry], total: int, folder: Path) -> None:
    if not shown:
        text = _("No run in {folder}. Start one: medmodel train FOLDER", folder=folder)
        say(text)
        return
    columns: dict[str, list[str]] = {
        _("Run"): [entry.run.id for entry in shown],
        _("State"): [_(entry.status.state.value) for entry in shown],
        _("Name"): [entry.title for entry in shown],
    }
    left = len(columns)
    columns |= {title: cells for title, cells in _results(shown).items() if any(cells)}
    columns["n"] = [f"{e.test_images:,}" if e.test_images else "" for e in shown]
    columns[_("Time")] = [
        duration(_passed(e)) if e.status.started else "" for e in shown
    ]
    numbers = range(left, len(columns))
    columns[_("Created")] = [ago(entry.status.created) for entry in shown]
    rows = list(zip(*columns.values(), strict=True))
    say_table(list(columns), rows, numbers=numbers)
    if total > len(shown):
        more = ngettext("{count} more run", "{count} more runs", total - len(shown))
        say(_("{more}: medmodel list --limit 0", more=more))


def _say_batches(shown: list[Run], total: int) -> None:
    say()
    say_batches(shown)
    if total > len(shown):
        more = ngettext(
            "{count} more batch", "{count} more batches", total - len(shown)
        )
        say(_("{more}: medmodel list --limit 0", more=more))


def _results(shown: list[Entry]) -> dict[str, list[str]]:
    """Columns of scores, those of segmentations and of several findings too."""
    scores = {
        _("Validation loss"): [entry.val_loss for entry in shown],
        _("Test accuracy"): [entry.test_accuracy for entry in shown],
        _("Test Dice"): [entry.test_dice for entry in shown],
        _("Validation mean AUC"): [entry.val_auc for entry in shown],
    }
    return {
        title: ["" if score is None else f"{score:.3f}" for score in column]
        for title, column in scores.items()
    }


def _passed(entry: Entry) -> float:
    """Seconds since the start, of a run that works as of now."""
    running = entry.status.state is RunStatus.RUNNING
    return time.time() - entry.status.started if running else entry.seconds
