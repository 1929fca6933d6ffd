"""Images that look alike though their pixels differ, found among many in a moment.

Hashes of 256 bits are cut into 16 bands; what looks alike agrees in at least one. Only
within equal bands are hashes compared, so that the work grows with the number of
images, not with its square. What the hashes suggest is confirmed by the images.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medmodel.core import pool
from medmodel.core.connected_components import connected_components
from medmodel.core.errors import ImageError
from medmodel.imaging import images

BITS = 20
"""Hashes that differ in up to so many of their 256 bits suggest a pair. One equal
band is certain up to 15."""
BANDS = 16
NEIGHBOURS = 24
"""Within equal bands each hash is compared with so many that follow it in order; many
images share the bands of an empty background."""
MOST_PAIRS = 20_000
"""Suggested pairs that are confirmed at most, the nearest first."""
SIDE = 32
CORRELATION = 0.985
DIFFERENCE = 6.0
"""Mean difference in grey levels, of 255, after contrast and brightness are matched."""

Hashes = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]


def near_pairs(
    hashes: Hashes, bits: int = BITS, files: npt.NDArray[np.int64] | None = None
) -> Pairs:
    """Pairs of different hashes that differ in few bits, the nearest first.

    Args:
        hashes: (n, 32) bytes, see `facts.hash_array`. Images that have equal pixels
            should stand in only once.
        bits: Most differing bits.
        files: (n,) numbers; pairs with the same one do not count, as neighbouring
            slices of one volume always look alike.

    Returns:
        (pairs, 2) row numbers, each pair once, smaller first; `MOST_PAIRS` at most.
    """
    if len(hashes) < 2:
        return np.zeros((0, 2), np.int64)
    whole = hashes.view(">u8")
    bands = np.ascontiguousarray(hashes).view(">u2")
    count = len(hashes)
    # A pair is one number, its distance in front: that sorts much faster than rows.
    nearest = np.zeros(0, np.int64)
    for band in range(BANDS):
        order = np.lexsort((*whole.T[::-1], bands[:, band]))
        for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            left, right = order[:-step], order[step:]
            same = bands[left, band] == bands[right, band]
            left, right = left[same], right[same]
            distance = np.bitwise_count(whole[left] ^ whole[right]).sum(axis=1)
            near = distance <= bits
            if files is not None:
                near &= files[left] != files[right]
            left, right = left[near], right[near]
            pairs = np.minimum(left, right) * count + np.maximum(left, right)
            numbers = distance[near].astype(np.int64) * count**2 + pairs
            nearest = np.unique(np.concatenate([nearest, numbers]))[: 2 * MOST_PAIRS]
    pair = nearest[:MOST_PAIRS] % count**2
    return np.stack([pair // count, pair % count], axis=1)


def confirmed(
    folder: Path, paths: Sequence[str], pairs: Pairs
) -> list[tuple[int, int]]:
    """Those pairs whose images agree."""
    wanted = sorted({int(row) for row in pairs.ravel()})
    small: dict[int, npt.NDArray[np.float32]] = {}
    items = [(row, paths[row]) for row in wanted]
    for _, answer in pool.map_chunks(small_images, items, str(folder)):
        for row, text in (answer or {}).items():
            flat = np.frombuffer(base64.b64decode(text), np.uint8)
            small[int(row)] = flat.astype(np.float32)
    return [
        (int(a), int(b))
        for a, b in pairs
        if int(a) in small and int(b) in small and agree(small[int(a)], small[int(b)])
    ]


def small_images(items: list[tuple[int, str]], folder: str) -> dict[str, str]:
    """Row -> grey image of 32 × 32 pixels in base64; runs in the pool."""
    encoded: dict[str, str] = {}
    for row, path in items:
        try:
            pixels = images.decode_data_file(Path(folder), path).pixels
        except (ImageError, OSError):
            continue  # gone since it was indexed: the next check will say so
        wanted: Any = images.Preprocessing(SIDE, "stretch", "grey")
        small = images.prepare_image(pixels, wanted)
        encoded[str(row)] = base64.b64encode(small.tobytes()).decode()
    return encoded


def agree(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    """Whether two small grey images show the same, contrast and brightness aside."""
    spread = one.std(), other.std()
    if min(spread) < 1:
        return False
    one = (one - one.mean()) / spread[0]
    other = (other - other.mean()) / spread[1]
    if float((one * other).mean()) < CORRELATION:
        return False
    return bool(np.abs(one - other).mean() * max(spread) < DIFFERENCE)


def grouped(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Pairs as groups of rows that are linked, each sorted."""
    rows = sorted({row for pair in pairs for row in pair})
    components = connected_components(max(rows, default=-1) + 1, pairs)
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(components[row], []).append(row)
    return list(groups.values())
