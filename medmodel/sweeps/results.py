"""What a sweep says: the winner on validation images, and what no trial beats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medmodel.language import _
from medmodel.sweeps.sweep import Trial

FEWEST_ERRORS = 1.0
"""Standard errors by which a candidate's validation loss must be lower than that of the
first one, which is the simplest: less may be chance (one standard error rule: Breiman
et al. 1984, Classification and Regression Trees, 3.4.3; Hastie, Tibshirani and Friedman
2009, The Elements of Statistical Learning, 7.10)."""


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the lowest validation loss; test images decide nothing.

    Where candidates were compared with the first one only those count that are better
    than it beyond chance. Of equal ones the earlier. None where no epoch has been
    finished.
    """
    scored = [trial for trial in comparable(trials) if _loss(trial) < math.inf]
    if compared(trials):
        scored = [trial for trial in scored if _beyond_chance(trial)]
    return min(scored, key=_loss, default=None)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """The trials on the split that most of them had: losses on others say nothing.

    There are several where the data set was changed meanwhile. Of equally many trials
    the newer ones.
    """
    splits = [t.split for t in reversed(trials) if t.split and _loss(t) < math.inf]
    usual = max(splits, key=splits.count, default="")
    return [trial for trial in trials if trial.split in ("", usual) or not usual]


def other_data(trials: Sequence[Trial]) -> str:
    """Which trials are not compared, in a sentence; "" where all can be."""
    kept = comparable(trials)
    left_out = [t for t in trials if t not in kept and _loss(t) < math.inf]
    if not left_out:
        return ""
    return _(
        "The data set was changed during this sweep: these trials had other images and "
        "are not compared: {numbers}.",
        numbers=_(", ").join(str(trial.number + 1) for trial in left_out),
    )


def _beyond_chance(trial: Trial) -> bool:
    gain = trial.gain_in_errors
    return gain is None or gain > FEWEST_ERRORS


def compared(trials: Sequence[Trial]) -> bool:
    """Whether all candidates were compared with the first one, image by image.

    Not where it was deleted meanwhile, or an earlier version had begun the sweep.
    """
    scored = [trial for trial in comparable(trials) if _loss(trial) < math.inf]
    gains = [trial.gain_in_errors for trial in scored if trial.number > 0]
    return bool(gains) and None not in gains


def why_it_won(winner: Trial) -> str:
    """One sentence on the winner of candidates that were compared with Instant."""
    if winner.gain_in_errors is None:
        return _(
            "No other model's validation loss is lower by more than one standard error "
            "of the difference on the same images: that may be chance, and the "
            "simplest model wins."
        )
    return _(
        "Its validation loss is lower than that of Instant by {errors:.2f} standard "
        "errors of the difference on the same images; one or less may be chance, and "
        "does not win.",
        errors=winner.gain_in_errors,
    )


def equally_good(trials: Sequence[Trial]) -> int:
    """How many trials have the lowest validation loss of all."""
    best = best_trial(trials)
    alike = [t for t in comparable(trials) if best and _loss(t) == _loss(best)]
    return len(alike)


def pareto_front(trials: Sequence[Trial]) -> list[Trial]:
    """Trials of which no other was both faster and better, the fastest first.

    Those still at work are left out: their time is not known.
    """
    ended = [t for t in comparable(trials) if t.finished and _loss(t) < math.inf]
    front: list[Trial] = []
    for trial in sorted(ended, key=lambda t: (t.seconds, _loss(t))):
        if not front or _loss(trial) < _loss(front[-1]):
            front.append(trial)
    return front


def _loss(trial: Trial) -> float:
    loss = trial.val_loss
    return loss if loss is not None and math.isfinite(loss) else math.inf
