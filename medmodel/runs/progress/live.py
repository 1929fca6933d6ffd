"""Live feed of a run: its growing files, read once for all viewers.

A `Feed` reads only the new bytes of steps.csv and history.csv and the changed
status.json. Viewers hold a `Position` and ask for what lies behind it; who is too far
behind, or holds what was rewritten since, gets everything again, thinned.
"""

from __future__ import annotations

import json
import math
import time
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medmodel.core.errors import MedModelError
from medmodel.core.regular_files import open_regular
from medmodel.language import translate
from medmodel.runs import run_index
from medmodel.runs.progress import watched
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.curves import METRICS, named_columns

_STEP_COLUMNS = ("step", "loss", "accuracy")
_EPOCH_COLUMNS = (
    "epoch",
    "step",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
)
POINTS = 2000
"""Most points of a whole curve as sent."""


class Tail:
    """The complete lines that were added to a CSV since the last look.

    Args:
        path: The file; it may not exist yet.
        columns: Names of the columns to keep, all numbers.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path = path
        self.columns = columns
        self.inode = 0
        self._offset = 0
        self._places: list[int] | None = None

    def read(self) -> tuple[bool, list[list[float]]]:
        """(whether the file is another one or shorter than before, new rows)."""
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            gone = self.inode != 0
            self._restart(0)
            return gone, []
        anew = facts.st_ino != self.inode or facts.st_size < self._offset
        if anew:
            self._restart(facts.st_ino)
        if facts.st_size == self._offset:
            return anew, []
        try:
            with open_regular(self.path) as file:
                file.seek(self._offset)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:  # something else in its place: the run's page names it
            return anew, []
        self._offset += len(whole) + len(newline)
        lines = whole.decode("utf-8", "replace").splitlines() if newline else []
        return anew, [row for line in lines if (row := self._row(line))]

    def _restart(self, inode: int) -> None:
        self.inode, self._offset, self._places = inode, 0, None

    def _row(self, line: str) -> list[float] | None:
        cells = line.split(",")
        if self._places is None:
            absent = len(cells)
            self._places = [
                next((cells.index(n) for n in _spellings(name) if n in cells), absent)
                for name in self.columns
            ]
            return None
        return [_number(cells, place) for place in self._places]


def _spellings(name: str) -> list[str]:
    """A column's name; of a metric any, since a run learns late which it follows."""
    plain = name.removeprefix("val_")
    if plain not in METRICS:
        return [name]
    return [name, *(name.replace(plain, metric) for metric in METRICS)]


def _number(cells: list[str], place: int) -> float:
    try:
        return float(cells[place])
    except (IndexError, ValueError):
        return math.nan


class Curve:
    """Columns of numbers that grow, ordered by the first; a smaller one rewinds.

    Args:
        tail: Where the rows come from.
    """

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.columns = [array("d") for _ in tail.columns]
        self.rewinds = 0

    def __len__(self) -> int:
        return len(self.columns[0])

    def poll(self) -> bool:
        """Reads what is new; whether anything changed."""
        anew, rows = self.tail.read()
        if anew:
            self.rewinds = 0
            self._cut(0)
        for row in rows:
            self._add(row)
        return anew or bool(rows)

    def _add(self, row: list[float]) -> None:
        if math.isnan(row[0]):
            return
        order = self.columns[0]
        if order and row[0] <= order[-1]:
            # A resumed run repeats its last epoch: the newer rows count.
            self.rewinds += 1
            keep = len(order)
            while keep and order[keep - 1] >= row[0]:
                keep -= 1
            self._cut(keep)
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)

    def _cut(self, keep: int) -> None:
        for column in self.columns:
            del column[keep:]

    def since(self, start: int) -> list[list[float | None]]:
        """The columns from row `start` on, ready for JSON."""
        return [_plain(column[start:]) for column in self.columns]

    def thinned(self, most: int = POINTS) -> list[list[float | None]]:
        """All rows, or the extremes of the second column in `most / 2` stretches."""
        count = len(self)
        if count <= most:
            return self.since(0)
        values = self.columns[1]
        stretches = most // 2
        extremes: set[int] = {0, count - 1}
        for part in range(stretches):
            places = range(part * count // stretches, (part + 1) * count // stretches)
            extremes.add(min(places, key=values.__getitem__))
            extremes.add(max(places, key=values.__getitem__))
        rows = sorted(extremes)
        return [_plain(array("d", (c[i] for i in rows))) for c in self.columns]


def _plain(values: array[float]) -> list[float | None]:
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in values]


def _translated(status: dict[str, Any]) -> dict[str, Any]:
    """A status with its sentences in the present language."""
    texts = {n: translate(status[n]) for n in ("message", "device") if status.get(n)}
    if failure := status.get("failure"):
        texts["failure"] = failure | {
            name: translate(failure[name]) for name in ("message", "advice")
        }
    usage = status.get("usage") or {}
    return (
        status
        | texts
        | {
            "usage": {
                translate(name): translate(value) for name, value in usage.items()
            }
        }
    )


