"""Cross-validation and repeats: one configuration trained by fold or by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.language import _
from medmodel.runs import run_table
from medmodel.runs.copies import (
    copies_of,
    image_digests,
    leave_out_copies,
    pooled_copies,
)
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.setting_words import what_it_does
from medmodel.runs.tables.findings import finding_names, read_findings
from medmodel.runs.tables.predictions import (
    SAMPLE_COLUMNS,
    answer_columns,
    read_predictions,
    scored_classes,
)
from medmodel.runs.tables.split import read_split

if TYPE_CHECKING:
    import pandas as pd

MOST_REPEATS = 20
"""Repeats that are asked for at a time."""


@dataclass(frozen=True)
class RunsSummary:
    """A number that was measured several times.

    Args:
        mean: Its mean.
        deviation: Standard deviation of one measurement; not-a-number below two.
        low: The smallest.
        high: The largest.
        count: How many.
    """

    mean: float
    deviation: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """As people read it."""
        if self.count == 1:
            return _("{mean:.3f} (1 run)", mean=self.mean)
        return _(
            "{mean:.3f} on average, {low:.3f} to {high:.3f} (standard "
            "deviation {deviation:.3f}, {runs} runs)",
            mean=self.mean,
            low=self.low,
            high=self.high,
            deviation=self.deviation,
            runs=self.count,
        )


def summarize(values: Sequence[float]) -> RunsSummary:
    """Mean, standard deviation and range of at least one value."""
    count = len(values)
    mean = math.fsum(values) / count
    squares = math.fsum((value - mean) ** 2 for value in values)
    deviation = math.sqrt(squares / (count - 1)) if count > 1 else math.nan
    return RunsSummary(mean, deviation, min(values), max(values), count)


@dataclass(frozen=True)
class CrossValidation:
    """A cross-validation: one configuration trained once for each fold.

    Args:
        folds: How many folds there are.
        seed: The seed that all of its runs have.
        runs: The latest run of each fold that was asked for, by fold.
    """

    folds: int
    seed: int
    runs: list[Entry]

    @property
    def tested(self) -> list[Entry]:
        """The runs that have predicted their fold."""
        return [e for e in self.runs if _has_predicted(e)]

    @property
    def complete(self) -> bool:
        """Whether every fold was predicted."""
        return len(self.tested) == self.folds


def _has_predicted(entry: Entry) -> bool:
    """Whether a run has told the classes, or the findings, of its test images."""
    if entry.config.multi_label:
        return entry.test_images > 0
    return entry.test_accuracy is not None


def repeats_of(entry: Entry, others: Iterable[Entry]) -> list[Entry]:
    """Runs on a single split whose settings are this one's but for the seed.

    Tests of a finished model on another folder are none: nothing was trained there.
    """
    recipe = _recipe(entry.config)
    alike = [e for e in others if e.config.folds == 1 and _recipe(e.config) == recipe]
    return [e for e in alike if not e.run.tested_model]


def cross_validations(entry: Entry, others: Iterable[Entry]) -> list[CrossValidation]:
    """The cross-validations whose settings are this run's, newest first.

    Args:
        entry: A run, itself of a single split or of a fold.
        others: All runs, newest first.
    """
    recipe = _recipe(entry.config)
    folds_of: dict[tuple[int, int], dict[int, Entry]] = {}
    for other in others:
        config = other.config
        foreign = config.folds == 1 or _recipe(config) != recipe
        if foreign or other.run.tested_model:
            continue
        runs = folds_of.setdefault((config.folds, config.seed), {})
        # One that has its predictions counts more than a later one without.
        latest = runs.setdefault(config.fold, other)
        if not _has_predicted(latest) and _has_predicted(other):
            runs[config.fold] = other
    return [
        CrossValidation(folds, seed, [runs[fold] for fold in sorted(runs)])
        for (folds, seed), runs in folds_of.items()
    ]


def fold_configs(config: TrainConfig, folds: int) -> list[TrainConfig]:
    """The same configuration for every fold; itself for a single one."""
    return [replace(config, folds=folds, fold=at) for at in range(1, folds + 1)]


def complete_cross_validation(
    entry: Entry, others: Iterable[Entry]
) -> CrossValidation | None:
    """The finished cross-validation that the run is a fold of; None if there is none.

    Args:
        entry: Any run.
        others: All runs, newest first.
    """
    config = entry.config
    if config.folds == 1:
        return None
    return next(
        (
            experiment
            for experiment in cross_validations(entry, others)
            if experiment.complete
            and (experiment.folds, experiment.seed) == (config.folds, config.seed)
        ),
        None,
    )


def out_of_fold_predictions(experiment: CrossValidation) -> pd.DataFrame:
    """Every image once, as predicted by the run that was not trained on it.

    Returns:
        As from `pooled`.

    Raises:
        DataError: Folds are missing, or the data set changed between the runs.
        RunError: Predictions cannot be read.
    """
    if not experiment.complete:
        raise DataError(
            _(
                "{tested} of {folds} folds were tested so far.",
                tested=len(experiment.tested),
                folds=experiment.folds,
            )
        )
    return pooled_predictions([entry.run for entry in experiment.tested])


def digests_of_models(models: Models) -> dict[str, dict[str, str]]:
    """Name of each model -> path -> digest of its images, for `common_images`.

    Empty where all were trained on one folder: there a path is one image, whatever an
    earlier version took for its pixels.
    """
    if len({run.config.dataset for runs in models.values() for run in runs}) < 2:
        return {}
    return {
        name: {path: d for run in runs for path, d in image_digests(run).items()}
        for name, runs in models.items()
    }


def pooled_predictions(runs: Sequence[Run]) -> pd.DataFrame:
    """The test images of the runs of a cross-validation as one table.

    Returns:
        As from `read_predictions`, test images alone, sorted by path, with the number
        of the fold as `fold`. Those that are copies of what their fold's model was made
        with have the split `copies.LEFT_OUT`, unless there are no others in any fold.

    Raises:
        DataError: The data set changed between the runs.
        RunError: Predictions cannot be read.
    """
    pooled = _pooled(runs, read_predictions, scored_classes)
    wanted = [*SAMPLE_COLUMNS, *answer_columns(pooled, scored_classes(pooled)), "fold"]
    return pooled[wanted]


def pooled_findings(runs: Sequence[Run]) -> pd.DataFrame:
    """The same of runs on several findings, with the columns of `read_findings`."""
    return _pooled(runs, read_findings, finding_names)


def _pooled(
    runs: Sequence[Run],
    read: Callable[[Run], pd.DataFrame],
    names_in: Callable[[pd.DataFrame], list[str]],
) -> pd.DataFrame:
    """Test images of all folds, sorted by path, with the number of the fold.

    Raises:
        DataError: The data set changed between the runs.
    """
    import pandas as pd

    tables, images = [], []
    for run in runs:
        table = read(run)
        tested = table[table["split"] == "test"]
        tables.append(tested.assign(fold=run.config.fold))
        images.append(set(read_split(run)["path"]))
    names = [names_in(table) for table in tables]
    pooled = pd.concat(tables, ignore_index=True)
    same = all(each == names[0] for each in names) and all(
        each == images[0] for each in images
    )
    if not same or pooled["path"].duplicated().any():
        raise DataError(
            _(
                "The data set changed while its folds were trained, so that they "
                "do not fit together any more: train the folds again."
            )
        )
    copies = pooled_copies([copies_of(run) for run in runs])
    pooled = leave_out_copies(pooled, copies.paths)
    return pooled.sort_values("path", ignore_index=True)


def _recipe(config: TrainConfig) -> TrainConfig:
    """The settings without those that a repeat changes."""
    return replace(config, name="", seed=0, folds=1, fold=1)


def seed_configs(
    config: TrainConfig, taken: Iterable[int], count: int
) -> list[TrainConfig]:
    """The same configuration with seeds that were not used yet, smallest first.

    Args:
        config: What is repeated.
        taken: Seeds that its runs have.
        count: How many, at most `MOST`.
    """
    configs: list[TrainConfig] = []
    used, seed = set(taken), 0
    title = config.name.partition(", seed ")[0]
    while len(configs) < min(count, MOST_REPEATS):
        if seed not in used:
            name = f"{title}, seed {seed}" if title else ""
            configs.append(replace(config, seed=seed, name=name))
        seed += 1
    return configs


Models = Mapping[str, Sequence[Run]]
"""Name of each model -> its run; of a whole cross-validation, the runs of its folds."""


def compared_models(entries: Sequence[Entry], all_entries: Sequence[Entry]) -> Models:
    """What is compared: a fold stands for its whole cross-validation, once finished.

    Args:
        entries: The runs that were chosen.
        all_entries: All runs, newest first.
    """
    names = run_table.distinct_names(entries, short=True)
    models: dict[str, Sequence[Run]] = {}
    for entry in entries:
        experiment = complete_cross_validation(entry, all_entries)
        if experiment is None:
            models[names[entry.run.id]] = [entry.run]
            continue
        runs = [e.run for e in experiment.tested]
        if any(runs[0].id == others[0].id for others in models.values()):
            continue  # another fold of the same one
        title = replace(entry.config, folds=1, fold=1).title
        name = _("{model}, all {folds} folds", model=title, folds=experiment.folds)
        models[f"{name} ({runs[0].id})" if name in models else name] = runs
    return models


def check_one_kind(models: Models) -> None:
    """Refuses models that are measured by other metrics.

    Args:
        models: As from `compared_models`, one at least.

    Raises:
        DataError: There are two kinds among them.
    """
    (name, (first, *_folds)), *others = models.items()
    for other, (run, *_folds) in others:
        if run.config.metric != first.config.metric:
            raise DataError(
                _(
                    "{first} {does}, {second} {does_other}: there is no number in "
                    "which both could be compared.",
                    first=name,
                    does=what_it_does(first.config),
                    second=other,
                    does_other=what_it_does(run.config),
                )
            )
