"""Cached index of all runs: each file is read once per change.

What was read of settled runs is also kept in catalogue.json of the workspace, so that
a server's first look at a thousand runs need not read them all. Nothing there is
believed unless the run's files are the very same: by time, size and inode.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from medmodel.core.config import TrainConfig
from medmodel.core.errors import (
    MALFORMED,
    FileError,
    RunError,
    os_reason,
    value_or_problem,
)
from medmodel.core.storage import damaged, read_json, replacing
from medmodel.language import SOURCE, _, speaking, translate
from medmodel.runs.copies import copies_among
from medmodel.runs.notes import FILE as NOTES
from medmodel.runs.notes import Notes, notes_of
from medmodel.runs.queue import queue_order
from medmodel.runs.run import BATCHES, STATUS_LOST, Run, RunStore
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.cells import read_cells, read_header
from medmodel.runs.tables.predictions import PREDICTED, answer_columns, scored_classes

log = logging.getLogger("medmodel.runs.run_index")
_READ = (
    *("status.json", "config.json", "history.csv", "predictions.csv", "best.keras"),
    *("split.csv", "copies.csv", "findings.csv"),
    NOTES,
)
_FILE = "catalogue.json"
_VERSION = 8
"""To be raised when `_read` finds other facts in the same files."""
_FEW = 20
SETTLED_SECONDS = 3.0
"""How long a run's files must be unchanged until they are kept in catalogue.json."""
_Stamp = tuple[tuple[int, int, int], ...]


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


_lock = threading.Lock()
_known: dict[Path, tuple[_Stamp, Entry]] = {}
_loaded: dict[Path, set[tuple[Path, _Stamp]]] = {}


def entries(store: RunStore, latest: int | None = None) -> list[Entry]:
    """All runs of a workspace, or the latest so many, newest first.

    Runs whose files are damaged are left out, see `unreadable`.
    """
    _load(store)
    readable = []
    for run in store.list()[:latest]:
        # One damaged folder must not hide all others.
        with contextlib.suppress(RunError):
            readable.append(_entry(run))
    if latest is None:
        _keep(store, readable)
    return readable


def active_batches(store: RunStore) -> list[Entry]:
    """Batches that wait or are at work, newest first; damaged ones are left out."""
    active = []
    for batch in RunStore(store.root, BATCHES).list():
        with contextlib.suppress(RunError):
            entry = _entry(batch)
            if entry.status.state.active:
                active.append(entry)
    return active


def unreadable(store: RunStore) -> list[str]:
    """A sentence for each file of a run that is damaged or not to be read."""
    sentences: list[str] = []
    for run in store.list():
        try:
            sentences += map(translate, _entry(run).problems)
        except RunError as error:
            if os.path.lexists(run.folder):  # else it was deleted just now
                sentences.append(translate(str(error)))
    return sentences


def finished(
    store: RunStore,
    tests: bool = False,
    segmentations: bool = False,
    multi_label: bool = False,
) -> list[Entry]:
    """Runs with a model that can be asked, best validation loss first.

    Args:
        store: The workspace's runs.
        tests: Whether external tests count, too: their model is another run's. They
            come last.
        segmentations: Whether models count that outline instead of classifying.
        multi_label: Whether models count that give an image several findings.
    """
    usable = [e for e in entries(store) if e.has_model and not e.status.state.active]
    usable = [e for e in usable if tests or not e.test_of]
    usable = [e for e in usable if segmentations or not e.config.segments]
    usable = [e for e in usable if multi_label or not e.config.multi_label]
    return sorted(usable, key=lambda e: math.inf if e.val_loss is None else e.val_loss)


def runs_before(run: Run, store: RunStore) -> int:
    """How many runs and batches come before this one: at work, and in the queue."""
    everything = [*entries(store), *active_batches(store)]
    return len(active_before(run, everything, queue_order(store)))


