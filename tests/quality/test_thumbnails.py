"""Small PNG files of a check: whole ones are shown, nothing is followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medmodel.imaging import images
from medmodel.quality.thumbnails import class_strip, drawn_png

PNG = images.png_bytes(np.zeros((4, 4, 3), np.uint8))


@pytest.fixture
def strip(workspace: Path) -> Path:
    place = class_strip(workspace / "datasets" / "a", "dark")
    place.parent.mkdir(parents=True)
    return place


def test_a_drawn_png_is_read(strip: Path) -> None:
    assert drawn_png(strip) == b""
    strip.write_bytes(PNG)
    assert drawn_png(strip) == PNG


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"text"),
        lambda path: path.write_bytes(PNG[:40]),
        lambda path: path.write_bytes(PNG[:45] + b"x" + PNG[46:]),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path.with_name("other")),
        lambda path: path.write_bytes(PNG[8:]),
    ],
)
def test_what_is_no_png_of_ours_is_left_out(
    strip: Path, damage: Callable[[Path], object]
) -> None:
    strip.with_name("other").write_bytes(PNG)
    damage(strip)
    assert drawn_png(strip) == b""


def test_a_folder_that_is_a_link_is_not_followed(strip: Path, tmp_path: Path) -> None:
    strip.parent.rmdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / strip.name).write_bytes(PNG)
    strip.parent.symlink_to(tmp_path / "other")
    assert drawn_png(strip) == b""
