"""Images beside a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import draw_class_folders


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Images that lie in folders which mean nothing, and a table."""
    folder = draw_class_folders(tmp_path / "data" / "set", ("x", "y"), 3)
    return folder
