"""How often intervals of a segmentation's metrics hold the truth.

Numbers of each image are drawn as they are seen: outlines of most lesions fit well,
some badly, a few are missed altogether, and images of one patient resemble each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medmodel.benchmark.validity.simulation import Asked
from medmodel.evaluation.segmentation.summary import MINIMA, metrics

_TRUTH = 200_000
"""Images from which a truth is known."""
UNITS = {False: (10, 15, 20, 30, 60, 120), True: (10, 15, 20, 30, 60, 120)}
"""Whether patients are known -> images, or patients, that are drawn."""


@dataclass(frozen=True)
class Outlines:
    """How well a network outlines lesions.

    Args:
        title: What it is called.
        fit: Median log-odds of Dice where a lesion is outlined.
        spread: Their standard deviation; half the variance is the patient's.
        missed: Share of images in which nothing is outlined.
        invented: Share of images without a lesion in which something is outlined.
    """

    title: str
    fit: float
    spread: float
    missed: float
    invented: float


OUTLINES = [
    Outlines("good", 2.5, 0.6, 0.0, 0.05),
    Outlines("mixed", 1.5, 1.0, 0.08, 0.15),
    Outlines("hard", 0.5, 1.2, 0.2, 0.4),
    Outlines("misses", 2.0, 0.7, 0.3, 0.1),
]


def asked_metrics(outlines: Outlines, simulations: int, seed: int) -> Iterator[Asked]:
    """Every metric of every drawn split, with its truth.

    Args:
        outlines: The population.
        simulations: Splits of each number of images or patients.
        seed: The same seed draws the same splits.
    """
    rng = np.random.default_rng(seed)
    truth = {
        k: e.value for k, e in metrics(_draw(outlines, _TRUTH, False, rng)).items()
    }
    for patients, sizes in UNITS.items():
        for units in sizes:
            for _ in range(simulations):
                rows = _draw(outlines, units, patients, rng)
                for key, estimate in metrics(rows).items():
                    least = MINIMA[key]
                    yield Asked(
                        f"{key} of a segmentation",
                        units,
                        patients,
                        least.patients if patients else least.images,
                        estimate,
                        truth[key],
                    )


def _draw(
    outlines: Outlines, units: int, patients: bool, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows as of `read_segmentation`: each unit with and without the class."""
    sizes = rng.integers(1, 6, units) if patients else np.ones(units, int)
    owner = np.repeat(np.arange(units), sizes)
    n = len(owner)

    def noise() -> np.ndarray:
        return np.sqrt(0.5) * (rng.normal(size=units)[owner] + rng.normal(size=n))

    from scipy.special import expit, ndtr

    quality = noise()
    dice = expit(outlines.fit + outlines.spread * quality)
    missed = ndtr(noise()) < outlines.missed
    dice[missed] = 0.0
    lesions = rng.integers(1, 5, n)
    distance = np.exp(1 - 0.7 * quality + 0.5 * rng.normal(size=n))
    distance[missed] = np.nan
    size_error = np.exp(0.3 * outlines.spread * quality + 0.15 * rng.normal(size=n))
    table = pd.DataFrame(
        {
            "path": [f"{at}.png" for at in range(n)],
            "patient": [f"p{at}" for at in owner] if patients else "",
            "dice": dice,
            "iou": dice / (2 - dice),
            "lesions": lesions.astype(float),
            "found": rng.binomial(lesions, np.where(missed, 0, np.sqrt(dice))),
            "area": 1000.0,
            "predicted_area": np.where(missed, 0, 1000 * size_error),
            "hd95": distance,
            "hd95_mm": np.nan,
        }
    )
    empty = table.assign(
        path=[f"{at}_empty.png" for at in range(n)],
        area=0.0,
        predicted_area=(ndtr(noise()) < outlines.invented) * 50.0,
    )
    nothing = ["dice", "iou", "hd95", "lesions", "found"]
    empty[nothing] = [np.nan, np.nan, np.nan, 0.0, 0.0]
    return pd.concat([table, empty], ignore_index=True)
