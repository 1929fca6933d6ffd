"""Out-of-distribution detection: distance to the training images, nearest neighbours.

Features of a frozen network at six depths, and a small grey copy of the image that
knows left from right, are standardised over the training images. At each depth the
main directions in which those vary are kept; what a new image has beside them is its
residual there (the "virtual logit" idea of Wang et al. 2022, CVPR, without the logit).
Log residuals are put on the scale of validation images and joined by log-sum-exp, so
that being strange at one depth is enough. On public X-rays this told other data sets,
photographs, noise and blanks apart as well as the distance to the nearest neighbour
did, needs no training image, and costs the same among a hundred or a million of them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import PredictionError
from medmodel.core.storage import replacing

Floats = NDArray[np.float32]

FILE_NAME = "reference.npz"
DEPTHS = (48, 80, 160, 224, 384, 2560)
"""Numbers of each depth among the features, shallow to deep."""
COPY_SIDE = 16
"""Height and width of the small grey copy in pixels."""
WIDTH = sum(DEPTHS) + COPY_SIDE**2
AXES = 64
"""Most directions that are kept at each depth, and of an image among its neighbours."""
MOST_FITTED = 1000
"""Training images from which the directions are found."""
KEPT = 0.95
"""Share of validation images that are to count as familiar."""
_EDGES = np.cumsum([0, *DEPTHS, COPY_SIDE**2])
_COLOURFUL = 12.0
"""Mean difference between a pixel's largest and smallest channel, of 255."""


@dataclass(frozen=True)
class ImageTraits:
    """What can be told of an image before any network sees it.

    Args:
        side: Its shorter side in pixels.
        colour: Mean over the pixels of the largest minus the smallest channel, 0 to
            255; 0 for grey.
    """

    side: int
    colour: float


@dataclass(frozen=True)
class Neighbour:
    """A training image that resembles an image.

    Args:
        path: Within the data set.
        label: Its class.
        distance: 1 is how far a validation image usually is from its nearest one.
    """

    path: str
    label: str
    distance: float


@dataclass(frozen=True)
class OodResult:
    """How an image stands to the training images.

    Args:
        farther_than: Share of the validation images that are nearer, 0 to 1.
        is_ood: Whether it lies beyond the threshold.
        facts: What is different before any network sees it, in sentences.
        neighbours: The nearest training images, nearest first.
    """

    farther_than: float
    is_ood: bool
    facts: list[str]
    neighbours: list[Neighbour]

    @property
    def unfamiliar(self) -> bool:
        """Whether the model should not be asked about it."""
        return self.is_ood or bool(self.facts)


