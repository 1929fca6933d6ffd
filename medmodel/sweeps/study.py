"""Optuna's study of a sweep: its SQLite file, and which combination comes next."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from medmodel.core.errors import FileError
from medmodel.language import _
from medmodel.sweeps.search_space import FEWEST_TO_PRUNE, NUMBERS, SweepConfig
from medmodel.sweeps.sweep import Sweep

if TYPE_CHECKING:
    import optuna

FILE = "trials.db"
RUN, REFUSED, HOPELESS = "run", "refused", "hopeless"
"""What is noted of a trial: the id of its run; that its settings could not be trained;
that it was ended early."""
ASKED_AGAIN = 20
"""Times that the sampler may propose what was tried already."""
_WAIT_SECONDS = 60.0
"""For the file, while another process writes to it."""


def open_study(sweep: Sweep, config: SweepConfig) -> optuna.Study:
    """The study of a sweep; every combination waits in it where there are few."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # By a function: no character of a folder's name means anything in an address.
    connect = functools.partial(
        sqlite3.connect, sweep.folder / FILE, _WAIT_SECONDS, check_same_thread=False
    )
    study = optuna.create_study(
        storage=optuna.storages.RDBStorage(
            f"sqlite:///{FILE}", engine_kwargs={"creator": connect}
        ),
        study_name="sweep",
        sampler=optuna.samplers.TPESampler(seed=config.base.seed),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=FEWEST_TO_PRUNE, n_warmup_steps=1
        ),
        direction="minimize",
        load_if_exists=True,
    )
    if config.grid_size is not None and config.grid_size <= config.trials:
        for values in _combinations(config):
            study.enqueue_trial(values, skip_if_exists=True)
    return study


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what comes of a damaged or unwritable file into a sentence.

    Raises:
        FileError: The study cannot be read or written.
    """
    import optuna
    import sqlalchemy.exc

    try:
        yield
    except (
        optuna.exceptions.StorageInternalError,
        sqlalchemy.exc.SQLAlchemyError,
        sqlite3.Error,
    ) as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__  # what SQLite says
        raise FileError(
            _(
                "The sweep's list of proposals, {file}, cannot be read or written: "
                "{reason}. The runs of its trials are not touched by this.",
                file=FILE,
                reason=cause,
            )
        ) from error


def ask(study: optuna.Study, config: SweepConfig) -> optuna.Trial:
    """The next combination: one that was not tried, as long as there is any.

    The same settings with the same seed give the same model.
    """
    every = study.get_trials(deepcopy=False)
    tried = [t.params for t in every if asked(t)]
    for _again in range(ASKED_AGAIN):
        proposed = study.ask()
        if _suggested(proposed, config) not in tried:
            return proposed
        study.tell(proposed, state=states().FAIL)
    left = _untried(config, tried)
    if left is not None:
        study.enqueue_trial(left)
    proposed = study.ask()
    _suggested(proposed, config)
    return proposed


def asked(frozen: optuna.trial.FrozenTrial) -> bool:
    """Whether a proposal became a run, or could not."""
    return not {RUN, REFUSED}.isdisjoint(frozen.user_attrs)


def states() -> Any:
    """Optuna's own states of a trial."""
    from optuna.trial import TrialState

    return TrialState


def live(study: optuna.Study, frozen: optuna.trial.FrozenTrial) -> optuna.Trial:
    """A trial of an earlier process or look, to be reported to."""
    import optuna

    return optuna.Trial(study, frozen._trial_id)


def among(study: optuna.Study, runs: Collection[str]) -> optuna.Study:
    """The trials of some runs as a study of their own, in memory.

    Losses on the images of before and after a data set changed are two scales: only
    trials on the same images are judged by one another.
    """
    import optuna

    chosen = optuna.create_study(direction=study.direction, pruner=study.pruner)
    every = study.get_trials(deepcopy=False, states=(states().COMPLETE,))
    chosen.add_trials(t for t in every if t.user_attrs.get(RUN) in runs)
    return chosen


def _combinations(config: SweepConfig) -> Iterator[dict[str, Any]]:
    """All of them; there is no range among the settings."""
    for values in itertools.product(*(d.choices for d in config.space.values())):
        yield dict(zip(config.space, values, strict=True))


def _untried(
    config: SweepConfig, tried: Collection[Mapping[str, Any]]
) -> dict[str, Any] | None:
    if config.grid_size is None:
        return None
    return next((c for c in _combinations(config) if c not in tried), None)


def _suggested(proposed: optuna.Trial, config: SweepConfig) -> dict[str, Any]:
    """Values of a proposed trial, which are drawn here."""
    values: dict[str, Any] = {}
    for name, dimension in config.space.items():
        if not dimension.is_range:
            values[name] = proposed.suggest_categorical(name, list(dimension.choices))
        elif NUMBERS[name] is float:
            values[name] = proposed.suggest_float(
                name, dimension.low, dimension.high, log=dimension.log
            )
        else:
            values[name] = proposed.suggest_int(
                name, int(dimension.low), int(dimension.high), log=dimension.log
            )
    return values
