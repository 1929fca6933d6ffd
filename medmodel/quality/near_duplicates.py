"""Images that look alike though their pixels differ, found among many in a moment.

Perceptual hashes suggest pairs: each image is compared with those in its part of the
space of hashes, so that the work grows little faster than the number of images, not
with its square. What the hashes suggest is confirmed by the images. Images that were
turned by quarters or mirrored look alike, too.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.core import samples
from medmodel.core.connected_components import connected_components
from medmodel.core.errors import ImageError
from medmodel.core.processes import pool
from medmodel.data.image_stats import hash_array
from medmodel.imaging import images
from medmodel.imaging.channels import from_pixels
from medmodel.quality.turns import Turn, comparable_hashes, turned_hashes, turned_image

if TYPE_CHECKING:
    import pandas as pd

    from medmodel.data.datasets import Index

RADIUS = 0.45
"""Distance of hashes of length 1 within which pairs are suggested. A crop of 2 % on
every side moves them by up to 0.38, all else that a copy suffers by up to 0.25."""
NEIGHBOURS = 12
"""So many of the nearest are suggested for each image."""
MOST_PAIRS = 20_000
"""Suggested pairs that are confirmed at most, the nearest first."""
TURNED_RADIUS, MOST_TURNED = 0.2, 5_000
"""The same of images that were turned or mirrored as a whole, for each way to do so:
that alone moves hashes by up to 0.10."""
CELL, PROBES = 512, 6
"""Images of a cell on average, and cells in which an image's neighbours are sought."""
SIDE, LEAST_SIDE = 64, 32
"""Images are compared at half their size, so that the noise of JPEG is evened out, but
at `SIDE` at most and at `LEAST_SIDE` or their own size at least; of two images at the
size of the smaller one. At 32 pixels drawn phantoms of two patients looked alike."""
BLUR = 1.0
"""Standard deviation in pixels; the noise of JPEG is finer than what is compared."""
DIFFERENCE, NOISE = 0.085, 1.3
"""What may remain of a difference: a share of the contrast, and grey levels of 255."""

AT_ONCE = 64
"""Pairs whose images are compared together: those of more do not fit into a cache."""
_STEPS = 10_000
"""Distances are counted in steps of 1 / `_STEPS`."""

Hashes = npt.NDArray[np.int8]
Pairs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.floating]
_Small = npt.NDArray[np.uint8]


def near_groups(index: Index) -> list[list[str]]:
    """Groups of files that look alike, of each identical image one."""
    table = index.readable
    rows = table[table["hash"] != ""].drop_duplicates("digest")
    paths = rows["path"].tolist()
    files = rows["path"].map(samples.file_of).factorize()[0]
    hashes = hash_array(rows["hash"].tolist())
    sure = confirmed(
        [(index.folder, path) for path in paths],
        near_pairs(hashes, files),
        {turn: turned_pairs(hashes, turn, files) for turn in Turn},
    )
    return [[paths[row] for row in group] for group in grouped(sure)]


def near_copies_between(
    tested: tuple[Path, pd.DataFrame], own: tuple[Path, pd.DataFrame]
) -> set[str]:
    """Images of one folder that look like an image of another.

    Args:
        tested: Folder and rows of its index, see `Index.table`.
        own: Those of the other folder.

    Returns:
        Paths within the first folder, of identical images one.
    """
    places: list[tuple[Path, str]] = []
    hashes: list[str] = []
    counts = []
    for folder, table in (tested, own):
        rows = table[table["hash"] != ""].drop_duplicates("digest")
        places += [(folder, path) for path in rows["path"]]
        hashes += rows["hash"].tolist()
        counts.append(len(rows))
    values, sides = hash_array(hashes), np.repeat([0, 1], counts)
    sure = confirmed(
        places,
        near_pairs(values, sides=sides),
        {turn: turned_pairs(values, turn, sides) for turn in Turn},
    )
    return {places[min(pair)][1] for pair in sure}


def turned_pairs(
    hashes: Hashes, turn: Turn, files: npt.NDArray[np.int64] | None = None
) -> Pairs:
    """Pairs of which the first image, turned, has a hash near the second one's.

    Takes `hashes` and `files` as `near_pairs` does, and returns what it returns, but
    a pair's order says which image is turned.
    """
    count = len(hashes)
    numbers = np.arange(count) if files is None else files
    pairs = near_pairs(
        np.concatenate([turned_hashes(hashes, turn), comparable_hashes(hashes, turn)]),
        np.tile(numbers, 2),
        sides=np.repeat([0, 1], count),
        radius=TURNED_RADIUS,
        most=MOST_TURNED,
    )
    pairs = pairs - np.array([0, count])
    return pairs[pairs[:, 0] < pairs[:, 1]] if turn.own_inverse else pairs


