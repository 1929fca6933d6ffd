"""`medmodel external-test`: a finished model on a folder of another place."""

from __future__ import annotations

from pathlib import Path

import click

from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import folder_argument, run_argument, watch_option
from medmodel.cli.train import run_values
from medmodel.cli.watch import watch_all
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore


@click.command("external-test")
@run_argument
@folder_argument
@click.option(
    "--map",
    "changes",
    multiple=True,
    metavar="THERE=HERE",
    help="Class of the folder = class of the model; THERE= leaves it out. Repeatable.",
)
@watch_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: Run,
    folder: Path,
    changes: tuple[str, ...],
    watch: bool,
    as_json: bool,
) -> None:
    """Test a finished model on all images of another folder.

    The test is a run of its own: watch it, evaluate it, compare it. Classes of the
    same name are matched by themselves.
    """
    from medmodel.evaluation import external_validation

    if run.tested_model:
        raise click.UsageError(
            _("This is an external test already; its model can be tested on others.")
        )
    if run.config.segments and changes:
        raise click.UsageError(
            _("A segmentation is tested by the values of masks: leave out --map.")
        )
    mapping = {} if run.config.segments else class_mapping(run, folder, changes)
    store = RunStore()
    test = external_validation.submit(run, folder, mapping, store)
    if not as_json:
        _say_mapping(mapping)
        say(_("Queued {id}: {title}", id=test.id, title=test.title))
        if not watch:
            say(_("Watch it: medmodel watch {id}", id=test.id))
    well = watch_all([test], store, quiet=as_json) if watch else True
    if as_json:
        print_json({"mapping": mapping, "runs": run_values([test])})
    if not well:
        ctx.exit(1)


def class_mapping(run: Run, folder: Path, changes: tuple[str, ...]) -> dict[str, str]:
    """Class of the folder -> class of the model, "" for one that is left out.

    Args:
        run: The model's run.
        folder: The other data set.
        changes: What differs from equal names, as `THERE=HERE`.

    Raises:
        click.UsageError: A change names a class that is not there.
        DataError: The folder has no class, or cannot be read.
    """
    from medmodel.evaluation import external_validation

    there = external_validation.classes_there(run, folder)
    here = run.model_facts.class_names
    mapping = external_validation.match_classes(here, there)
    for change in changes:
        # A class may have the sign in its name: the longest that there is counts.
        parts = [
            (change[:at], change[at + 1 :])
            for at, sign in enumerate(change)
            if sign == "="
        ]
        fitting = [(a, b) for a, b in parts if a in there and b in ("", *here)]
        if not fitting:
            raise click.UsageError(
                _(
                    "{change!r} is not of the form THERE=HERE. There: {there}. Here: "
                    "{here}.",
                    change=change,
                    there=", ".join(there),
                    here=", ".join(here),
                )
            )
        mapping[fitting[-1][0]] = fitting[-1][1]
    return mapping


def _say_mapping(mapping: dict[str, str]) -> None:
    for there, here in mapping.items():
        if here:
            say(_("{there} counts as {here}", there=there, here=here))
        else:
            say(_("{there} is left out.", there=there))
