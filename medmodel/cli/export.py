"""`medmodel export`: a finished model in a format that other programs run."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from pathlib import Path

import click

from medmodel.cli.output import goes_on, json_option, print_json, progress_bar, say
from medmodel.cli.parameters import OutputParameter, run_argument
from medmodel.core.errors import PredictionError, RunError
from medmodel.core.storage import renaming
from medmodel.export import task
from medmodel.export.formats import FORMATS
from medmodel.export.report import ExportReport, archive_path, load_report
from medmodel.language import _, translate
from medmodel.runs.run import Run

LOOK_EVERY = 0.2
_PHASES = ("starting", "loading", "preparing", "converting", "comparing", "packing")


@click.command("export")
@run_argument
@click.option(
    "--format",
    "key",
    type=click.Choice(list(FORMATS)),
    default="onnx",
    show_default=True,
    help="What the model becomes.",
)
@click.option(
    "--output",
    type=OutputParameter(),
    help="ZIP file to write; FORMAT-RUN.zip here by default.",
)
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
@json_option
def command(
    run: Run, key: str, output: Path | None, force: bool, as_json: bool
) -> None:
    """Export a finished model, compared with the run's in a process of its own.

    The ZIP file holds the model, its classes and preprocessing as JSON, the model
    card, a drawn image and a script that predicts.
    """
    target = (output or Path(f"{key}-{run.id}.zip")).absolute()
    if target.exists() and not force:
        raise click.UsageError(
            _("{file} is there already: --force replaces it.", file=target.name)
        )
    if not run.has_model:
        raise RunError(_("The run {title} has no trained model yet.", title=run.title))
    report = load_report(run, key) or _export(run, key)
    with renaming(target) as temporary:
        shutil.copyfile(archive_path(run, key), temporary)
    if as_json:
        values = {"run": run.id, "file": str(target), "faithful": report.faithful}
        print_json(values | asdict(report))
    else:
        _say_report(report, target, run.config.multi_label)


def _export(run: Run, key: str) -> ExportReport:
    """Starts the export and waits until it has ended.

    Raises:
        PredictionError: It failed.
    """
    task.start_export(run, key)
    sentence = _("The export goes on; give the same command again for its file.")
    with goes_on(sentence), progress_bar() as show:
        while (state := task.export_state(run, key)).running:
            place = _PHASES.index(state.phase) if state.phase in _PHASES else 0
            show(place / len(_PHASES), state.phase)
            time.sleep(LOOK_EVERY)
    report = None if state.error else load_report(run, key)
    if report is None:
        raise PredictionError(
            translate(state.error) or _("The export was not finished: try again.")
        )
    return report


def _say_report(report: ExportReport, target: Path, several: bool) -> None:
    values = {
        "file": target.name,
        "size": report.bytes / 1e6,
        "images": report.images,
        "drawn": report.drawn,
        "share": report.same_class,
        "difference": report.largest_difference,
    }
    say(
        _(
            "{file}: {size:.1f} MB. On {images:,} test images and {drawn:,} of noise a "
            "finding is predicted by both or by neither in {share:.1%}, probabilities "
            "differ by {difference:.1g} at most.",
            **values,
        )
        if several
        else _(
            "{file}: {size:.1f} MB. On {images:,} test images and {drawn:,} of noise "
            "the same class in {share:.1%}, probabilities differ by {difference:.1g} "
            "at most.",
            **values,
        )
    )
    if report.rounded == "weights":
        say(_("Only the weights of large layers have 8 bits."))
    if report.rounded == "mixed":
        say(
            _(
                "Only the weights of the largest layers have 8 bits, those of other "
                "large layers 16."
            )
        )
    if report.rounded == "half":
        say(_("The weights of large layers have 16 bits, and nothing has 8."))
    if report.rounded == "none":
        say(_("No layer is large enough to be rounded: nothing has 8 bits."))
    if not report.faithful:
        say(_("Rounding to 8 bits changes this model's predicted class too often."))
