"""A sweep as plain files: made-up trials, no process."""

from __future__ import annotations

import time
from pathlib import Path

from medmodel.core.config import config_for
from medmodel.core.storage import write_json
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import Sweep, Trial, Trials, _home


def write_sweep(dataset: Path, run: str, trials: int = 3) -> Sweep:
    """A sweep over two settings that has ended.

    Args:
        dataset: Class folders.
        run: Id that stands for the run of every trial.
        trials: How many there are; the second is the best.
    """
    kinds = ("none", "medical")
    space = {"size": Dimension((64, 96)), "augmentation": Dimension(kinds)}
    sweep = Sweep(_home() / "20260101-000000-0000ff")
    sweep.folder.mkdir(parents=True)
    base = config_for("compact", str(dataset))
    config = SweepConfig(base, space, trials, created=time.time())
    write_json(sweep.folder / "sweep.json", config)
    sizes = (64, 96)
    tried = [
        Trial(
            number,
            {"size": sizes[number % 2], "augmentation": kinds[number // 2 % 2]},
            run,
            "done" if number else "pruned",
            0.4 if number == 1 else 0.5 + number / 10,
            0.8,
            20.0 + 5 * number,
        )
        for number in range(trials)
    ]
    shares = {"size": 0.7, "augmentation": 0.3}
    write_json(sweep.folder / "trials.json", Trials(tried, shares))
    sweep.task.write("finished")
    return sweep
