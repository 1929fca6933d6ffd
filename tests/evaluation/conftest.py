"""What several tests of evaluation need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medmodel.evaluation.intervals.minima import MINIMA, Minimum


@pytest.fixture(scope="module")
def every_interval() -> Iterator[None]:
    """Intervals of few images as well, as far as they can be computed by hand."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in MINIMA:
            patch.setitem(MINIMA, kind, Minimum(0, 0))
        yield