def near_pairs(
    hashes: Hashes,
    files: npt.NDArray[np.int64] | None = None,
    *,
    sides: npt.NDArray[np.int64] | None = None,
    radius: float = RADIUS,
    most: int = MOST_PAIRS,
) -> Pairs:
    """Pairs of images whose hashes are near each other, the nearest first.

    Args:
        hashes: (n, 32), see `image_stats.hash_array`. Images that have equal pixels
            should stand in only once.
        files: (n,) numbers; pairs with the same one do not count, as neighbouring
            slices of one volume always look alike.
        sides: (n,) numbers, too, as of two folders that are compared.
        radius: Distance within which hashes of length 1 are near.
        most: So many pairs at most.

    Returns:
        (pairs, 2) row numbers, each pair once, smaller first.
    """
    shown = np.flatnonzero(hashes.any(axis=1))
    if len(shown) < 2:
        return np.zeros((0, 2), np.int64)
    vectors = hashes[shown].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = [
        numbers[shown]
        for numbers in (np.arange(len(hashes)) if files is None else files, sides)
        if numbers is not None
    ]
    count = len(shown)
    # A pair is one number, its distance in front: that sorts much faster than rows.
    nearest = np.zeros(0, np.int64)
    for queries, members in _cells(vectors):
        left, right, distance = _neighbours(vectors, apart, queries, members, radius)
        pairs = np.minimum(left, right) * count + np.maximum(left, right)
        numbers = np.ceil(distance * _STEPS).astype(np.int64) * count**2 + pairs
        if len(left):
            nearest = _each_once(np.union1d(nearest, numbers), count)[:most]
        if len(nearest) == most:  # nothing farther will be among them
            radius = float(nearest[-1] // count**2) / _STEPS
    pair = nearest % count**2
    return shown[np.stack([pair // count, pair % count], axis=1)]


def _each_once(numbers: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Sorted numbers of which no two are of one pair; the nearer one stays.

    Each image of a pair asks for the other, and a matrix product may round the two
    answers differently, depending on where in the matrices they stand.
    """
    first = np.unique(numbers % count**2, return_index=True)[1]
    return numbers[np.sort(first)]


def _cells(
    vectors: _Floats,
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Row numbers of images to ask for, and of those to compare them with.

    An inverted file (Sivic and Zisserman, ICCV 2003): images drawn at random are the
    cells' centres, every image is a member of the nearest one's cell and is compared
    with the members of the `PROBES` nearest. Exact while there are no more cells.
    """
    count = len(vectors)
    number = max(1, count // CELL)
    centres = vectors[np.random.default_rng(0).choice(count, number, replace=False)]
    probes = min(PROBES, number)
    nearest = np.empty((count, probes), np.int32)
    for start in range(0, count, 4096):
        likeness = vectors[start : start + 4096] @ centres.T
        order = np.argpartition(-likeness, probes - 1, axis=1)[:, :probes]
        best = np.take_along_axis(likeness, order, axis=1).argmax(axis=1)
        rows = np.arange(len(order))
        order[rows, best], order[:, 0] = order[:, 0].copy(), order[rows, best]
        nearest[start : start + 4096] = order
    # Entry numbers by cell; an entry is a row and one of its probes.
    entries = np.argsort(nearest, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(nearest.ravel(), minlength=number))
    for asked in np.split(entries, ends[:-1]):
        queries, members = asked // probes, asked[asked % probes == 0] // probes
        for start in range(0, len(queries) if len(members) else 0, 2048):
            yield queries[start : start + 2048], members


def _neighbours(
    vectors: _Floats,
    apart: Sequence[npt.NDArray[np.int64]],
    queries: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    radius: float,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each query its nearest members within a radius, with other numbers.

    Returns:
        Query, member and distance of each pair.
    """
    likeness = vectors[queries] @ vectors[members].T
    for numbers in apart:
        likeness[numbers[queries][:, None] == numbers[members]] = -1
    least = 1 - radius**2 / 2
    rows = np.flatnonzero(likeness.max(axis=1) >= least)
    likeness = likeness[rows]
    if len(members) > NEIGHBOURS:
        columns = np.argpartition(-likeness, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    else:
        columns = np.tile(np.arange(len(members)), (len(rows), 1))
    values = np.take_along_axis(likeness, columns, axis=1)
    near = values >= least
    left = np.broadcast_to(queries[rows][:, None], near.shape)[near]
    distance = np.sqrt(np.maximum(0.0, 2 - 2 * values[near].astype(np.float64)))
    return left, members[columns[near]], distance


def confirmed(
    places: Sequence[tuple[Path, str]],
    pairs: Pairs,
    turned: Mapping[Turn, Pairs] | None = None,
) -> list[tuple[int, int]]:
    """Those pairs whose images agree.

    Args:
        places: Folder and path of each image.
        pairs: (pairs, 2) positions in `places`.
        turned: Pairs of which the first image is to be turned.
    """
    suggestions: list[tuple[Turn | None, Pairs]] = [(None, pairs)]
    suggestions += (turned or {}).items()
    small = _small_images(places, [pairs for _, pairs in suggestions])
    return [
        pair for turn, pairs in suggestions for pair in _agreeing(small, pairs, turn)
    ]


def _small_images(
    places: Sequence[tuple[Path, str]], suggestions: Sequence[Pairs]
) -> dict[int, _Small]:
    """The images of suggested pairs by position, those that can be read."""
    wanted = np.unique(np.concatenate([pairs.ravel() for pairs in suggestions]))
    small: dict[int, _Small] = {}
    items = [(row, str(places[row][0]), places[row][1]) for row in wanted.tolist()]
    for _, answer in pool.map_chunks(small_images, items):
        for row, (side, text) in (answer or {}).items():
            flat = np.frombuffer(base64.b64decode(text), np.uint8)
            small[int(row)] = flat.reshape(side, side)
    return small


def _agreeing(
    small: Mapping[int, _Small], pairs: Pairs, turn: Turn | None
) -> list[tuple[int, int]]:
    both = [(int(a), int(b)) for a, b in pairs if int(a) in small and int(b) in small]
    by_side: dict[int, list[tuple[int, int]]] = {}
    for a, b in both:
        side = min(len(small[a]), len(small[b]))
        by_side.setdefault(side, []).append((a, b))
    pieces = [
        (side, same_side[start : start + AT_ONCE])
        for side, same_side in by_side.items()
        for start in range(0, len(same_side), AT_ONCE)
    ]

    def compare(side: int, piece: list[tuple[int, int]]) -> list[tuple[int, int]]:
        one, other = (
            np.stack([_resized(small[row], side) for row in rows])
            for rows in zip(*piece, strict=True)
        )
        if turn is not None:
            one = np.stack([turned_image(image, turn) for image in one])
        alike = agree(one, other)
        return [pair for pair, yes in zip(piece, alike, strict=True) if yes]

    # Threads: NumPy and SciPy give the interpreter free while they compute.
    with ThreadPoolExecutor(pool.cores(), thread_name_prefix="alike") as threads:
        found = threads.map(lambda work: compare(*work), pieces)
        return list(itertools.chain.from_iterable(found))


def small_images(items: list[tuple[int, str, str]]) -> dict[str, tuple[int, str]]:
    """Row -> side of a square grey image, and its bytes in base64; runs in the pool."""
    encoded: dict[str, tuple[int, str]] = {}
    for row, folder, path in items:
        try:
            pixels = images.decode_data_file(Path(folder), path).pixels
        except (ImageError, OSError):
            continue  # gone since it was indexed: the next check will say so
        image = from_pixels(pixels).convert("L")
        shorter = min(image.size)
        side = min(SIDE, shorter, max(LEAST_SIDE, shorter // 2))
        content = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
        encoded[str(row)] = side, base64.b64encode(content.tobytes()).decode()
    return encoded


def _resized(image: _Small, side: int) -> _Small:
    if len(image) == side:
        return image
    small = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(small)


def agree(one: _Small, other: _Small) -> npt.NDArray[np.bool_]:
    """Which pairs of small grey images show the same.

    Brightness, contrast, and a small shift or stretch in either direction, as a crop
    makes them, are fitted to the difference by least squares (Lucas and Kanade, IJCAI
    1981); what remains decides.

    Args:
        one: (pairs, side, side) grey levels.
        other: The same number of images of the same size.
    """
    from scipy import ndimage

    first, second = (
        ndimage.gaussian_filter(side.astype(np.float32), (0, BLUR, BLUR))
        for side in (one, other)
    )
    spread = np.minimum(first.std(axis=(1, 2)), second.std(axis=(1, 2)))
    first, second = _standardised(first), _standardised(second)
    mean = (first + second) / 2
    down, right = np.asarray(np.gradient(mean, axis=(1, 2)))
    place = np.linspace(-0.5, 0.5, mean.shape[1], dtype=np.float32)
    changes = [
        np.ones_like(mean),
        mean,
        right,
        right * place,
        down,
        down * place[:, None],
    ]
    remains = _residual(second - first, changes)
    limit = np.sqrt((DIFFERENCE * spread) ** 2 + NOISE**2)
    return np.asarray((spread >= 1) & (remains * spread < limit))


def _standardised(values: _Floats) -> _Floats:
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    return centred / np.maximum(centred.std(axis=(1, 2), keepdims=True), 1e-6)


def _residual(difference: _Floats, changes: Sequence[_Floats]) -> _Floats:
    """Root mean square of what no mixture of the changes explains, shape (pairs,).

    What enters at an edge is not in the other image, so the outermost pixels of
    images that are not tiny do not count.
    """
    edge = slice(1, -1) if difference.shape[1] > 8 else slice(None)
    rows = np.stack([c[:, edge, edge].reshape(len(c), -1) for c in changes], axis=1)
    target = difference[:, edge, edge].reshape(len(difference), 1, -1)
    # A change without effect, as in an image of stripes, must not make this singular.
    ridge = 1e-6 * rows.shape[2] * np.eye(len(changes), dtype=np.float32)
    products, wanted = (rows @ side.transpose(0, 2, 1) for side in (rows, target))
    weights = np.linalg.solve(products + ridge, wanted)
    rest = target - weights.transpose(0, 2, 1) @ rows
    return np.asarray(np.sqrt((rest**2).mean(axis=(1, 2))))


def grouped(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Pairs as groups of rows that are linked, each sorted."""
    rows = sorted({row for pair in pairs for row in pair})
    components = connected_components(max(rows, default=-1) + 1, pairs)
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(components[row], []).append(row)
    return list(groups.values())
