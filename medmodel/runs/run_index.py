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
from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from medmodel.core.errors import (
    MALFORMED,
    FileError,
    RunError,
    os_reason,
)
from medmodel.core.storage import read_json, replacing
from medmodel.language import SOURCE, _, speaking, translate
from medmodel.runs.notes import FILE as NOTES
from medmodel.runs.queue import queue_order
from medmodel.runs.run import BATCHES, Run
from medmodel.runs.run_entry import Entry, read_entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

log = logging.getLogger("medmodel.runs.run_index")
_READ = (
    *("status.json", "config.json", "history.csv", "predictions.csv", "best.keras"),
    *("split.csv", "copies.csv", "findings.csv"),
    NOTES,
)
_FILE = "catalogue.json"
_VERSION = 8
"""To be raised when `read_entry` finds other facts in the same files."""
_FEW = 20
SETTLED_SECONDS = 3.0
"""How long a run's files must be unchanged until they are kept in catalogue.json."""
_Stamp = tuple[tuple[int, int, int], ...]


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
                entry = read_entry(run)
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