@dataclass(frozen=True)
class OodDetector:
    """What is kept of the training images beside a model.

    Args:
        mean: (d,) mean of every number over the training images; d = `WIDTH`.
        scale: (d,) its spread, above 0.
        axes: (d, k) directions of every depth, in that depth's rows; orthonormal.
        centre: (7,) median log residual of validation images at each depth.
        spread: (7,) their standard deviation.
        judged: (v,) how far each validation image is, ascending.
        view: (features, k) directions in which neighbours are looked for.
        points: (n, k) the training images there.
        unit: How far a validation image usually is from its nearest one there.
        names: UTF-8 of path and label of every training image, each ended by a zero.
        size: Side of the images of which the features were taken.
        own: 1 if those features are the model's own, 0 of the frozen network beside it.
        smallest: Shorter side of the smallest usual training image, in pixels.
        grey: 1 if the training images have no colour.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    centre: Floats
    spread: Floats
    judged: Floats
    view: Floats
    points: Floats
    unit: float
    names: NDArray[np.uint8]
    size: int
    own: int
    smallest: int
    grey: int

    @property
    def threshold(self) -> float:
        """The distance within which `KEPT` of new, familiar images are to lie."""
        place = int(np.ceil((len(self.judged) + 1) * KEPT))
        return float(self.judged[min(place, len(self.judged)) - 1])

    def save(self, path: Path) -> None:
        """Writes it, wholly or not at all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays["points"] = self.points.astype(np.float16)
        with replacing(path, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> OodDetector:
        """Reads what `save` wrote.

        Raises:
            PredictionError: The file is damaged.
            FileNotFoundError: There is none.
        """
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays: dict[str, Any] = {f.name: file[f.name] for f in fields(cls)}
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise PredictionError(
                f"{path.name} of run {path.parent.name} is damaged: train the model "
                "again to have pictures compared with its training images."
            ) from error
        for name in ("size", "own", "smallest", "grey"):
            arrays[name] = int(arrays[name])
        arrays["unit"] = float(arrays["unit"])
        arrays["points"] = arrays["points"].astype(np.float32)
        return cls(**arrays)

    def distances(self, numbers: Floats) -> Floats:
        """How far images are; above `threshold` they are unfamiliar.

        Args:
            numbers: (n, d) from `numbers_of`.
        """
        logs = _log_residuals(_standard(numbers, self.mean, self.scale), self.axes)
        return _joined((logs - self.centre) / self.spread)

    def nearest(
        self, features: Floats, count: int = 6
    ) -> tuple[NDArray[np.intp], Floats]:
        """The nearest training images by exact search.

        Args:
            features: (n, sum of `DEPTHS`).
            count: How many of them; less where there are not so many.

        Returns:
            Row numbers among the training images and distances, (n, count) each,
            nearest first.
        """
        width = len(self.view)
        standard = _standard(features, self.mean[:width], self.scale[:width])
        return nearest_neighbours(
            self.points, standard @ self.view, self.unit, count, self._squares
        )

    @functools.cached_property
    def _squares(self) -> Floats:
        return _squares(self.points)

    def compare(self, numbers: Floats, facts: Sequence[ImageTraits]) -> list[OodResult]:
        """What is to be said of images.

        Args:
            numbers: (n, d) from `numbers_of`.
            facts: One for each image; may be empty.
        """
        distances = self.distances(numbers)
        rows, near = self.nearest(numbers[:, : len(self.view)])
        names = self.names.tobytes().decode().split("\0")
        results = []
        for i, total in enumerate(distances):
            neighbours = [
                Neighbour(names[2 * row], names[2 * row + 1], round(float(distance), 3))
                for row, distance in zip(rows[i], near[i], strict=True)
            ]
            farther = float(np.searchsorted(self.judged, total) / len(self.judged))
            strange = self._strange(facts[i]) if len(facts) else []
            is_ood = bool(total > self.threshold)
            results.append(OodResult(farther, is_ood, strange, neighbours))
        return results

    def _strange(self, facts: ImageTraits) -> list[str]:
        sentences = []
        if 2 * facts.side < self.smallest:
            sentences.append(
                f"It is only {facts.side} pixels wide or high; training images have "
                f"{self.smallest} or more."
            )
        if self.grey and facts.colour > _COLOURFUL:
            sentences.append("It is in colour; the training images are grey.")
        return sentences


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a detector come from; see `OodDetector`."""

    size: int
    own: bool
    smallest: int
    grey: bool


def fit(
    training: Floats, validation: Floats, points: Floats, names: Any, origin: Origin
) -> OodDetector:
    """A reference without its points, which `project` makes.

    Args:
        training: (n, d) numbers of training images, at least 2.
        validation: (v, d) numbers of validation images, at least 1.
        points: (m, sum of `DEPTHS`) features of the training images to be found again.
        names: (path, label) of each of them.
        origin: Where the numbers come from.
    """
    mean, scale = training.mean(axis=0), training.std(axis=0)
    scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
    standard = _standard(training, mean, scale)
    axes = np.zeros((training.shape[1], AXES), np.float32)
    for part in _parts():
        directions = _directions(standard[:, part])
        axes[part, : directions.shape[1]] = directions
    width = sum(DEPTHS)
    view = _directions(standard[:, :width])
    logs = _log_residuals(_standard(validation, mean, scale), axes)
    centre, spread = np.median(logs, axis=0), np.maximum(logs.std(axis=0), 0.05)
    judged = np.sort(_joined((logs - centre) / spread))
    placed = np.concatenate(
        [
            _standard(points[i : i + 2048], mean[:width], scale[:width]) @ view
            for i in range(0, len(points), 2048)
        ]
    )
    seen = _standard(validation[:, :width], mean[:width], scale[:width]) @ view
    unit = max(
        float(np.median(nearest_neighbours(placed, seen[:200], 1.0, 1)[1])), 1e-6
    )
    joined = "\0".join(text for pair in names for text in pair).encode()
    return OodDetector(
        *(mean, scale, axes, centre, spread, judged, view, placed, unit),
        np.frombuffer(joined, np.uint8),
        *(origin.size, int(origin.own), origin.smallest, int(origin.grey)),
    )


def ood_vectors(features: NDArray[Any], images: NDArray[np.uint8]) -> Floats:
    """Features with the small grey copy beside them.

    Args:
        features: (n, sum of `DEPTHS`).
        images: uint8 (n, height, width, channels).

    Returns:
        float32 (n, `WIDTH`).
    """
    from PIL import Image

    copies = np.empty((len(images), COPY_SIDE**2), np.float32)
    for copy, pixels in zip(copies, images, strict=True):
        grey = Image.fromarray(pixels.mean(axis=2).astype(np.uint8))
        small = grey.resize((COPY_SIDE, COPY_SIDE), Image.Resampling.BOX)
        copy[:] = np.asarray(small, np.float32).ravel()
    return np.concatenate([features.astype(np.float32), copies], axis=1)


def image_traits(pixels: NDArray[np.uint8]) -> ImageTraits:
    """What can be told of an image, uint8 (height, width, channels), as it came."""
    height, width = pixels.shape[:2]
    step = max(1, min(height, width) // 128)
    few = pixels[::step, ::step].astype(np.int16)
    return ImageTraits(min(height, width), round(float(np.ptp(few, axis=2).mean()), 2))


def nearest_neighbours(
    points: Floats,
    asked: Floats,
    unit: float,
    count: int,
    squares: Floats | None = None,
) -> tuple[NDArray[np.intp], Floats]:
    """Exact Euclidean neighbours by one matrix product.

    Args:
        points: (n, k).
        asked: (m, k).
        unit: What distances are divided by.
        count: How many neighbours.
        squares: (n,) squared lengths of the points, if they are known.

    Returns:
        Row numbers and distances, (m, min(count, n)) each, nearest first.
    """
    count = min(count, len(points))
    if squares is None:
        squares = _squares(points)
    apart = squares[None] - (2 * asked) @ points.T
    rows = np.argpartition(apart, count - 1, axis=1)[:, :count]
    # The matrix product loses digits where points lie close together.
    exact = np.linalg.norm(points[rows] - asked[:, None], axis=2)
    order = np.argsort(exact, axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    sorted_distances = np.take_along_axis(exact, order, axis=1) / np.float32(unit)
    return rows, sorted_distances.astype(np.float32)


def _squares(points: Floats) -> Floats:
    return np.asarray(np.einsum("nk,nk->n", points, points), np.float32)


def _parts() -> list[slice]:
    return [slice(a, b) for a, b in zip(_EDGES[:-1], _EDGES[1:], strict=True)]


def _standard(numbers: Floats, mean: Floats, scale: Floats) -> Floats:
    return np.clip((numbers - mean) / scale, -30, 30)


def _log_residuals(standard: Floats, axes: Floats) -> Floats:
    """(n, 7) log of what lies beside the axes at each depth."""
    columns = []
    for part in _parts():
        inside = standard[:, part] @ axes[part]
        beside = (standard[:, part] ** 2).sum(axis=1) - (inside**2).sum(axis=1)
        columns.append(np.log(np.maximum(beside, 1e-3)))
    return np.stack(columns, axis=1)


def _joined(scores: Floats) -> Floats:
    """Log-sum-exp: as strange as at the strangest depth, more if at several."""
    highest = scores.max(axis=1, keepdims=True)
    return highest[:, 0] + np.log(np.exp(scores - highest).sum(axis=1))


def _directions(standard: Floats) -> Floats:
    """(d, k) principal directions; from the smaller of the two Gram matrices."""
    from scipy.linalg import eigh

    count, width = standard.shape
    count_of_axes = min(AXES, max(count // 3, 1), width // 2)
    if count < width:
        values, left = _largest(eigh, standard @ standard.T, count_of_axes)
        return (standard.T @ left / np.sqrt(np.maximum(values, 1e-6))).astype(
            np.float32
        )
    return _largest(eigh, standard.T @ standard, count_of_axes)[1].astype(np.float32)


def _largest(eigh: Any, gram: Floats, count: int) -> tuple[Floats, Floats]:
    last = len(gram) - 1
    values, vectors = eigh(gram, subset_by_index=[last - count + 1, last])
    return values, vectors
