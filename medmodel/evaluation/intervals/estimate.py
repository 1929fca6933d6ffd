"""A number with its 95 % interval, and how people read it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from medmodel.evaluation.intervals.minima import LimitingGroup, enough, too_few
from medmodel.language import _, format_number, ngettext

_NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; not-a-number where it cannot be measured.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: How many images it rests on.
        too_few: The smallest group that counts, if that is too small for an interval,
            whose ends are then not-a-number.
    """

    value: float
    low: float
    high: float
    n: int
    too_few: LimitingGroup | None = None

    @property
    def measurable(self) -> bool:
        """Whether there was anything to measure."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    @property
    def interval(self) -> str:
        """The interval as people read it: `(0.949–0.976)`, or `too few (4 images)`."""
        if self.too_few is not None:
            return too_few(self.too_few)
        low, high = (format_number(end, ".3f") for end in (self.low, self.high))
        return f"({low}–{high})"

    @property
    def ends(self) -> tuple[float | str, float | str]:
        """Both ends as a table to take away has them."""
        if self.too_few is not None:
            return too_few(self.too_few), too_few(self.too_few)
        return self.low, self.high

    def __str__(self) -> str:
        """As people read it: `0.964 (0.949–0.976)`, `0.964, too few (4 images)`."""
        return self._text(self.interval)

    @property
    def short(self) -> str:
        """The same, with the number alone of a group that is too small."""
        return self._text(self.short_interval)

    @property
    def short_interval(self) -> str:
        """The interval, with the number alone of a group that is too small."""
        few = self.too_few
        return self.interval if few is None else too_few(f"{few.count:,}")

    @property
    def with_n(self) -> str:
        """The same with the number of images: `0.964 (0.949–0.976), n = 624 images`."""
        if not self.measurable:
            return str(self)
        return ngettext(
            "{estimate}, n = {count:,} image",
            "{estimate}, n = {count:,} images",
            self.n,
            estimate=str(self),
        )

    @property
    def beside_its_class(self) -> str:
        """`0.833, too few (6 patients), n = 24`, where the row names the class."""
        few = self.too_few
        if not self.measurable:
            return str(self)
        interval = self.interval if few is None else too_few(few.size)
        return _(
            "{estimate}, n = {count:,}", estimate=self._text(interval), count=self.n
        )

    def _text(self, interval: str) -> str:
        if not self.measurable:
            return _("not measurable")
        if self.too_few is not None:
            return _("{value:.3f}, {too_few}", value=self.value, too_few=interval)
        return f"{format_number(self.value, '.3f')} {interval}"


NOT_MEASURABLE = Estimate(_NAN, _NAN, _NAN, 0)


def where_enough(estimate: Estimate, kind: str, group: LimitingGroup) -> Estimate:
    """The estimate, without its interval where that rests on too few.

    Args:
        estimate: With its interval, unless its own images say that they are too few.
        kind: Key of `MINIMA`.
        group: The smallest one that it rests on.
    """
    if not estimate.measurable or (enough(kind, group) and estimate.has_interval):
        return estimate
    return replace(estimate, low=_NAN, high=_NAN, too_few=group)
