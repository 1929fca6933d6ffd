"""Near copies of images: how many are found, and which pairs are taken for them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.errors import ImageError
from medmodel.data.datasets import index_dataset
from medmodel.imaging import images
from medmodel.imaging.channels import from_pixels
from medmodel.quality import near_duplicates
from medmodel.quality.turns import Turn

RECALL = 0.95
UNRELATED = 10_000
ORIGINALS = 40
_BICUBIC, _Transpose = Image.Resampling.BICUBIC, Image.Transpose
_SETS = {
    "X-ray": "chest_xray",
    "microscopy": "blood_cells",
    "X-ray at 28 pixels": "pneumoniamnist28",
    "six body parts": "medical_mnist_mini",
    "CT": "ct_dicom",
    "MR": "nifti/ok",
}

Transformation = Callable[[Image.Image], Image.Image]


def _scaled(factor: float, image: Image.Image) -> Image.Image:
    sides = (max(1, round(side * factor)) for side in image.size)
    return image.resize((next(sides), next(sides)), _BICUBIC)


def _compressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file).copy()


def _brightened(factor: float, image: Image.Image) -> Image.Image:
    return image.point(lambda value: min(255, round(value * factor)))


def _cropped(left: float, right: float, image: Image.Image) -> Image.Image:
    """Without so much of the width and the height at either end, as fractions."""
    width, height = image.size
    return image.crop(
        (
            round(width * left),
            round(height * left),
            width - round(width * right),
            height - round(height * right),
        )
    )


TRANSFORMATIONS: dict[str, Transformation] = {
    "25 %": lambda image: _scaled(0.25, image),
    "50 %": lambda image: _scaled(0.5, image),
    "80 %": lambda image: _scaled(0.8, image),
    "150 %": lambda image: _scaled(1.5, image),
    "400 %": lambda image: _scaled(4, image),
    "JPEG 30": _compressed,
    "+3 % brightness": lambda image: _brightened(1.03, image),
    "-3 % brightness": lambda image: _brightened(0.97, image),
    "crop 2 % at two edges": lambda image: _cropped(0.02, 0, image),
    "crop 2 % at every edge": lambda image: _cropped(0.02, 0.02, image),
    "mirrored": lambda image: image.transpose(_Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(_Transpose.FLIP_TOP_BOTTOM),
    "turned by 90°": lambda image: image.transpose(_Transpose.ROTATE_90),
    "turned by 180°": lambda image: image.transpose(_Transpose.ROTATE_180),
    "turned by 270°": lambda image: image.transpose(_Transpose.ROTATE_270),
    "mirrored, turned by 90°": lambda image: image.transpose(_Transpose.TRANSPOSE),
    "mirrored, turned by 270°": lambda image: image.transpose(_Transpose.TRANSVERSE),
    "mirrored, JPEG 30": lambda image: _compressed(
        image.transpose(_Transpose.FLIP_LEFT_RIGHT)
    ),
    "turned by 90°, 50 %": lambda image: _scaled(
        0.5, image.transpose(_Transpose.ROTATE_90)
    ),
}


def copies() -> list[Measurement]:
    """Recall of each transformation in each set, and false pairs of each set."""
    results = []
    for title, name in _SETS.items():
        files, originals = _originals(name)
        chosen = originals[:: max(1, len(originals) // ORIGINALS)][:ORIGINALS]
        for kind, transform in TRANSFORMATIONS.items():
            share = _recall(chosen, transform)
            note = f"{title}, {kind}: {len(chosen)} copies under another label"
            results.append(at_least("copies", share, RECALL, "recall", note))
        pairs, wrong = _false_pairs(files, originals)
        note = f"{title}: {pairs:,} unrelated pairs of {len(originals):,} images"
        results.append(at_most("copies", wrong, 0, "false pairs", note))
    return results


def _originals(name: str) -> tuple[list[int], list[Image.Image]]:
    """At most 2,000 files of a set; of one with many slices four from the middle.

    Returns:
        The number of each image's file, and the image; of identical ones the first.
    """
    folder = bench_data(name)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    by_digest: dict[str, tuple[int, Image.Image]] = {}
    for number, path in enumerate(paths[:: max(1, len(paths) // 2000)]):
        try:
            middle = images.decode(path).frames // 2
            frames = range(middle - 8, middle + 8, 4) if middle > 8 else (-1,)
            for frame in frames:
                pixels = images.decode(path, frame=frame).pixels
                digest = images.pixel_digest(pixels)
                by_digest.setdefault(digest, (number, from_pixels(pixels)))
        except ImageError:  # a table, a text, a file that is there to be refused
            continue
    files, originals = zip(*by_digest.values(), strict=True)
    return list(files), list(originals)


def _recall(originals: list[Image.Image], transform: Transformation) -> float:
    """Share of copies, each under another label, that stand in their image's group."""
    with temporary_workspace(), tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, image in enumerate(originals):
            _save(image, folder / "a" / f"{number}.png")
            _save(transform(image), folder / "b" / f"{number}.png")
        index = index_dataset(folder)
        groups = [set(group) for group in near_duplicates.near_groups(index)]
        digest = dict(zip(index.table["path"], index.table["digest"], strict=True))
    first: dict[str, str] = {}
    for path, value in digest.items():  # of identical images, the first stands for all
        first.setdefault(value, path)
    hits = 0
    for number in range(len(originals)):
        pair = {first[digest[f"{label}/{number}.png"]] for label in "ab"}
        hits += len(pair) == 1 or any(pair <= group for group in groups)
    return hits / len(originals)


def _false_pairs(files: list[int], originals: list[Image.Image]) -> tuple[int, int]:
    """Number of pairs drawn at random, and of those that are taken for near copies.

    Also with one of the two images turned or mirrored in each way.
    """
    rng, file = np.random.default_rng(0), np.array(files)
    pairs = np.sort(rng.integers(0, len(originals), (3 * UNRELATED, 2)), axis=1)
    # Neighbouring slices of one file are no unrelated pair.
    pairs = np.unique(pairs[file[pairs[:, 0]] != file[pairs[:, 1]]], axis=0)
    pairs = rng.permutation(pairs)[:UNRELATED]
    with tempfile.TemporaryDirectory() as temporary:
        places = [(Path(temporary), f"{n}.png") for n in range(len(originals))]
        for place, image in zip(places, originals, strict=True):
            _save(image, Path(*place))
        turned = dict.fromkeys(Turn, pairs)
        wrong = near_duplicates.confirmed(places, pairs, turned)
    return len(pairs), len(set(wrong))


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    image.save(path, compress_level=1)
