"""Letters, drawn in many ways and found; what only resembles them is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from medmodel.imaging import channels, images
from medmodel.quality import burned_in, burned_in_text
from tests.quality.test_burned_in import chest, with_letter

FONT = Path(__file__).resolve().parents[2] / "assets" / "fonts" / "DejaVuSans.ttf"


def ground(seed: int, side: int, level: int, noise: float) -> np.ndarray:
    """Soft shapes around a grey level, with noise of this standard deviation."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(level, 25, (8, 8)).clip(0, 255).astype(np.uint8)
    soft = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    noisy = np.asarray(soft) + rng.normal(0, noise, (side, side))
    return np.asarray(noisy.clip(0, 255), np.uint8)


def written(values: np.ndarray, text: str, size: int, ink: int) -> np.ndarray:
    image = Image.fromarray(values)
    place = (6, image.height - size - 12)
    font = ImageFont.truetype(FONT, size)
    ImageDraw.Draw(image).text(place, text, fill=ink, font=font)
    return np.asarray(image)


@pytest.mark.parametrize("side", [150, 224, 256])
def test_single_markers_are_counted(side: int) -> None:
    plain, marked = chest(side=side), with_letter(chest(side=side))
    assert burned_in_text.letters(np.asarray(plain)) == 0
    assert burned_in_text.letters(np.asarray(marked)) == 1
    if side > 200:  # else they stand too near to each other
        assert (
            burned_in_text.letters(np.asarray(with_letter(chest(side=side), "R L")))
            == 2
        )


@pytest.mark.parametrize("size", [10, 12, 14])
@pytest.mark.parametrize(("level", "ink"), [(45, 255), (45, 200), (200, 0)])
def test_thin_lines_of_text_are_found(size: int, level: int, ink: int) -> None:
    side = 224 if size == 12 else 384
    for seed in range(3):
        picture = written(ground(seed, side, level, 8), "PORTABLE", size, ink)
        assert burned_in_text.letters(picture) > 0


@pytest.mark.parametrize("noise", [0, 8, 20, 40])
@pytest.mark.parametrize("level", [45, 128, 200])
def test_noise_is_no_text(noise: float, level: int) -> None:
    assert burned_in_text.letters(ground(3, 224, level, noise)) == 0


def test_a_single_dark_mark_is_dust_not_a_marker() -> None:
    marked = np.asarray(with_letter(chest(side=224)))
    assert burned_in_text.letters(marked) == 1
    assert burned_in_text.letters(255 - marked) == 0


def test_letters_are_not_sought_in_small_images() -> None:
    for side, found in ((100, True), (99, False)):
        image = written(ground(1, side, 45, 8), "PORTABLE", 12, 255)
        assert (burned_in_text.letters(image) > 0) is found


def test_what_is_no_letter() -> None:
    blank = np.zeros((100, 100), np.uint8)
    assert burned_in_text.letters(blank) == 0
    middle = blank.copy()
    middle[44:54, 46:51] = 255
    assert burned_in_text.letters(middle) == 0
    line = blank.copy()
    line[:, 3:5] = 255
    assert burned_in_text.letters(line) == 0
    assert burned_in_text.letters(np.asarray(with_letter(chest(side=40)))) == 0


def share_with_letters(folder: Path) -> float:
    """Of the files of a folder that are pictures."""
    found = []
    for path in sorted(folder.iterdir())[:9]:
        pixels = channels.single_channel(images.decode(path).pixels)
        small = images.thumbnail(pixels, burned_in.SIDE)
        grey = small[..., 0] if small.shape[2] == 1 else small.max(axis=2)
        found.append(burned_in_text.letters(grey) > 0)
    return float(np.mean(found))


def test_bones_are_no_letters_and_captions_of_ultrasound_are(
    real_data: Callable[[str], Path],
) -> None:
    assert share_with_letters(real_data("ct_dicom") / "no_contrast") <= 0.25
    assert share_with_letters(real_data("dicom") / "ok" / "US") >= 0.75
