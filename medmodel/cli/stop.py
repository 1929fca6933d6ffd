"""`medmodel stop`: takes a run or batch out of the queue, or ends it."""

from __future__ import annotations

from typing import Any

import click

from medmodel.cli.batches import batch_values
from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import run_or_batch_argument
from medmodel.cli.train import run_values
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus


@click.command("stop")
@run_or_batch_argument
@json_option
def command(run: Run, as_json: bool) -> None:
    """Stop a run or batch that waits or works; what is there is kept.

    Its worker stops after the current step, or the current images. Where it has not
    done so within 20 seconds, asking again ends its process.
    """
    from medmodel.runs import queue

    queue.stop(run)
    if as_json:
        print_json(values_of(run))
    elif run.status.state is RunStatus.RUNNING:
        say(
            _("{id} stops after its current images.", id=run.id)
            if run.is_batch
            else _("{id} stops after its current step.", id=run.id)
        )
    else:
        say(_("{id}: {state}.", id=run.id, state=_(run.status.state.value)))


def values_of(run: Run) -> dict[str, Any]:
    """A run or a batch as `medmodel list` has it."""
    if run.is_batch:
        return {"batches": [batch_values(run)]}
    return {"runs": run_values([run])}
