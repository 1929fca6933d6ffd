"""Masks of a batch in one file: written, read, taken away, damaged."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pytest

from medmodel.batch import masks
from medmodel.core.errors import FileError
from medmodel.imaging.mask_export import png_mask

MASKS = [np.eye(5, 7, k, dtype=np.uint8) * 255 for k in range(3)]


@pytest.fixture
def places(tmp_path: Path) -> list[tuple[int, int]]:
    first = masks.append(tmp_path, [png_mask(MASKS[0])])
    with (tmp_path / masks.FILE).open("ab") as file:
        file.write(b"half a mask of a worker that was killed")
    return first + masks.append(tmp_path, [png_mask(mask) for mask in MASKS[1:]])


@pytest.fixture
def rows(places: list[tuple[int, int]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": ["a.png", "deep/a.png", "b.dcm", "empty.png"],
            "unlike_training": [0.0, np.nan, 1.0, np.nan],
            "mask_start": [*(start for start, _size in places), np.nan],
            "mask_bytes": [*(size for _start, size in places), np.nan],
        }
    )


def test_each_is_where_its_line_says(
    tmp_path: Path, places: list[tuple[int, int]]
) -> None:
    for place, mask in zip(places, MASKS, strict=True):
        assert (masks.read(tmp_path, *place) == mask).all()


def test_a_lost_or_damaged_one_is_named(
    tmp_path: Path, places: list[tuple[int, int]]
) -> None:
    start, size = places[-1]
    with pytest.raises(FileError, match="its end is missing"):
        masks.read(tmp_path, start, size + 1)
    with pytest.raises(FileError, match="no mask where there should be"):
        masks.read(tmp_path, start + 1, size - 1)
    (tmp_path / masks.FILE).unlink()
    with pytest.raises(FileError, match=r"masks\.bin"):
        masks.read(tmp_path, start, size)


@pytest.mark.parametrize("anyway", [False, True])
def test_they_are_taken_away(tmp_path: Path, rows: pd.DataFrame, anyway: bool) -> None:
    names = ["a.png_mask.png", "deep/a.png_mask.png", *(["b.dcm_mask.png"] * anyway)]
    taken, buffer, target = masks.taken(rows, anyway), io.BytesIO(), tmp_path / "to"
    masks.write_zip(tmp_path, taken, buffer)
    with zipfile.ZipFile(buffer) as archive:
        assert archive.namelist() == names
        assert archive.read(names[1]) == png_mask(MASKS[1])
    target.mkdir()
    assert masks.write_files(tmp_path, taken, target) == len(names)
    assert (target / names[1]).read_bytes() == png_mask(MASKS[1])


def test_they_are_taken_through_a_link_wholly_or_not(
    tmp_path: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "to"
    link.symlink_to(tmp_path / "disk")
    assert masks.write_files(tmp_path, rows.head(1), link) == 1

    def full(root: Path, relative: str) -> IO[bytes]:
        (root / relative).touch()
        return Path("/dev/full").open("wb")

    monkeypatch.setattr(masks, "open_for_writing", full)
    with pytest.raises(OSError, match=r"a\.png_mask\.png'$"):
        masks.write_files(tmp_path, rows.head(1), link)
    (whole,) = link.iterdir()
    assert whole.read_bytes() == png_mask(MASKS[0])


@pytest.mark.parametrize("path", ["../out", "../outside/a", "/tmp/out"])
def test_none_leaves_its_folder(tmp_path: Path, rows: pd.DataFrame, path: str) -> None:
    target = tmp_path / "to"
    target.mkdir()
    with pytest.raises(PermissionError):
        masks.write_files(tmp_path, rows.head(1).assign(path=path), target)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("letter", ["x", "ß", "肺"])
def test_a_name_that_is_too_long_is_shortened_and_stays_apart(
    tmp_path: Path, rows: pd.DataFrame, letter: str
) -> None:
    """A file's name may have 255 bytes: its mask's would have more."""
    long = letter * (240 // len(letter.encode()))
    paths = [f"deep/{long}{n}.png" for n in range(2)]
    taken = rows.head(2).assign(path=paths)
    (tmp_path / "to").mkdir()
    assert masks.write_files(tmp_path, taken, tmp_path / "to") == 2
    written = sorted(path.name for path in (tmp_path / "to" / "deep").iterdir())
    assert len(written) == 2 and masks.shortened(taken) == 2
    assert all(name.startswith(letter) and "~" in name for name in written)
    buffer = io.BytesIO()
    masks.write_zip(tmp_path, taken, buffer)
    with zipfile.ZipFile(buffer) as archive:
        names = sorted(name.removeprefix("deep/") for name in archive.namelist())
    assert names == written
    assert not masks.shortened(rows)
    assert "2 images are too long" in masks.shortened_sentence(2)
