"""Out-of-distribution detection: distance to the training images, nearest neighbours.

Features of a frozen network at six depths, and a small grey copy of the image that
knows left from right, are standardised over the training images. At each depth the
main directions in which those vary are kept; what a new image has beside them is its
residual there (the "virtual logit" idea of Wang et al. 2022, CVPR, without the logit).
Log residuals are put on the scale of familiar images and joined by log-sum-exp, so
that being strange at one depth is enough. On public X-rays this told other data sets,
photographs, noise and blanks apart as well as the distance to the nearest neighbour
did, needs no training image, and costs the same among a hundred or a million of them.

Validation images are often too few to say how far a familiar image may lie. Training
images are therefore judged, too, each by directions that were found without it and
without the other images of its patient: cross-fitting, as in Barber et al. 2021,
"Predictive inference with the jackknife+", Annals of Statistics 49.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DECODER_ERRORS, PredictionError
from medmodel.core.regular_files import open_regular
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
"""Share of familiar images that are to count as such."""
ENOUGH_VALIDATION = 30
ENOUGH_UNITS = 130
"""Validation images, and images or patients in all, with which at least 95 % of images
of another kind were refused on public images (benchmark row `refusals`); with fewer,
sometimes less than half of those of another body part."""
_CROSS_FITTED = 6000
"""Training images in all over the folds of a cross-fit, which bounds its time: each of
a few dozen images is left out alone, a thousand in six folds."""
_FEWEST_FOLDS = 5
_LATER = ("cross_fitted", "units")
"""Fields that files of earlier versions lack."""
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
class ThresholdBasis:
    """On which images a threshold rests, and how well it is known.

    Args:
        validation: Validation images that were judged.
        training: Training images that were judged without themselves; 0 for models
            that were trained by a version that did not do so.
        units: Patients (images, where unknown) among all of them.
        low: Lower end of the 95 % interval of the share of familiar images that lie
            beyond the threshold.
        high: Its upper end.
    """

    validation: int
    training: int
    units: int
    low: float
    high: float

    @property
    def enough(self) -> bool:
        """Whether images of another kind are refused reliably."""
        return self.validation >= ENOUGH_VALIDATION and self.units >= ENOUGH_UNITS


@dataclass(frozen=True)
class OodResult:
    """How an image stands to the training images.

    Args:
        farther_than: Share of the judged images (see `basis`) that are nearer, 0 to 1.
        is_ood: Whether it lies beyond the threshold.
        facts: What is different before any network sees it, in sentences.
        neighbours: The nearest training images, nearest first.
        basis: On which images the threshold rests.
    """

    farther_than: float
    is_ood: bool
    facts: list[str]
    neighbours: list[Neighbour]
    basis: ThresholdBasis

    @property
    def unfamiliar(self) -> bool:
        """Whether the model should not be asked about it."""
        return self.is_ood or bool(self.facts)


def _check_arrays(arrays: Mapping[str, Any]) -> None:
    """Refuses arrays that do not belong together.

    Raises:
        ValueError: A shape is another one, or a number is none.
    """
    depths, count = len(arrays["centre"]), len(arrays["points"])
    shapes = {
        "scale": arrays["mean"].shape,
        "centre": (depths,),
        "spread": (depths,),
        "judged": (len(arrays["judged"]),),
        "points": (count, arrays["view"].shape[1]),
    }
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("its arrays have other shapes")
    if len(arrays["axes"]) != len(arrays["mean"]) or not len(arrays["judged"]):
        raise ValueError("its arrays have other lengths")
    if len(arrays["names"].tobytes().decode().split("\0")) != 2 * count:
        raise ValueError("it has other names")
    numbers = ("mean", "scale", "axes", "centre", "spread", "judged", "view", "unit")
    if not all(np.isfinite(arrays[name]).all() for name in numbers):
        raise ValueError("a number is none")


@dataclass(frozen=True)
class OodDetector:
    """What is kept of the training images beside a model.

    Args:
        mean: (d,) mean of every number over the training images; d = `WIDTH`.
        scale: (d,) its spread, above 0.
        axes: (d, k) directions of every depth, in that depth's rows; orthonormal.
        centre: (7,) median log residual of judged images at each depth.
        spread: (7,) half the distance of their 16th and 84th percentiles.
        judged: (v,) how far each validation image is, and each training image from
            the others, ascending.
        view: (features, k) directions in which neighbours are looked for.
        points: (n, k) the training images there.
        unit: How far a validation image usually is from its nearest one there.
        names: UTF-8 of path and label of every training image, a zero between any two.
        size: Side of the images of which the features were taken.
        own: 1 if those features are the model's own, 0 of the frozen network beside it.
        smallest: Shorter side of the smallest training image, in pixels; 0 where
            that is not known.
        grey: 1 if the training images have no colour.
        cross_fitted: How many of `judged` are training images.
        units: Patients (images, where unknown) among `judged`.
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
    cross_fitted: int
    units: int

    @property
    def threshold(self) -> float:
        """The distance within which `KEPT` of new, familiar images are to lie."""
        return float(self.judged[_rank(len(self.judged)) - 1])

    @functools.cached_property
    def basis(self) -> ThresholdBasis:
        """On which images the threshold rests, and how well it is known.

        The share beyond the r-th of n distances has a beta distribution: Wilks, Annals
        of Mathematical Statistics 12 (1941) 91; n is the number of patients here.
        """
        from scipy.special import betaincinv

        rank = _rank(self.units)
        low, high = betaincinv(self.units + 1 - rank, rank, [0.025, 0.975])
        validation = len(self.judged) - self.cross_fitted
        return ThresholdBasis(
            validation, self.cross_fitted, self.units, float(low), float(high)
        )

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
            with open_regular(path) as raw, np.load(raw, allow_pickle=False) as file:
                arrays: dict[str, Any] = {
                    f.name: file[f.name] for f in fields(cls) if f.name not in _LATER
                }
                later = {name: file[name] for name in _LATER if name in file}
            _check_arrays(arrays)
            for name in ("size", "own", "smallest", "grey"):
                arrays[name] = int(arrays[name])
            later = {name: int(value) for name, value in later.items()}
            arrays["unit"] = float(arrays["unit"])
            arrays["points"] = arrays["points"].astype(np.float32)
        except FileNotFoundError:
            raise
        except (*DECODER_ERRORS, BadZipFile) as error:
            raise PredictionError(
                f"{path.name} of run {path.parent.name} is damaged: train the model "
                "again to have pictures compared with its training images, or remove "
                "the file to have them diagnosed without."
            ) from error
        # Before, only validation images were judged, and `smallest` was that of a few
        # images that had been opened: other training images may be smaller.
        if not later:
            later = {"cross_fitted": 0, "units": len(arrays["judged"])}
            arrays["smallest"] = 0
        return cls(**arrays, **later)

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
            results.append(OodResult(farther, is_ood, strange, neighbours, self.basis))
        return results

    def _strange(self, facts: ImageTraits) -> list[str]:
        sentences = []
        if 2 * facts.side < self.smallest:
            sentences.append(
                f"It is only {facts.side} pixels wide or high; all training images "
                f"have {self.smallest} or more."
            )
        if self.grey and facts.colour > _COLOURFUL:
            which = "" if self.cross_fitted else " that were looked at"
            sentences.append(f"It is in colour; the training images{which} are grey.")
        return sentences


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a detector come from; see `OodDetector`."""

    size: int
    own: bool
    smallest: int
    grey: bool


@dataclass(frozen=True)
class _Directions:
    """Training images' mean, spread and main directions at each depth."""

    mean: Floats
    scale: Floats
    axes: Floats

    @classmethod
    def of(cls, training: Floats) -> _Directions:
        mean, scale = training.mean(axis=0), training.std(axis=0)
        scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
        standard = _standard(training, mean, scale)
        axes = np.zeros((training.shape[1], AXES), np.float32)
        for part in _parts():
            directions = _directions(standard[:, part])
            axes[part, : directions.shape[1]] = directions
        return cls(mean, scale, axes)

    def log_residuals(self, vectors: Floats) -> Floats:
        return _log_residuals(_standard(vectors, self.mean, self.scale), self.axes)


