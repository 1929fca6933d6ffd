"""How often the interval of a risk holds the truth, for scores of many shapes.

Scores of each group are a mixture of normal distributions on the scale of log-odds, so
that the true risk of every score is known. Log-odds of the risk are straight over those
of the score only where both groups spread alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.risk import fit_risk
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.predictions import Predictions

Floats = NDArray[np.float64]
_ASKED = 30
"""New images whose risks are asked for with each split."""


class Normal(NamedTuple):
    """A part of a group: its share, and where its log-odds lie."""

    share: float
    mean: float
    spread: float


@dataclass(frozen=True)
class Scores:
    """How the scores of both groups are distributed.

    Args:
        title: What is odd about them.
        without: The images without the class.
        having: Those with it.
    """

    title: str
    without: tuple[Normal, ...]
    having: tuple[Normal, ...]

    def risks(self, x: Floats, prevalence: float) -> Floats:
        """True risk at these log-odds."""
        inside = prevalence * _density(self.having, x)
        return inside / (inside + (1 - prevalence) * _density(self.without, x))


def _tails(mean: float) -> tuple[Normal, ...]:
    return (
        Normal(0.7, mean, 1.0),
        Normal(0.25, mean, 2.5),
        Normal(0.05, mean, 6.0),
    )


SCORES = [
    Scores("straight, hard", (Normal(1, -0.8, 1.5),), (Normal(1, 0.8, 1.5),)),
    Scores("straight", (Normal(1, -1.5, 1.5),), (Normal(1, 1.5, 1.5),)),
    Scores("straight, easy", (Normal(1, -2.4, 1.5),), (Normal(1, 2.4, 1.5),)),
    Scores("unequal spread", (Normal(1, -1.5, 1.0),), (Normal(1, 1.5, 2.5),)),
    Scores(
        "some look healthy",
        (Normal(1, -2.2, 1.5),),
        (Normal(0.7, 2.2, 1.5), Normal(0.3, -1.5, 0.9)),
    ),
    Scores("heavy tails", _tails(-1.2), _tails(1.2)),
    Scores(
        "sure, or at a loss",
        (Normal(0.8, -4.5, 1.5), Normal(0.2, 0.0, 1.5)),
        (Normal(0.8, 4.5, 1.5), Normal(0.2, 0.0, 1.5)),
    ),
]


@dataclass(frozen=True)
class Sample:
    """How many validation images there are.

    Args:
        units: Images, or patients with 1 to 5 of them each.
        prevalence: Share of the class.
        patients: Whether these are patients.
    """

    units: int
    prevalence: float
    patients: bool = False


SAMPLES = [
    *(Sample(n, 0.5) for n in (26, 60, 200, 1000)),
    *(Sample(n, 0.1) for n in (150, 1000)),
    *(Sample(n, 0.5, patients=True) for n in (26, 60, 200)),
]
"""From the fewest images and patients on."""


def asked_risks(
    scores: Scores, sample: Sample, rng: np.random.Generator
) -> Iterator[tuple[Estimate, float, int]]:
    """Risks of new images by one drawn split.

    Returns:
        Each with its interval, the true risk, and the images (patients) of the smaller
        group; none where the split tells of no risk. Scores beyond those of all
        validation images are left out: Diagnose says that they are.
    """
    truth, x, patients = _draw(scores, sample, rng)
    positive = 1 / (1 + np.exp(-x))
    both = np.stack([1 - positive, positive], axis=1)
    try:
        model = fit_risk(Predictions(["a", "b"], truth, both, patients), 1)
    except DataError:
        return
    _, places, _ = _draw(scores, Sample(_ASKED, sample.prevalence), rng)
    risks = scores.risks(places, sample.prevalence)
    for place, risk in zip(places.tolist(), risks.tolist(), strict=True):
        score = 1 / (1 + np.exp(-place))
        if not model.is_beyond(score):
            yield model.risk(score), risk, model.units.count


def _draw(
    scores: Scores, sample: Sample, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp] | None]:
    """Truth, log-odds, patient of each image; of one patient half the variance."""
    sizes = rng.integers(1, 6, sample.units) if sample.patients else np.ones(1, int)
    sizes = np.broadcast_to(sizes, sample.units)
    owner = np.repeat(np.arange(sample.units), sizes)
    ill = rng.random(sample.units) < sample.prevalence
    common, single = rng.normal(size=sample.units), rng.normal(size=len(owner))
    noise = np.sqrt(0.5) * (common[owner] + single)
    x = np.empty(len(owner))
    for side, parts in ((False, scores.without), (True, scores.having)):
        shares = [part.share for part in parts]
        which = rng.choice(len(parts), sample.units, p=shares)[owner]
        mean, spread = np.array([part[1:] for part in parts]).T[:, which]
        x = np.where(ill[owner] == side, mean + spread * noise, x)
    return ill[owner].astype(np.intp), x, owner if sample.patients else None


def _density(parts: tuple[Normal, ...], x: Floats) -> Floats:
    """Without the factor that all normal distributions have in common."""
    heights = [
        share / spread * np.exp(-(((x - mean) / spread) ** 2) / 2)
        for share, mean, spread in parts
    ]
    return np.sum(heights, axis=0)
