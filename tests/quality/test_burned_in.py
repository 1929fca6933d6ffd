"""Frames and letters, drawn and measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFont

from medmodel.quality import burned_in


def chest(seed: int = 0, side: int = 224) -> Image.Image:
    """Soft grey shapes, bright in the middle as a spine is."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 150, (7, 7), np.uint8)
    coarse[:, 3] = 230
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def with_letter(image: Image.Image, letter: str = "R") -> Image.Image:
    font = ImageFont.load_default(size=image.width * 0.08)
    place = (image.width * 0.04, image.height * 0.3)
    dark = ImageDraw.Draw(image)
    dark.rectangle((0, 0, image.width * 0.2, image.height), fill=40)
    dark.text(place, letter, fill=255, font=font)
    return image


def test_borders_by_hand() -> None:
    plain = np.zeros((10, 20), bool)
    assert burned_in.border(plain) == 0
    plain[:, 17:] = True  # 3 of 20 columns
    assert burned_in.border(plain) == 15
    plain[:2] = True  # 2 of 10 rows
    assert burned_in.border(plain) == 20
    assert burned_in.border(np.ones((10, 20), bool)) == 0


def test_air_around_a_head_is_no_frame() -> None:
    row, column = np.mgrid[:20, :20]
    assert burned_in.border((row - 10) ** 2 + (column - 10) ** 2 > 64) == 0


@pytest.mark.parametrize(("wide", "border"), [(12, 20), (11, 0)])
def test_a_frame_ends_along_a_straight_line(wide: int, border: int) -> None:
    """Of the line next to it at most half is plain."""
    plain = np.ones((20, 24), bool)
    plain[5:] = False
    plain[4, 6 : 6 + wide] = False
    assert burned_in.border(plain) == border
    assert burned_in.border(plain[::-1]) == border


def test_a_sample_of_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for number in range(6):
        picture = chest(number)
        if number % 2:
            picture = with_letter(picture)
            ImageDraw.Draw(picture).rectangle((0, 202, 224, 224), fill=0)
        picture.convert("RGB").save(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", "ab"[number % 2], f"{9 - number}"))
    rows.append(("gone.png", "a", "0"))
    monkeypatch.setattr(burned_in, "PER_CLASS", 3)
    table = pd.DataFrame(rows, columns=["path", "label", "digest"])
    found = burned_in.measure(tmp_path, table).set_index("path")
    assert sorted(found.index) == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    assert found.loc[["1.png", "3.png", "5.png"], "letters"].tolist() == [1, 1, 1]
    assert found.loc[["1.png", "3.png", "5.png"], "black_frame"].tolist() == [
        10,
        10,
        10,
    ]
    assert (found.loc[["2.png", "4.png"]] == 0).all().all()
    assert (found["white_frame"] == 0).all()
