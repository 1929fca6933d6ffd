"""`medmodel resume`: lets a run or batch that ended early go on where it was."""

from __future__ import annotations

import click

from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import run_or_batch_argument, watch_option
from medmodel.cli.stop import values_of
from medmodel.cli.watch import watch_all
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore


@click.command("resume")
@run_or_batch_argument
@watch_option
@json_option
@click.pass_context
def command(ctx: click.Context, run: Run, watch: bool, as_json: bool) -> None:
    """Resume a run or batch that was stopped, failed or was interrupted.

    A run goes on from the last epoch that was saved, a batch after the last line of its
    table.
    """
    from medmodel.runs import queue

    store = RunStore()
    queue.resume(run, store)
    if not as_json:
        say(_("Queued {id}: {title}", id=run.id, title=run.title))
        if not watch:
            say(_("Watch it: medmodel watch {id}", id=run.id))
    well = watch_all([run], store, quiet=as_json) if watch else True
    if as_json:
        print_json(values_of(run))
    if not well:
        ctx.exit(1)
