"""Candidates of "Best in … minutes", in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.core.settings.recipes import RECIPES
from medmodel.data.layout import Layout
from medmodel.language import N_, _

MINUTES = (2, 10, 60)
"""Offered on the page; the command line takes any number."""
MOST_MINUTES = 24 * 60
ENSEMBLE_OF_BEST = "ensemble"
SEVERAL_FINDINGS = N_(
    "This data set names several findings on one image, and such models are not "
    "averaged: choose one of the other recipes, or a sweep."
)
_SHARED = (
    *("dataset", "seed", "device", "val_fraction", "test_fraction"),
    *("patient_pattern", "window", "steps", "colour", "fit", "precision"),
)
"""What all candidates have in common: the same images, split alike."""


@dataclass(frozen=True)
class Candidate:
    """Settings worth trying.

    Args:
        title: What it is called.
        recipe: Key of `RECIPES` from which its settings start.
        changes: Settings that differ from the recipe's.
    """

    title: str
    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)


_TO_THE_END: Mapping[str, Any] = {"patience": 0}
"""Of networks that are trained from their first layer on: as many epochs are planned as
fit into the time. While the learning rate is high the validation loss leaps, and what
stopped then would miss the end of its schedule; the best epoch is kept anyway."""

CANDIDATES: dict[str, Candidate] = {
    "instant": Candidate(N_("Instant"), "instant"),
    "together": Candidate(
        N_("Instant, two networks"), "instant", {"model": "efficientnet_lite0_lite2"}
    ),
    "compact": Candidate(N_("Compact CNN"), "compact", _TO_THE_END),
    "together_224": Candidate(
        N_("Instant, two networks, 224 pixels"),
        "instant",
        {"model": "efficientnet_lite0_lite2", "size": 224},
    ),
    "compact_2": Candidate(
        N_("Compact CNN, second replicate"), "compact", {"replicate": 1, **_TO_THE_END}
    ),
    "compact_3": Candidate(
        N_("Compact CNN, third replicate"), "compact", {"replicate": 2, **_TO_THE_END}
    ),
    "compact_128": Candidate(
        N_("Compact CNN, 128 pixels"),
        "compact",
        {"size": 128, "replicate": 3, **_TO_THE_END},
    ),
    "fine_tune": Candidate(N_("Fine-tuning"), "custom", {"mixup": 0.2, **_TO_THE_END}),
}
"""The baseline first, then what differs from it most for its time: models that err on
other images make the better ensemble."""
TITLES = {key: candidate.title for key, candidate in CANDIDATES.items()} | {
    ENSEMBLE_OF_BEST: N_("Ensemble"),
    "instant_224": N_("Instant, 224 pixels"),
}
"""Key -> what it is called; those of earlier versions' sweeps as well."""


def check_layout(layout: Layout) -> None:
    """Refuses a data set of which candidates could not become an ensemble.

    Raises:
        DataError: An image may have several findings.
    """
    if layout.findings:
        raise DataError(_(SEVERAL_FINDINGS))


def candidate_config(base: TrainConfig, key: str) -> TrainConfig:
    """The settings of a candidate.

    Args:
        base: Names the data set, seed, split and preprocessing.
        key: Of `CANDIDATES`.
    """
    candidate = CANDIDATES[key]
    same = {name: getattr(base, name) for name in _SHARED}
    settings = {**RECIPES[candidate.recipe].settings, **same, **candidate.changes}
    return TrainConfig(**settings, recipe=candidate.recipe)