def fit(
    training: Floats,
    validation: Floats,
    points: Floats,
    names: Any,
    origin: Origin,
    patients: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> OodDetector:
    """A detector from the vectors of a run's images.

    Args:
        training: (n, d) vectors of training images, at least 2.
        validation: (v, d) vectors of validation images, at least 1.
        points: (m, sum of `DEPTHS`) features of the training images to be found again.
        names: (path, label) of each of them.
        origin: Where the vectors come from.
        patients: Whose each training and each validation image is, (n,) and (v,);
            every image is a patient's of its own by default.
    """
    directions = _Directions.of(training)
    mean, scale = directions.mean, directions.scale
    if patients is None:
        patients = np.arange(len(training)), np.arange(len(validation))
    left_out = cross_fitted_log_residuals(training, patients[0])
    logs = np.concatenate([directions.log_residuals(validation), left_out])
    # Percentiles: one image that is far off must not let others of its kind pass.
    centre = np.median(logs, axis=0)
    low, high = np.quantile(logs, [0.16, 0.84], axis=0)
    spread = np.maximum((high - low) / 2, 0.05).astype(np.float32)
    judged = np.sort(_joined((logs - centre) / spread))
    width = sum(DEPTHS)
    view = _directions(_standard(training[:, :width], mean[:width], scale[:width]))
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
        *(mean, scale, directions.axes, centre, spread, judged, view, placed, unit),
        np.frombuffer(joined, np.uint8),
        *(origin.size, int(origin.own), origin.smallest, int(origin.grey)),
        *(len(left_out), sum(len(np.unique(split)) for split in patients)),
    )


def cross_fitted_log_residuals(training: Floats, patients: NDArray[Any]) -> Floats:
    """Log residuals of training images by directions found without their patients.

    Args:
        training: (n, d).
        patients: Whose each image is, (n,).

    Returns:
        (m, 7); m is n, or 0 where fewer than 2 images would be left to find directions.
    """
    distinct, number = np.unique(patients, return_inverse=True)
    folds = max(_FEWEST_FOLDS, _CROSS_FITTED // len(training))
    folds = min(folds, len(distinct))
    # Patients come by name or number, which may mean something.
    order = np.random.default_rng(0).permutation(len(distinct))
    fold = (order % folds)[number]
    residuals = []
    for at in range(folds):
        rest = training[fold != at]
        if len(rest) >= 2:
            directions = _Directions.of(rest)
            residuals.append(directions.log_residuals(training[fold == at]))
    if not residuals:
        return np.empty((0, len(DEPTHS) + 1), np.float32)
    return np.concatenate(residuals).astype(np.float32)


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


def _rank(count: int) -> int:
    """Which of so many distances, from 1, is the threshold (conformal prediction)."""
    return min(int(np.ceil((count + 1) * KEPT)), count)


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
