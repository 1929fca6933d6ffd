"""The background task that exports a run's model in one format."""

from __future__ import annotations

from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.export.formats import FORMATS
from medmodel.export.report import export_folder
from medmodel.language import N_, present_language
from medmodel.runs.run import Run


def export_task(run: Run, key: str, language: str = "en") -> BackgroundTask:
    """The task; it ends with `report.load_report` and the ZIP file of the export.

    Args:
        run: A run with a model.
        key: Of `formats.FORMATS`.
        language: Of the model card in the ZIP file.
    """
    place = export_folder(run, key).parent
    name = FORMATS[key].key
    return BackgroundTask(
        arguments=(
            "medmodel.inference.export_model",
            str(run.folder),
            name,
            language,
        ),
        state_path=place / f"{name}.json",
        lock_path=place / f"{name}.lock",
        log_path=place / f"{name}.txt",
        interrupted=N_(
            "The export was not finished: its process was killed, or the machine "
            "went down. Start it again."
        ),
        unusable=N_("The folder of the run cannot be written"),
        folder=str(run.folder),
    )


def start_export(run: Run, key: str) -> None:
    """Starts an export, unless the same is running already.

    Raises:
        OSError: The folder of the run cannot be written.
    """
    export_folder(run, key).parent.mkdir(exist_ok=True)
    export_task(run, key, present_language()).start()


def export_state(run: Run, key: str) -> TaskState:
    """How far an export is: loading, converting, comparing, packing."""
    return export_task(run, key).state()
