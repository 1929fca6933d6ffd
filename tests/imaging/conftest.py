"""Images that are read in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from medmodel.core.processes import sandbox


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[None]:
    """What the sandbox would run is run here: faster, and failures say where."""
    with pytest.MonkeyPatch.context() as patch:
        inside = threading.Event()
        inside.set()
        patch.setattr(sandbox, "_inside", inside)
        yield
