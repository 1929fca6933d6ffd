"""What a sweep says: the winner on validation images, and what no trial beats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medmodel.sweeps.sweep import Trial


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the lowest validation loss; test images decide nothing.

    Of equal ones the earlier. None where no epoch has been finished.
    """
    scored = [trial for trial in trials if _loss(trial) < math.inf]
    return min(scored, key=_loss, default=None)


def equally_good(trials: Sequence[Trial]) -> int:
    """How many trials have the lowest validation loss of all."""
    best = best_trial(trials)
    return 0 if best is None else sum(_loss(t) == _loss(best) for t in trials)


def pareto_front(trials: Sequence[Trial]) -> list[Trial]:
    """Trials of which no other was both faster and better, the fastest first.

    Those still at work are left out: their time is not known.
    """
    ended = [t for t in trials if t.finished and _loss(t) < math.inf]
    front: list[Trial] = []
    for trial in sorted(ended, key=lambda t: (t.seconds, _loss(t))):
        if not front or _loss(trial) < _loss(front[-1]):
            front.append(trial)
    return front


def _loss(trial: Trial) -> float:
    loss = trial.val_loss
    return loss if loss is not None and math.isfinite(loss) else math.inf