def active_before(
    run: Run, entries: Iterable[Entry], order: Mapping[str, int]
) -> list[Entry]:
    """Runs at work and those that wait before this one, in the order of the queue.

    Args:
        run: A run or a batch that waits or works.
        entries: All runs and batches.
        order: As from `queue.queue_order`.
    """

    def place(entry: Entry) -> tuple[bool, int, str]:
        run_id, waits = entry.run.id, entry.status.state is RunStatus.QUEUED
        return waits, order.get(run_id, len(order)) if waits else 0, run_id

    active = [entry for entry in entries if entry.status.state.active]
    ordered = sorted(active, key=place)
    places = [entry.run.id for entry in ordered]
    return ordered[: places.index(run.id)] if run.id in places else ordered


def _entry(run: Run) -> Entry:
    stamp = _stamp(run)
    with _lock:
        cached = _known.get(run.folder)
    if cached and cached[0] == stamp:
        entry = cached[1]
    else:
        try:
            with speaking(SOURCE):  # It is kept for every session.
                entry = _read(run)
        except FileError as error:
            raise RunError(str(error)) from error
        except OSError as error:
            raise RunError(
                _(
                    "The files of run {id} cannot be read: {reason}.",
                    id=run.id,
                    reason=os_reason(error),
                )
            ) from error
        except MALFORMED as error:
            raise RunError(
                _(
                    "The files of run {id} are damaged: restore its folder from a "
                    "backup, or remove it.",
                    id=run.id,
                )
            ) from error
        with _lock:
            _known[run.folder] = (stamp, entry)
    # A killed worker changes no file: whether it lives is asked every time.
    try:
        if entry.status.state is RunStatus.RUNNING and not run.alive:
            entry = replace(entry, status=run.status)
    except FileError as error:
        raise RunError(str(error)) from error
    return entry


def _stamp(run: Run) -> _Stamp:
    """Time, size and inode of every file that an entry is read from."""
    stamps = []
    for name in _READ:
        try:
            facts = os.stat(f"{run.folder}/{name}")  # noqa: PTH116 (thousands of them)
            stamps.append((facts.st_mtime_ns, facts.st_size, facts.st_ino))
        except OSError:  # Who reads it will see why.
            stamps.append((0, 0, 0))
    return tuple(stamps)


def _load(store: RunStore) -> None:
    """Takes over what an earlier server knew, once."""
    with _lock:
        if store.root in _loaded:
            return
        _loaded[store.root] = set()
    entries: dict[Path, tuple[_Stamp, Entry]] = {}
    try:
        catalogue = read_json(store.root / _FILE)
        if catalogue is None or catalogue["version"] != _VERSION:
            return
        for name, line in catalogue["runs"].items():
            line["run"] = Run(store.folder / name)
            stamp = msgspec.convert(line["stamp"], _Stamp)
            entries[store.folder / name] = stamp, msgspec.convert(line, Entry)
    except MALFORMED as error:
        log.warning("%s cannot be read, and is made anew: %r", _FILE, error)
        return
    with _lock:
        _known.update(entries)
        _loaded[store.root] = {(f, stamp) for f, (stamp, _) in entries.items()}


def _keep(store: RunStore, entries: Iterable[Entry]) -> None:
    """Writes down what is known of settled runs, once enough of it is new."""
    # A file may change again within one tick of its clock: wait until it cannot.
    before = 1e9 * (time.time() - SETTLED_SECONDS)
    with _lock:
        settled = {
            entry.run.folder: _known[entry.run.folder]
            for entry in entries
            if not entry.status.state.active and entry.run.folder in _known
        }
        settled = {
            folder: (stamp, entry)
            for folder, (stamp, entry) in settled.items()
            if max(changed for changed, _, _ in stamp) < before
        }
        now = {(folder, stamp) for folder, (stamp, _) in settled.items()}
        new = len(now - _loaded.get(store.root, set()))
        if new < max(_FEW, len(now) // 20):
            return
        _loaded[store.root] = now
    runs = {f.name: {"stamp": s, **asdict(e)} for f, (s, e) in settled.items()}
    for line in runs.values():
        del line["run"]
    try:
        with replacing(store.root / _FILE) as file:
            json.dump({"version": _VERSION, "runs": runs}, file)
    except OSError as error:
        log.warning("%s cannot be written: %s", _FILE, error)


def _read(run: Run) -> Entry:
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
