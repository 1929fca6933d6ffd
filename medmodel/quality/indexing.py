"""Background check of a data set, and what people decide about its files.

`python -m medmodel.quality.indexing FOLDER`. Pages start it and look at its state; it
survives them. It leaves what `report_store` and `thumbnails` keep.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.data import curation, datasets
from medmodel.data.datasets import Index, index_dataset, index_folder, load_index
from medmodel.data.layouts.layout_choice import LayoutChoice, load_choice
from medmodel.data.splits import (
    assign_splits,
    guess_patient_pattern,
    known_patients,
)
from medmodel.language import N_, SOURCE, speaking
from medmodel.quality import assessment, report_store, thumbnails
from medmodel.quality.checks import DatasetReport, examine
from medmodel.quality.issues import Issue

if TYPE_CHECKING:
    import pandas as pd


def start_indexing(folder: Path) -> None:
    """Starts the check in the background, unless it is running already."""
    _task(folder.resolve()).start()


def indexing_state(folder: Path) -> TaskState:
    """How far the check of a folder is."""
    return _task(folder).state()


def _task(folder: Path) -> BackgroundTask:
    place = index_folder(folder)
    return BackgroundTask(
        arguments=("medmodel.quality.indexing", str(folder)),
        state_path=place / "state.json",
        lock_path=place / "lock",
        log_path=place / "log.txt",
        interrupted=N_(
            "The check ended without a word: it was killed, or the machine "
            "went down. Start it again; it goes on where it was."
        ),
        unusable=N_("The workspace or the folder cannot be used"),
        folder=str(folder),
    )


def decisions(folder: Path) -> list[curation.Action]:
    """What was decided about a data set, oldest first."""
    return curation.actions(index_folder(folder))


def decide(folder: Path, action: curation.Action) -> None:
    """Keeps a decision and checks again, in the background; files stay as they are."""
    curation.add(index_folder(folder), action)
    start_indexing(folder)


def choose_layout(folder: Path, choice: LayoutChoice) -> None:
    """Keeps how a data set is to be read and checks it, in the background."""
    datasets.choose_layout(folder, choice)
    start_indexing(folder)


def undo(folder: Path, action_id: str) -> None:
    """Takes a decision back and checks again, in the background."""
    curation.undo(index_folder(folder), action_id)
    start_indexing(folder)


def report_with_pattern(folder: Path, pattern: str) -> DatasetReport:
    """The findings with another pattern for patients, kept for the next look.

    Raises:
        DataError: The folder cannot be read.
        ConfigError: The pattern is not a regular expression.
    """
    index = load_index(folder) or index_dataset(folder)
    table, report = _examined(index, pattern)
    # No image is opened again: who belongs to which split is all that changes.
    measured = report_store.load_measured(index) or assessment.measure(index)
    _keep_issues(index, assessment.find_issues(index, table, report, measured))
    report_store.save_report(folder, report, pattern, chosen=True)
    return report


def check_folder(folder: Path) -> None:
    """The whole check of one folder, told to its state file; raises what goes wrong."""
    task = _task(folder)
    index = index_dataset(folder, task.job())
    total = len(index.table)
    task.write("comparing", done=total, total=total)
    chosen = report_store.chosen_pattern(folder)
    guess = guess_patient_pattern(index.readable["path"])
    pattern = guess if chosen is None else chosen
    table, report = _examined(index, pattern)
    thumbnails.draw_classes(index)
    thumbnails.draw_duplicates(index, report)
    measured = assessment.measure(index)
    report_store.save_measured(folder, measured)
    _keep_issues(index, assessment.find_issues(index, table, report, measured))
    report_store.save_report(folder, report, pattern, chosen=chosen is not None)
    task.write("finished", done=total, total=total)


@speaking(SOURCE)  # The report is kept.
def _examined(index: Index, pattern: str) -> tuple[pd.DataFrame, DatasetReport]:
    """How the images would be split, and the findings.

    What cannot be split is examined as if all of it were training images, so that its
    page shows what there is, and offers what may mend it.
    """
    config = TrainConfig(dataset=str(index.folder), patient_pattern=pattern)
    try:
        table = assign_splits(index, config)
    except DataError as error:
        patients = known_patients(index, pattern)
        rows = index.readable.sort_values("path", ignore_index=True)
        table = rows[["path", "label"]].assign(patient=patients, split="train")
        report = replace(examine(index, table), drawn=[])
        return table, replace(report, level="unsplit", verdict=str(error))
    return table, examine(index, table)


def _keep_issues(index: Index, issues: list[Issue]) -> None:
    drawn = report_store.load_issues(index.folder) or []
    thumbnails.draw_issues(index, issues, drawn)
    report_store.save_issues(index.folder, issues)


def main() -> None:
    """Checks the folder named on the command line; the exit status tells."""
    folder = Path(sys.argv[1]).resolve()

    def check() -> None:
        checked = None
        # Again where somebody decided meanwhile.
        while checked != (decided := (decisions(folder), load_choice(folder))):
            checked = decided
            check_folder(folder)

    _task(folder).run(check)


if __name__ == "__main__":
    main()
