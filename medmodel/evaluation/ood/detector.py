"""What is kept of the training images beside a model, and what it says of an image."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DECODER_ERRORS, NPY_HEADER_ERRORS, FileError
from medmodel.core.regular_files import open_regular
from medmodel.core.storage import replacing
from medmodel.evaluation.ood.neighbours import nearest_neighbours, squared_lengths
from medmodel.evaluation.ood.residuals import Directions, log_sum_exp, standardised
from medmodel.evaluation.ood.results import Neighbour, OodResult, ThresholdBasis
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.evaluation.ood.vectors import Floats
from medmodel.language import _, ngettext

FILE_NAME = "reference.npz"
KEPT = 0.95
"""Share of familiar images that are to count as such."""
_LATER = ("cross_fitted", "units")
_LATEST = ("class_means", "class_scale")
"""Fields that files of earlier versions lack, and of those before these."""
_COLOURFUL = 12.0
"""Mean difference between a pixel's largest and smallest channel, of 255."""


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
        class_means: (k, d) mean of every number over each class's training images.
        class_scale: (d,) its spread within classes, above 0.
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
    class_means: Floats
    class_scale: Floats

    @property
    def threshold(self) -> float:
        """The distance within which `KEPT` of new, familiar images are to lie."""
        return float(self.judged[_rank(len(self.judged)) - 1])

    @functools.cached_property
    def basis(self) -> ThresholdBasis:
        """On which images the threshold rests, and how well it is known."""
        from scipy.special import betaincinv

        low, high = betaincinv(*self.share_beyond, [0.025, 0.975])
        validation = len(self.judged) - self.cross_fitted
        return ThresholdBasis(
            validation, self.cross_fitted, self.units, float(low), float(high)
        )

    @property
    def share_beyond(self) -> tuple[int, int]:
        """Parameters of the beta distribution of the share beyond the threshold.

        Of new, familiar images; n + 1 - r and r where it is the r-th of n distances:
        Wilks, Annals of Mathematical Statistics 12 (1941) 91. n is the number of
        patients here, and a training image counts half: images that were left out in
        turn were judged by each other. Counted in full, the interval held the share 92
        times of 100 in public images, with ten validation images 90.
        """
        units = round(self.units * (1 - self.cross_fitted / (2 * len(self.judged))))
        rank = _rank(max(units, 1))
        return max(units, 1) + 1 - rank, rank

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
            FileError: The file is damaged.
            FileNotFoundError: There is none.
        """
        try:
            with open_regular(path) as raw, np.load(raw, allow_pickle=False) as file:
                arrays: dict[str, Any] = {
                    f.name: file[f.name]
                    for f in fields(cls)
                    if f.name not in (*_LATER, *_LATEST)
                }
                later = {name: file[name] for name in _LATER if name in file}
                latest = {name: file[name] for name in _LATEST if name in file}
                # Before, all training images were one class.
                one_class = {
                    "class_means": arrays["mean"][None],
                    "class_scale": arrays["scale"],
                }
                arrays |= latest or one_class
            _check_arrays(arrays)
            for name in ("size", "own", "smallest", "grey"):
                arrays[name] = int(arrays[name])
            later = {name: int(value) for name, value in later.items()}
            _check_counts(later, len(arrays["judged"]))
            arrays["unit"] = float(arrays["unit"])
            arrays["points"] = arrays["points"].astype(np.float32)
        except FileNotFoundError:
            raise
        except (*DECODER_ERRORS, *NPY_HEADER_ERRORS, BadZipFile) as error:
            raise FileError(
                _(
                    "{file} of run {id} is damaged: restore it from a backup, or train "
                    "the model again.",
                    file=path.name,
                    id=path.parent.name,
                )
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
        directions = Directions(self.class_means, self.class_scale, self.axes)
        logs = directions.log_residuals(numbers)
        return log_sum_exp((logs - self.centre) / self.spread)

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
        standard = standardised(features, self.mean[:width], self.scale[:width])
        return nearest_neighbours(
            self.points, standard @ self.view, self.unit, count, self._squares
        )

    @functools.cached_property
    def _squares(self) -> Floats:
        return squared_lengths(self.points)

    def compare(
        self,
        numbers: Floats,
        facts: Sequence[ImageTraits],
        neighbours: bool = True,
    ) -> list[OodResult]:
        """What is to be said of images.

        Args:
            numbers: (n, d) from `numbers_of`.
            facts: One for each image; may be empty.
            neighbours: Whether the nearest training images are looked for, too.
        """
        near = self._neighbours(numbers) if neighbours else [[] for _row in numbers]
        results = []
        for i, total in enumerate(self.distances(numbers)):
            farther = float(np.searchsorted(self.judged, total) / len(self.judged))
            strange = self._strange(facts[i]) if len(facts) else []
            is_ood = bool(total > self.threshold)
            results.append(
                OodResult(
                    *(farther, is_ood, strange, near[i], self.basis, float(total))
                )
            )
        return results

    def _neighbours(self, numbers: Floats) -> list[list[Neighbour]]:
        """The nearest training images of each image, nearest first."""
        rows, distances = self.nearest(numbers[:, : len(self.view)])
        names = self.names.tobytes().decode().split("\0")
        return [
            [
                Neighbour(names[2 * row], names[2 * row + 1], round(float(distance), 3))
                for row, distance in zip(rows[i], distances[i], strict=True)
            ]
            for i in range(len(numbers))
        ]

    def _strange(self, facts: ImageTraits) -> list[str]:
        sentences = []
        if 2 * facts.side < self.smallest:
            sentences.append(
                ngettext(
                    "It is only {count} pixel wide or high; all training images have "
                    "{least} or more.",
                    "It is only {count} pixels wide or high; all training images have "
                    "{least} or more.",
                    facts.side,
                    least=self.smallest,
                )
            )
        if self.grey and facts.colour > _COLOURFUL:
            sentences.append(
                _("It is in colour; the training images are grey.")
                if self.cross_fitted
                else _(
                    "It is in colour; the training images that were looked at are grey."
                )
            )
        return sentences


def _check_counts(counts: Mapping[str, int], judged: int) -> None:
    """Raises `ValueError` where there are none of so many judged images."""
    if counts and (counts["units"] < 1 or not 0 <= counts["cross_fitted"] <= judged):
        raise ValueError("it counts other images")


def _check_arrays(arrays: Mapping[str, Any]) -> None:
    """Refuses arrays that do not belong together.

    Raises:
        ValueError: A shape is another one, or a number is none.
    """
    depths, count = len(arrays["centre"]), len(arrays["points"])
    shapes = {
        "scale": arrays["mean"].shape,
        "class_scale": arrays["mean"].shape,
        "class_means": (len(arrays["class_means"]), *arrays["mean"].shape),
        "centre": (depths,),
        "spread": (depths,),
        "judged": (len(arrays["judged"]),),
        "points": (count, arrays["view"].shape[1]),
    }
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("its arrays have other shapes")
    lengths = len(arrays["judged"]), len(arrays["class_means"])
    if len(arrays["axes"]) != len(arrays["mean"]) or not all(lengths):
        raise ValueError("its arrays have other lengths")
    if len(arrays["names"].tobytes().decode().split("\0")) != 2 * count:
        raise ValueError("it has other names")
    numbers = ["mean", "scale", "axes", "centre", "spread", "judged", "view", "unit"]
    numbers += ["class_means", "class_scale"]
    if not all(np.isfinite(arrays[name]).all() for name in numbers):
        raise ValueError("a number is none")


def _rank(count: int) -> int:
    """Which of so many distances, from 1, is the threshold (conformal prediction)."""
    return min(int(np.ceil((count + 1) * KEPT)), count)
