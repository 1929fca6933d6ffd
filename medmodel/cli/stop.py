"""`medmodel stop`: takes a run out of the queue, or ends its training."""

from __future__ import annotations

import click

from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import run_argument
from medmodel.cli.train import run_values
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus


@click.command("stop")
@run_argument
@json_option
def command(run: Run, as_json: bool) -> None:
    """Stop a run that waits or works; what it has learned is kept.

    Its worker stops after the current step. Where it has not done so within 20
    seconds, asking again ends its process.
    """
    from medmodel.runs import queue

    queue.stop(run)
    if as_json:
        print_json({"runs": run_values([run])})
    elif run.status.state is RunStatus.RUNNING:
        say(_("{id} stops after its current step.", id=run.id))
    else:
        say(_("{id}: {state}.", id=run.id, state=_(run.status.state.value)))
