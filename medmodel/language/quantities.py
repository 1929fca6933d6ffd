"""Lengths of time, moments and sizes of files as text."""

from __future__ import annotations

import time
from datetime import date

from medmodel.language.gettext import _
from medmodel.language.numbers import format_date, format_number


def duration(seconds: float) -> str:
    """A length of time: `0.4 s`, `12 s`, `2 min 10 s`, `1 h 5 min`."""
    if 0 < seconds < 1:
        return _("{seconds:.1f} s", seconds=seconds)
    whole = round(seconds)
    if whole < 60:
        return _("{seconds} s", seconds=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        if not rest:
            return _("{minutes} min", minutes=minutes)
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    if not minutes:
        return _("{hours} h", hours=hours)
    return _("{hours} h {minutes} min", hours=hours, minutes=minutes)


def rounded(seconds: float) -> float:
    """Seconds with no more digits than a guess has, for `duration`."""
    unit = 10 if seconds < 60 else 60 if seconds < 3600 else 600
    return max(round(seconds / unit), 1) * unit


def ago(moment: float) -> str:
    """How long ago a moment (seconds since 1970) was: `3 min ago`."""
    passed = max(time.time() - moment, 0)
    if passed < 60:
        return _("just now")
    if passed < 3600:
        return _("{minutes} min ago", minutes=int(passed // 60))
    if passed < 86400:
        return _("{hours} h ago", hours=int(passed // 3600))
    return format_date(date.fromtimestamp(moment))


def bytes_text(count: float) -> str:
    """A number of bytes: `12 MB`, `3.4 GB`."""
    if count < 1000:
        return _("{count:.0f} bytes", count=count)
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 1000:
            return f"{format_number(count, '.0f')} {unit}"
    return f"{format_number(count / 1000, '.1f')} GB"