@dataclass(frozen=True)
class Position:
    """Position of a viewer: how much of a run it already holds.

    Args:
        key: Which files, rewound how often.
        steps: Rows of steps.csv.
        epochs: Rows of history.csv.
        status: Number of the status that it saw last; -1 for none.
        samples: Rows of watched.csv.
    """

    key: str = ""
    steps: int = 0
    epochs: int = 0
    status: int = -1
    samples: int = 0

    @classmethod
    def parse(cls, text: str) -> Position:
        """From the text of a viewer that reconnects: `key:steps:epochs[:samples]`."""
        key, *counts = text.split(":")
        if len(counts) not in (2, 3) or not all(map(str.isdecimal, counts)):
            return cls()
        steps, epochs, samples = (int(c[:12]) for c in (*counts, "0")[:3])
        return cls(key, steps, epochs, samples=samples)


class Feed:
    """State of one run, kept up to date by `poll`.

    Args:
        run: The run to follow.
        store: All runs, for the length of the queue.
    """

    def __init__(self, run: Run, store: RunStore) -> None:
        self.run = run
        self.store = store
        steps, epochs = (
            named_columns(run, names) for names in (_STEP_COLUMNS, _EPOCH_COLUMNS)
        )
        self.steps = Curve(Tail(run.steps_path, steps))
        self.epochs = Curve(Tail(run.history_path, epochs))
        self.samples = Curve(Tail(watched.table_path(run), ("epoch",)))
        self.images: dict[str, Any] | None = None
        self.status: dict[str, Any] = {}
        self.status_number = 0
        self._stamp = 0
        self._looked = 0.0

    @property
    def active(self) -> bool:
        """Whether more is to come."""
        return self.status.get("state") in ("queued", "running")

    @property
    def key(self) -> str:
        """Changes whenever rows that were sent are no longer true."""
        parts = (
            self.steps.tail.inode,
            self.epochs.tail.inode,
            self.steps.rewinds,
            self.epochs.rewinds,
            self.samples.tail.inode,
            self.samples.rewinds,
        )
        return "-".join(map(str, parts))

    @property
    def position(self) -> Position:
        """The position of a viewer that holds everything."""
        return Position(
            self.key,
            len(self.steps),
            len(self.epochs),
            self.status_number,
            len(self.samples),
        )

    def poll(self) -> bool:
        """Reads what is new; whether there is anything to tell."""
        # Status first: rows written before an end are then surely read after it.
        fresh = [self._poll_status(), self.steps.poll(), self.epochs.poll()]
        return any([*fresh, self._poll_samples()])

    def _poll_samples(self) -> bool:
        if self.images is None:
            images = watched.read_watched(self.run)
            if images is None:
                return False
            self.images = asdict(images)
            columns = watched.columns(len(images.images), len(images.classes))
            self.samples = Curve(Tail(watched.table_path(self.run), columns))
        return self.samples.poll()

    def message(self, position: Position) -> str:
        """JSON text of all that the holder of `position` lacks."""
        same = (
            position.key == self.key
            and position.steps <= len(self.steps)
            and position.epochs <= len(self.epochs)
            and position.samples <= len(self.samples)
        )
        news: dict[str, Any] = {"key": self.key, "reset": not same}
        news["at"] = [len(self.steps), len(self.epochs), len(self.samples)]
        # A new connection does not hold the images, wherever it stands.
        if self.images is not None and (not same or position.status < 0):
            news["images"] = self.images
        news["samples"] = self.samples.since(position.samples if same else 0)
        if same:
            news["steps"] = self.steps.since(position.steps)
            news["epochs"] = self.epochs.since(position.epochs)
        else:
            news["steps"] = self.steps.thinned()
            news["epochs"] = self.epochs.since(0)
        if position.status != self.status_number:
            news["status"] = _translated(self.status)
        return json.dumps(news, separators=(",", ":"))

    def _poll_status(self) -> bool:
        path = self.run.folder / "status.json"
        try:
            stamp = path.stat().st_mtime_ns
        except FileNotFoundError:
            return self._tell({"state": "deleted"})
        # A killed worker changes no file, and the queue moves without this run.
        due = self.active and time.monotonic() - self._looked > 1
        if stamp == self._stamp and not due:
            return False
        self._stamp, self._looked = stamp, time.monotonic()
        try:
            status = self.run.status
        except MedModelError:  # damaged or deleted: the run's page says which
            return self._tell({"state": "deleted"})
        values = asdict(status)
        values["age"] = round(max(time.time() - status.heartbeat, 0.0), 1)
        # Whoever pressed Stop shall see at once that it was heard.
        stopping = status.state is RunStatus.RUNNING and self.run.stop_requested
        values["stopping"] = stopping
        if status.state is RunStatus.QUEUED:
            values["before"] = run_index.runs_before(self.run, self.store)
            # Other words than its place in the queue, such as those of a cluster.
            values["told"] = status.message != Status.message
        return self._tell(values)

    def _tell(self, values: dict[str, Any]) -> bool:
        before = {k: v for k, v in self.status.items() if k != "age"}
        if before == {k: v for k, v in values.items() if k != "age"}:
            return False
        self.status = values
        self.status_number += 1
        return True
