"""All runs at a glance, quick for many: each file is read once per change."""

from __future__ import annotations

import csv
import logging
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from medmodel.config import TrainConfig
from medmodel.errors import RunError
from medmodel.runs import Run, RunStatus, RunStore, Status

log = logging.getLogger("medmodel.catalogue")
_READ = ("status.json", "config.json", "history.csv", "predictions.csv", "best.keras")


@dataclass(frozen=True)
class Entry:
    """One run as a line of a list.

    Args:
        run: The run's folder.
        config: Its settings.
        status: Where it stands.
        val_loss: Validation loss of the best epoch so far; None before the first.
        val_accuracy: Validation accuracy of that epoch, 0 to 1.
        test_accuracy: Share of test images whose first choice is right; None before
            they were predicted.
        has_model: Whether it can be asked about images.
    """

    run: Run
    config: TrainConfig
    status: Status
    val_loss: float | None
    val_accuracy: float | None
    test_accuracy: float | None
    has_model: bool

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
_known: dict[Path, tuple[tuple[float, ...], Entry]] = {}


def entries(store: RunStore, latest: int | None = None) -> list[Entry]:
    """All runs of a workspace, or the latest so many, newest first."""
    found = []
    for run in store.list()[:latest]:
        try:
            found.append(_entry(run))
        except RunError:  # deleted between listing and reading
            continue
        except (ValueError, KeyError, TypeError, OSError) as error:
            # One damaged folder must not hide all others.
            log.warning("The run %s cannot be read: %r", run.id, error)
    return found


def finished(store: RunStore) -> list[Entry]:
    """Runs with a model that can be asked, best validation loss first."""
    usable = [e for e in entries(store) if e.has_model and not e.status.state.active]
    return sorted(usable, key=lambda e: math.inf if e.val_loss is None else e.val_loss)


def runs_before(run: Run, store: RunStore) -> int:
    """How many active runs were asked for before this one."""
    active = [e.run.id for e in entries(store) if e.status.state.active]
    return sum(other < run.id for other in active)


def _entry(run: Run) -> Entry:
    stamp = tuple(_mtime(run.folder / name) for name in _READ)
    with _lock:
        kept = _known.get(run.folder)
    if kept and kept[0] == stamp:
        entry = kept[1]
    else:
        entry = _read(run)
        with _lock:
            _known[run.folder] = (stamp, entry)
    # A killed worker changes no file: whether it lives is asked every time.
    if entry.status.state is RunStatus.RUNNING and not run.alive:
        entry = replace(entry, status=run.status)
    return entry


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(run: Run) -> Entry:
    status = run.status
    loss, accuracy = _best_epoch(run.folder / "history.csv", status.best_epoch)
    return Entry(
        run=run,
        config=run.config,
        status=status,
        val_loss=loss,
        val_accuracy=accuracy,
        test_accuracy=_test_accuracy(run.folder / "predictions.csv"),
        has_model=(run.folder / "best.keras").exists(),
    )


def _best_epoch(path: Path, epoch: int) -> tuple[float | None, float | None]:
    """Loss and accuracy of this epoch; of the lowest loss where it is not known."""
    best: tuple[float, float] | None = None
    named: tuple[float, float] | None = None
    for row in _columns(path, "epoch", "val_loss", "val_accuracy"):
        try:
            number, loss, accuracy = (float(text) for text in row)
        except ValueError:  # a line that is being written
            continue
        if number == epoch:
            named = loss, accuracy
        if math.isfinite(loss) and (best is None or loss < best[0]):
            best = loss, accuracy
    return named or best or (None, None)


def _test_accuracy(path: Path) -> float | None:
    right = total = 0
    header = next(_lines(path), [])
    scores = [name for name in header if name.startswith("score_")]
    labels = [name.removeprefix("score_") for name in scores]
    for split, label, *row in _columns(path, "split", "label", *scores):
        if split == "test":
            values = [float(text) for text in row]
            right += labels[values.index(max(values))] == label
            total += 1
    return right / total if total else None


def _columns(path: Path, *names: str) -> Iterator[list[str]]:
    """Cells of the named columns of every whole line."""
    lines = _lines(path)
    header = next(lines, [])
    if not set(names) <= set(header):
        return
    places = [header.index(name) for name in names]
    for cells in lines:
        if len(cells) == len(header):
            yield [cells[place] for place in places]


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.reader(file)
    except FileNotFoundError:
        return
