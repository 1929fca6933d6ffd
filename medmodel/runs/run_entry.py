"""A run as a line of a list, read from its files: state, scores, what is lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from medmodel.core.config import TrainConfig
from medmodel.core.errors import FileError, value_or_problem
from medmodel.core.storage import damaged
from medmodel.language import _
from medmodel.runs.copies import copies_among
from medmodel.runs.notes import Notes, notes_of
from medmodel.runs.run import STATUS_LOST, Run
from medmodel.runs.status import Status
from medmodel.runs.tables.cells import read_cells, read_header
from medmodel.runs.tables.predictions import PREDICTED, answer_columns, scored_classes


@dataclass(frozen=True)
class Entry:
    """One run as a line of a list.

    Args:
        run: The run's folder.
        config: Its settings.
        status: Where it stands.
        val_loss: Validation loss of the best epoch so far; None before the first.
        val_accuracy: Validation accuracy of that epoch, 0 to 1.
        test_accuracy: Share of test images whose first choice is right, without
            copies of training images; None before they were predicted.
        has_model: Whether it can be asked about images.
        notes: What people noted on it.
        test_of: Id of the run whose model this run tests on another folder; empty for
            a training.
        problems: A sentence for each of its files that is lost or damaged, where what
            is left suffices.
        test_images: How many images `test_accuracy`, or `test_dice`, is of; of a run on
            several findings how many were tested.
        val_dice: Of a segmentation the validation images' mean Dice of the best epoch,
            0 to 1; else None.
        test_dice: Of a segmentation the mean Dice of test images that hold a class,
            without copies of training images; None before they were outlined.
        val_auc: Of a run on several findings the validation images' mean AUC of the
            best epoch, 0 to 1; else None.
    """

    run: Run
    config: TrainConfig
    status: Status
    val_loss: float | None
    val_accuracy: float | None
    test_accuracy: float | None
    has_model: bool
    notes: Notes = Notes()
    test_of: str = ""
    problems: tuple[str, ...] = ()
    test_images: int = 0
    val_dice: float | None = None
    test_dice: float | None = None
    val_auc: float | None = None

    @property
    def title(self) -> str:
        """Its name, or recipe and data set where it has none."""
        return self.config.title

    @property
    def seconds(self) -> float:
        """From the start to the end, or to the last sign of life."""
        if not self.status.started:
            return 0.0
        end = self.status.ended or self.status.heartbeat or self.status.started
        return max(end - self.status.started, 0.0)


def read_entry(run: Run) -> Entry:
    """Reads everything that an entry says.

    Raises:
        RunError: Its settings or its status are lost, and so is the model.
        OSError: A file cannot be read.
    """
    status, config = run.status, run.config
    whole = config.dataset and status.message != STATUS_LOST
    problems = [] if whole else run.lost_files()
    test_of, problem = value_or_problem(lambda: run.tested_model)
    if problem:
        problems.append(problem)
    loss: tuple[float | None, float | None] = None, None
    tested: tuple[float | None, int] = None, 0
    notes = Notes()
    try:
        if not test_of:  # whose epochs are those of the model that it tests
            loss = _best_epoch(run.history_path, status.best_epoch, config.metric)
    except FileError as error:
        problems.append(str(error))
    try:
        if config.multi_label:
            tested = None, _tested_findings(run)
        else:
            tested = _test_dice(run) if config.segments else _test_accuracy(run)
    except FileError as error:
        problems.append(str(error))
    try:
        notes = notes_of(run)
    except FileError as error:
        problems.append(str(error))
    return Entry(
        run=run,
        config=config,
        status=status,
        val_loss=loss[0],
        val_accuracy=loss[1] if config.metric == "accuracy" else None,
        val_dice=loss[1] if config.segments else None,
        test_accuracy=None if config.segments else tested[0],
        test_dice=tested[0] if config.segments else None,
        val_auc=loss[1] if config.multi_label else None,
        test_images=tested[1],
        has_model=run.has_model,
        notes=notes,
        test_of=test_of or "",
        problems=tuple(problems),
    )


def _best_epoch(
    path: Path, epoch: int, metric: str
) -> tuple[float | None, float | None]:
    """Loss and metric of this epoch; of the lowest loss where it is not known."""
    best: tuple[float, float] | None = None
    chosen: tuple[float, float] | None = None
    for row in read_cells(path, "epoch", "val_loss", f"val_{metric}"):
        try:
            number, loss, value = (float(text) for text in row)
        except ValueError:  # a line that is being written
            continue
        if number == epoch:
            chosen = loss, value
        if math.isfinite(loss) and (best is None or loss < best[0]):
            best = loss, value
    return chosen or best or (None, None)


def _test_dice(run: Run) -> tuple[float | None, int]:
    """And of how many images: without copies of others, unless all are copies."""
    path = run.segmentation_path
    rows = list(read_cells(path, "path", "split", "dice"))
    copies = copies_among(run, {name for name, split, _dice in rows if split == "test"})
    skipped = frozenset() if copies.all_are_copies else copies.paths
    tested = [
        (name, dice)
        for name, split, dice in rows
        if split == "test" and name not in skipped and dice
    ]
    try:
        total = math.fsum(float(dice) for _name, dice in tested)
    except ValueError as error:
        raise damaged(path, _("a score is no number")) from error
    images = len({name for name, _dice in tested})
    return (total / len(tested) if tested else None), images


def _tested_findings(run: Run) -> int:
    """Test images of a run on several findings, counted as for the others."""
    rows = read_cells(run.findings_path, "path", "split")
    tested = {name for name, split in rows if split == "test"}
    copies = copies_among(run, tested)
    return len(tested) if copies.all_are_copies else len(tested - copies.paths)


def _test_accuracy(run: Run) -> tuple[float | None, int]:
    """And of how many images: without copies of others, unless all are copies."""
    path = run.predictions_path
    right = total = 0
    header = read_header(path)
    classes = scored_classes(header)
    columns = answer_columns(header, classes)
    rows = list(read_cells(path, "path", "split", "label", *columns))
    copies = copies_among(run, {name for name, split, *_ in rows if split == "test"})
    skipped = frozenset() if copies.all_are_copies else copies.paths
    for name, split, label, *row in rows:
        if split == "test" and name not in skipped:
            try:
                values = [float(text) for text in row[-len(classes) :]]
                named = row[0] if PREDICTED in columns else ""
                right += (named or classes[values.index(max(values))]) == label
            except ValueError as error:  # no number, or no class
                raise damaged(path, _("a score is no number")) from error
            total += 1
    return (right / total if total else None), total
