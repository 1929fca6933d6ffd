"""`medmodel ensemble`: one model that averages the probabilities of finished runs."""

from __future__ import annotations

import click

from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import RunParameter, watch_option
from medmodel.cli.train import run_values
from medmodel.cli.watch import watch_all
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore


@click.command("ensemble")
@click.argument("runs", type=RunParameter(), nargs=-1, required=True, metavar="RUN...")
@click.option("--name", default="", help="What the ensemble is called.")
@watch_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, runs: tuple[Run, ...], name: str, watch: bool, as_json: bool
) -> None:
    """Make one model of two or more finished runs: the mean of their probabilities.

    They must have learned from the same data set and split. The ensemble is a run of
    its own that holds a copy of their networks.
    """
    from medmodel.ensembles import members
    from medmodel.evaluation.robustness.corruption_test import corrupted_members

    store = RunStore()
    made = members.submit(runs, store, name)
    if not as_json:
        say(_("Queued {id}: {title}", id=made.id, title=made.title))
        if corrupted := corrupted_members(made):
            say(corrupted)
        if not watch:
            say(_("Watch it: medmodel watch {id}", id=made.id))
    well = watch_all([made], store, quiet=as_json) if watch else True
    if as_json:
        print_json({"runs": run_values([made])})
    if not well:
        ctx.exit(1)
