"""Time left of a run: one estimate over all its phases.

Earlier runs of this workspace say how long a unit of each phase takes (an image, a
step) and how long the phase needs to start; before the first one there are guesses for
a small machine. How much slower or faster than that this run goes on the whole, its
pace, corrects what is to come: one phase alone would say too much of all the others.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medmodel.core.storage import read_if_whole, write_json

FILE = "speeds.json"
START = " start"
"""Behind the key of a phase: how long it needs to start."""
_FEWEST_UNITS = 3
"""Units after which the speed of a phase is measured; one stands for the guess."""
_TRUST = 0.1
"""Share of the whole plan that stands for the guesses in the pace; of a phase whose
speed is known, for that speed."""
_MOST_PACE = 10.0
_OVERDUE = 0.25
"""Share of a guess, or of the time spent, that is left of what should have ended."""


@dataclass(frozen=True)
class Part:
    """One phase of a run as it is planned.

    Args:
        phase: As `StatusWriter.progress` is told.
        units: Images or steps; 0 for a phase that only takes time.
        seconds: Guess for one unit, for the whole phase if it has none.
        key: Under which its speed is kept for later runs; empty for not at all.
        start: Guess for what comes before the first unit, in seconds.
    """

    phase: str
    units: int
    seconds: float
    key: str = ""
    start: float = 0.0

    @property
    def guess(self) -> float:
        """Guess for the whole phase, in seconds."""
        return self.start + self.seconds * max(self.units, 1)


@dataclass(frozen=True)
class _Measured:
    """What a phase has shown of its speed: units since its first, and their seconds."""

    units: int = 0
    seconds: float = 0.0

    @property
    def enough(self) -> bool:
        return self.units >= _FEWEST_UNITS and self.seconds > 0


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
        self._planned = True
        # Seconds of what was measured, and their guess: of phases whose speed earlier
        # runs told, and of others.
        self._taken, self._guessed = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
        self._began = clock()
        self._done = 0
        self._first: tuple[int, float] | None = None
        self._begin(0, 0)

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
            done: Finished units; at the first call those that need not be done.
            total: All units; 0 while unknown.
        """
        self._planned = self._enter(phase, done, total)
        if self._planned and done > self._done:
            self._done, self._moved = done, self._clock()
            self._first = self._first or (done, self._moved)
        if self._planned:
            self._total = total
        return self.now()

    def now(self) -> tuple[float | None, float]:
        """As `progress` at this moment, without any news."""
        if not self._planned or self.place < 0:
            return None, self._share(sum(p.guess for p in self.parts[self.place :]))
        pace = {True: self._pace(known=True), False: self._pace(known=False)}
        later = self.parts[self.place + 1 :]
        left = self._left_of_part(pace[self._knows(self.parts[self.place])])
        left += sum(pace[self._knows(part)] * part.guess for part in later)
        return left, self._share(left)

    def _knows(self, part: Part) -> bool:
        return part.key in self._speeds

    def _begin(self, done: int, total: int) -> None:
        self._entered = self._moved = self._clock()
        self._before = self._done = done
        self._total = total
        self._first = None

    def _enter(self, phase: str, done: int, total: int) -> bool:
        """Goes on to the part of this name; False if there is none."""
        again = done < self._done  # the same phase once more, with other images
        here = self.place >= 0 and self.parts[self.place].phase == phase
        if here and not again:
            return True
        for place in range(self.place + 1, len(self.parts)):
            if self.parts[place].phase == phase:
                self._end_part()
                self.place = place
                self._begin(done, total)
                return True
        if here:
            self._begin(done, total)
        return here

    def _left_of_part(self, pace: float) -> float:
        """Seconds left of the present part."""
        now, part, measured = self._clock(), self.parts[self.place], self._measured()
        if not part.units or not self._total:
            spent = now - self._entered
            return max(pace * part.guess - spent, _OVERDUE * spent)
        guess = pace * part.seconds
        told = measured if measured.enough else _Measured()
        # A speed of earlier runs outweighs a slow beginning; a guess gives way at once.
        prior = max(_TRUST * self._total, 1) if self._knows(part) else 1
        rate = (prior * guess + told.seconds) / (prior + told.units)
        left = rate * (self._total - self._done)
        if self._first is None and self._done < self._total:
            left += pace * part.start
        return max(left - (now - self._moved), _OVERDUE * left)

    def _measured(self) -> _Measured:
        if self._first is None:
            return _Measured()
        return _Measured(self._done - self._first[0], self._moved - self._first[1])

    def _pace(self, known: bool) -> float:
        """How much longer everything takes than was guessed.

        A guess that was wrong of a phase that no run had before says nothing of those
        whose speed is known.

        Args:
            known: Whether it is that of phases whose speed earlier runs told.
        """
        kinds = (True,) if known else (True, False)
        taken = sum(self._taken[kind] for kind in kinds)
        guessed = sum(self._guessed[kind] for kind in kinds)
        part, measured = self.parts[self.place], self._measured()
        if measured.enough and self._knows(part) in kinds:
            taken += measured.seconds
            guessed += measured.units * part.seconds
        prior = _TRUST * self.whole
        if prior + guessed <= 0:
            return 1.0
        pace = (prior + taken) / (prior + guessed)
        return min(max(pace, 1 / _MOST_PACE), _MOST_PACE)

    def _share(self, left: float) -> float:
        spent = self._clock() - self._began
        return spent / (spent + left) if spent + left > 0 else 0.0

    def _with_speed(self, part: Part) -> Part:
        seconds = self._speeds.get(part.key, part.seconds)
        start = self._speeds.get(part.key + START, part.start)
        return replace(part, seconds=max(seconds, 0.0), start=max(start, 0.0))

    def _end_part(self) -> None:
        """Adds what the part showed to the pace, and keeps its speed for later runs."""
        if self.place < 0:
            return
        part, measured = self.parts[self.place], self._measured()
        seconds = self._clock() - self._entered
        units = self._done - self._before if part.units else 1
        speed = {part.key: seconds / units} if units else {}
        if part.start and units:
            # All came at once: they took what was planned at most, the rest was start.
            rate = min(part.seconds, seconds / units)
            speed = {part.key: rate, part.key + START: seconds - rate * units}
        if part.units and measured.enough and self._first is not None:
            rate = measured.seconds / measured.units
            start = self._first[1] - self._entered
            start -= rate * (self._first[0] - self._before)
            speed = {part.key: rate, part.key + START: max(start, 0.0)}
            self._taken[self._knows(part)] += measured.seconds
            self._guessed[self._knows(part)] += measured.units * part.seconds
        # Too few say nothing; a phase that found all its results did not work.
        if part.key and speed and (not part.units or units >= _FEWEST_UNITS):
            self._keep(speed)

    def _keep(self, speed: dict[str, float]) -> None:
        if self._file is None:
            return
        known = read_if_whole(self._file, dict[str, float]) or {}
        # Half of what the runs before showed: one of them may have met a busy hour.
        for key in speed.keys() & known.keys():
            speed[key] = (speed[key] + max(known[key], 0.0)) / 2
        # On a full disk the next run guesses: no reason to end this one.
        with contextlib.suppress(OSError):
            write_json(self._file, known | speed)

    def finish(self) -> None:
        """Keeps the speed of the last phase."""
        self._end_part()
        self.place, self._planned = len(self.parts), False
