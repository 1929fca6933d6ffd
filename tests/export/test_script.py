"""The script of an export reads images as the dashboard does, or refuses them."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from medmodel.core.preprocessing import Colour, Fit, Preprocessing
from medmodel.core.templating import render_template
from medmodel.imaging.images import decode, prepare_image
from tests.dicom_files import dicom_file, ramp

SIDE = 16
ORIENTATION = 274


def write_script(folder: Path, seen: Preprocessing) -> Path:
    facts = {"preprocessing": asdict(seen), "input": {"shape": list(seen.shape)}}
    (folder / "medmodel.json").write_text(json.dumps(facts), "utf-8")
    script = render_template(
        "predict.py.txt",
        needs="numpy pillow",
        file="model.onnx",
        runtime="onnx",
        outlines=False,
        several=False,
    )
    path = folder / "predict.py"
    path.write_text(script, "utf-8")
    return path


def drawn(mode: str, size: tuple[int, int] = (41, 23)) -> Image.Image:
    """An image of any mode, of which nothing is plain."""
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (size[1], size[0], 4), np.uint8)
    image = Image.fromarray(colours)
    return image.convert(mode) if mode != "RGBA" else image


def written(kind: str, folder: Path) -> Path:
    """A file of a kind that cameras, phones and screens write."""
    mode, ending = kind.split()[:2]
    path = folder / f"image.{ending}"
    image = drawn(mode)
    if "rotated" in kind:
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        image.save(path, exif=exif)
    elif "transparent" in kind:
        image.save(path, transparency=3)
    else:
        image.save(path)
    return path


KINDS = (
    *("L png", "RGB png", "RGBA png", "LA png", "P png", "1 png"),
    *("P png transparent", "L png transparent", "RGB jpg", "L jpg", "CMYK jpg"),
    *("RGB jpg rotated", "RGB bmp", "P gif", "P gif transparent", "RGBA webp"),
)


@pytest.mark.parametrize("colour", ["grey", "rgb"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_seen_as_the_dashboard_sees_it(
    kind: str, colour: Colour, tmp_path: Path
) -> None:
    fits: tuple[Fit, ...] = ("pad", "crop", "stretch")
    path = written(kind, tmp_path)
    for fit in fits:
        seen = Preprocessing(SIDE, fit, colour)
        script: dict[str, Any] = runpy.run_path(str(write_script(tmp_path, seen)))
        pixels = script["prepare"](script["upright"](path))[0]
        right = prepare_image(decode(path).pixels, seen)
        np.testing.assert_array_equal(pixels, right)


Odd = Literal[
    "16 bits", "16 bits, colour", "scan", "text", "cut", "exif", "absent", "none"
]


def odd(kind: Odd, folder: Path) -> list[str]:
    """What stands behind the script on the command line."""
    path = folder / "odd.png"
    if kind == "16 bits":
        Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30)).save(path)
    elif kind == "16 bits, colour":
        import imagecodecs

        deep = np.full((20, 30, 3), 500, np.uint16)
        path.write_bytes(imagecodecs.png_encode(deep))
    elif kind == "scan":
        path.write_bytes(dicom_file(ramp()))
    elif kind == "text":
        path.write_text("no image")
    elif kind == "cut":
        drawn("RGB", (400, 300)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "exif":
        drawn("RGB").save(path, exif=b"Exif\0\0no header of TIFF")
    return [] if kind == "none" else [str(path)]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("16 bits", "more than 8 bits"),
        ("16 bits, colour", "more than 8 bits"),
        ("scan", "cannot be read: another format"),
        ("text", "cannot be read: another format"),
        ("cut", "damaged or too large. PNG, JPEG"),
        ("exif", "cannot be read: another format, damaged"),
        ("absent", "cannot be read: No such file"),
        ("none", "Name an image"),
    ],
)
def test_what_it_would_read_wrongly_is_refused_in_one_sentence(
    kind: Odd, sentence: str, tmp_path: Path
) -> None:
    script = write_script(tmp_path, Preprocessing(SIDE))
    done = subprocess.run(
        [sys.executable, "-I", str(script), *odd(kind, tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert sentence in done.stderr and done.stderr.count("\n") == 1
