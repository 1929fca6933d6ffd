"""Time left of a run: one estimate over all its phases.

Earlier runs of this workspace say how long a unit of each phase takes (an image, a
step); before the first one there are guesses for a small machine. What is measured in
the present phase corrects the guesses for the later ones.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medmodel.core.storage import read_if_whole, write_json

FILE = "speeds.json"
_FEWEST_UNITS = 3
"""Units after which the speed of a phase is measured: the first compiles."""
_MOST_CORRECTION = 4.0


@dataclass(frozen=True)
class Part:
    """One phase of a run as it is planned.

    Args:
        phase: As `StatusWriter.progress` is told.
        units: Images or steps; 0 for a phase that only takes time.
        seconds: Guess for one unit, for the whole phase if it has none.
        key: Under which its speed is kept for later runs; empty for not at all.
    """

    phase: str
    units: int
    seconds: float
    key: str = ""

    @property
    def guess(self) -> float:
        """Guess for the whole phase, in seconds."""
        return self.seconds * max(self.units, 1)


class TimeLeft:
    """Where a run stands in its plan, and how many seconds are left.

    Args:
        parts: The phases in their order.
        file: Where speeds of earlier runs are kept; None to keep none.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._clock = file, clock
        self._speeds: dict[str, float] = {}
        if file is not None:
            self._speeds = read_if_whole(file, dict[str, float]) or {}
        self.parts = [self._with_speed(part) for part in parts]
        self.place = -1
        self._began = self._entered = clock()
        self._first: tuple[int, float] | None = None
        self._done = 0
        self._correction = 1.0

    @property
    def whole(self) -> float:
        """Guess for the whole run, in seconds."""
        return sum(part.guess for part in self.parts)

    @property
    def measured(self) -> bool:
        """Whether an earlier run tells the speed of its longest phase."""
        longest = max(self.parts, key=lambda part: part.guess, default=None)
        return longest is not None and longest.key in self._speeds

    def progress(self, phase: str, done: int, total: int) -> tuple[float | None, float]:
        """Seconds left, None for a phase that is not planned, and the share done.

        Args:
            phase: What is being done.
            done: Finished units.
            total: All units; 0 while unknown.
        """
        if not self._enter(phase, done):
            return None, self._share(None)
        now, part = self._clock(), self.parts[self.place]
        self._done = done
        if self._first is None and done > 0:
            self._first = (done, now)
        seconds = self._unit_seconds(done, total, now)
        if not part.units or not total:
            left = max(part.guess - (now - self._entered), 0.1 * part.guess)
        else:
            left = seconds * (total - done)
        later = sum(p.guess for p in self.parts[self.place + 1 :])
        left += later * self._correction
        return left, self._share(left)

    def _enter(self, phase: str, done: int) -> bool:
        """Goes on to the part of this name; False if there is none."""
        again = done < self._done  # the same phase once more, with other images
        if self.place >= 0 and self.parts[self.place].phase == phase and not again:
            return True
        for place in range(self.place + 1, len(self.parts)):
            if self.parts[place].phase == phase:
                self._keep_speed()
                self.place, self._entered = place, self._clock()
                self._first, self._done = None, done
                return True
        return self.place >= 0 and self.parts[self.place].phase == phase

    def _unit_seconds(self, done: int, total: int, now: float) -> float:
        """Of one unit of this part: measured once there is enough to measure."""
        guess = self.parts[self.place].seconds * self._correction
        if self._first is None or done - self._first[0] < _FEWEST_UNITS:
            return guess
        measured = (now - self._first[1]) / (done - self._first[0])
        if self.parts[self.place].seconds > 0 and measured > 0:
            ratio = measured / self.parts[self.place].seconds
            self._correction = min(max(ratio, 1 / _MOST_CORRECTION), _MOST_CORRECTION)
        return measured

    def _share(self, left: float | None) -> float:
        spent = self._clock() - self._began
        if left is None:
            left = sum(p.guess for p in self.parts[max(self.place, 0) :])
        return spent / (spent + left) if spent + left > 0 else 0.0

    def _with_speed(self, part: Part) -> Part:
        seconds = self._speeds.get(part.key, part.seconds)
        return Part(part.phase, part.units, max(seconds, 0.0), part.key)

    def _keep_speed(self) -> None:
        """Remembers how long a unit of the part that ends took."""
        if self.place < 0 or self._file is None:
            return
        part, seconds = self.parts[self.place], self._clock() - self._entered
        units = self._done if part.units else 1
        # Too few say nothing; a phase that found all its results did not work.
        if part.key and units and (not part.units or units >= _FEWEST_UNITS):
            self._speeds[part.key] = seconds / units
            known = read_if_whole(self._file, dict[str, float]) or {}
            # On a full disk the next run guesses: no reason to end this one.
            with contextlib.suppress(OSError):
                write_json(self._file, known | {part.key: self._speeds[part.key]})

    def finish(self) -> None:
        """Keeps the speed of the last phase."""
        self._keep_speed()
        self.place = len(self.parts)
