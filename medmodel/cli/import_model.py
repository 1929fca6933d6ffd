"""`medmodel import`: a classifier that was trained elsewhere becomes a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from medmodel.cli.output import json_option, print_json, progress_bar, say
from medmodel.core.errors import DataError
from medmodel.core.preprocessing import Fit
from medmodel.core.processes.background import BackgroundTask
from medmodel.language import _, translate
from medmodel.model_import import task
from medmodel.model_import.checks import check_settings
from medmodel.model_import.description import (
    DEFAULT_SIZE,
    FORMAT_TITLES,
    SCALES,
    ImportSettings,
    ModelDescription,
    read_labels,
)
from medmodel.model_import.source import files_of
from medmodel.runs.run_store import RunStore

LOOK_EVERY = 0.1


@dataclass(frozen=True)
class Given:
    """What the options of the command say of the model; None where they do not.

    Args:
        name: What it is called.
        classes: Their names, in the model's order.
        labels: Text file with these names.
        size: Side of the input in pixels.
        fit: How images that are not square become so.
        window: Window of scans.
        scale: How pixels are scaled.
    """

    name: str | None
    classes: tuple[str, ...]
    labels: Path | None
    size: int | None
    fit: Fit | None
    window: str | None
    scale: str | None


@click.command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What the model is called; its file's name by default.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    help="Name of a class, in the model's order. Repeatable.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file with the names of the classes, one a line.",
)
@click.option("--size", type=int, help="Side of the input in pixels, where it is open.")
@click.option(
    "--fit",
    type=click.Choice(get_args(Fit)),
    help="How images that are not square become so.",
)
@click.option("--window", help="Window of scans: auto, file, a name, or centre/width.")
@click.option(
    "--scale",
    type=click.Choice(list(SCALES)),
    help="How pixels are scaled before the model sees them.",
)
@json_option
def command(file: Path, as_json: bool, **options: Any) -> None:
    """Import a classifier from FILE: Keras, ONNX, a SavedModel's folder, or a ZIP file.

    What is not given is taken from the file, where it says so. Nothing in the file is
    run. The model becomes a run that answers, is tested elsewhere and compared.
    """
    import_id = task.begin(files_of(file))
    try:
        _wait(task.look_task(import_id))
        description = task.description_of(import_id)
        if description is None:
            raise DataError(_("The model was not read: try again."))
        settings = _settings(file, description, Given(**options))
        check_settings(settings, description)
        task.convert(import_id, settings)
        state = _wait(task.convert_task(import_id))
    finally:
        task.forget(import_id)
    _say(state, description, settings, as_json)


def _settings(file: Path, found: ModelDescription, given: Given) -> ImportSettings:
    """What is given, and where nothing is, what the file says."""
    labels = given.labels
    named = read_labels(labels.read_text("utf-8-sig", "replace")) if labels else []
    colour = "grey" if found.channels == 1 else "rgb"
    return ImportSettings(
        name=given.name or file.stem,
        classes=list(given.classes) or named or found.classes,
        size=given.size or found.size or DEFAULT_SIZE,
        fit=given.fit or found.fit,
        colour=colour,  # type: ignore[arg-type]
        window=given.window or found.window,
        scale=given.scale or found.scale,  # type: ignore[arg-type]
    )


def _wait(running: BackgroundTask) -> str:
    """Waits until a task has ended; what it made.

    Raises:
        DataError: It failed.
    """
    with progress_bar() as show:
        return _followed(running, show)


def _followed(running: BackgroundTask, show: Callable[[float, str], None]) -> str:
    while (state := running.state()).running:
        show(0.5, state.phase)
        time.sleep(LOOK_EVERY)
    if state.error:
        raise DataError(translate(state.error))
    return state.folder


def _say(
    run_id: str, description: ModelDescription, settings: ImportSettings, as_json: bool
) -> None:
    run = RunStore().get(run_id)
    if as_json:
        print_json(
            {
                "run": run.id,
                "format": description.format,
                "tool": description.tool or None,
                "classes": settings.classes,
                "size": settings.size,
                "fit": settings.fit,
                "scale": settings.scale,
            }
        )
        return
    title, name = FORMAT_TITLES[description.format], run.title
    say(_("Imported {id}: {title} ({format})", id=run.id, title=name, format=title))
    say(
        _(
            "Pixels are scaled to: {scale}. If answers look wrong, import it again "
            "with another --scale.",
            scale=_(SCALES[settings.scale]),
        )
    )
    say(
        _(
            "Its training images are not known: whether an image is unlike them, or a "
            "copy of one, cannot be checked."
        )
    )
