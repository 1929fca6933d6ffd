"""Spends a given time on candidates and their ensemble: "Best in … minutes".

Each candidate is an ordinary run in the queue. Which are started depends on how long
earlier runs took; what would run over is stopped, and keeps its best model so far. At
the end those whose mean does best on the validation images become an ensemble. Test
images choose nothing.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError, FileError, MedModelError, RunError
from medmodel.core.settings.recipes import ENSEMBLE
from medmodel.core.storage import write_json
from medmodel.data.layout import read_layout
from medmodel.ensembles import members
from medmodel.evaluation.calibration.temperature_scaling import (
    apply_temperature,
    fit_temperature,
)
from medmodel.evaluation.intervals.variance import variance_and_freedom
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import SOURCE, _, speaking
from medmodel.runs import queue
from medmodel.runs.progress.time_plan import time_plan
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from medmodel.sweeps.candidates import (
    CANDIDATES,
    ENSEMBLE_OF_BEST,
    candidate_config,
    check_layout,
)
from medmodel.sweeps.results import comparable
from medmodel.sweeps.sweep import Sweep, Trial, Trials, split_of, stop_trials

_SMALLEST = 1e-7
_PARAMETER = "candidate"
_LARGEST_RESERVE = 0.25
"""Share of the time that is kept, at most, for what follows training."""
_FEWEST_EPOCHS = 0.5
"""Share of a network's epochs that must fit, or it is not started: as many as fit are
then planned, so that its learning rate falls to the end of its schedule in time."""
_WORTH_ADDING = 1e-3
"""By which a member must lower the validation log loss of the ensemble."""


class BestDriver:
    """Starts, watches and ends the candidates of one sweep.

    Args:
        sweep: The sweep; this process holds its lock.
        store: Where candidates become runs.
        clock: Seconds since 1970.

    Raises:
        DataError: The data set cannot be read, or its images may have several
            findings.
    """

    def __init__(
        self, sweep: Sweep, store: RunStore, clock: Callable[[], float] = time.time
    ) -> None:
        self.sweep, self.store, self._clock = sweep, store, clock
        self.config = sweep.config
        layout = read_layout(Path(self.config.base.dataset))
        check_layout(layout)
        self._images = len(layout.files)
        self._ensemble = members_config(self.config.base)
        self._size = 0
        self._members_known = 0
        results = sweep.results
        self._trials, self._no_ensemble = list(results.trials), results.no_ensemble
        self._stopped: set[str] = set()
        self._baseline: Predictions | None = None

    @property
    def seconds_left(self) -> float:
        """Of the time that was given, counted from when the sweep was made."""
        end = self.config.created + 60 * self.config.minutes
        return end - self._clock()

    def step(self) -> bool:
        """Looks at all runs once and starts the next one; False when all is done."""
        trials = self.look()
        active = [trial for trial in trials if not trial.finished]
        for trial in active:
            self._stop_in_time(trial)
        if self.sweep.end_requested:  # also one that was started meanwhile
            stop_trials(active, self.store)
        if active or self.sweep.end_requested:
            return bool(active)
        return self._start_next(trials)

    def look(self) -> list[Trial]:
        """Reads all runs, writes trials.json where something has changed."""
        for at, trial in enumerate(self._trials):
            self._trials[at] = self._read(trial)
        self._plan_ensemble()
        self._write()
        return self._trials

    def _plan_ensemble(self) -> None:
        """Sizes and numbers of images of its members, once there are some."""
        known = [trial.run for trial in self._trials if trial.val_loss is not None]
        if len(known) == self._members_known:
            return
        self._members_known = len(known)
        with contextlib.suppress(MedModelError):
            runs = [self.store.get(run) for run in known]
            self._size = runs[0].model_facts.preprocessing.size
            size = max(run.model_facts.preprocessing.size for run in runs)
            held_out = len(read_predictions(runs[0])) / max(self._images, 1)
            self._ensemble = members_config(self.config.base, size, held_out)

    def _write(self) -> None:
        results = Trials(self._trials, no_ensemble=self._no_ensemble)
        if results != self.sweep.results:
            write_json(self.sweep.folder / "trials.json", results)

    def _read(self, trial: Trial) -> Trial:
        if trial.finished and trial.val_loss is not None:
            return trial
        try:
            run = self.store.get(trial.run)
            status = run.status
        except (RunError, FileError):
            return replace(trial, state="deleted")
        end = status.ended or self._clock()
        seconds = round(max(end - status.started, 0.0), 1) if status.started else 0.0
        trial = replace(trial, state=status.state.value, seconds=seconds)
        scores = validation_scores(run) if trial.finished else None
        if scores is None:
            return trial
        with contextlib.suppress(FileError):
            trial = replace(trial, split=split_of(run))
        right = scores.predicted == scores.truth
        return replace(
            trial,
            val_loss=log_loss(scores),
            val_accuracy=float(right.mean()),
            gain_in_errors=self._gain(trial, scores),
        )

    def _gain(self, trial: Trial, scores: Predictions) -> float | None:
        """Over the baseline; None for itself, and where nothing can be compared.

        That is: the baseline was deleted, or it had other images than this trial.
        """
        if trial.number == 0:
            self._baseline = scores
            return None
        if self._baseline is None:
            with contextlib.suppress(RunError, FileError):
                first = self.store.get(self._trials[0].run)
                self._baseline = validation_scores(first)
        before = self._trials[0].split
        if self._baseline is None or (before and before != trial.split):
            return None
        return gain_in_errors(scores, self._baseline)

    def _stop_in_time(self, trial: Trial) -> None:
        """Stops a candidate that would run over: what follows training takes time.

        Not Instant, the baseline: without it there would be nothing at all.
        """
        if trial.number == 0:
            return
        given = 60 * self.config.minutes
        reserve = min(2 * self._seconds(self._ensemble), _LARGEST_RESERVE * given)
        late = self.seconds_left < reserve
        if trial.values[_PARAMETER] == ENSEMBLE_OF_BEST or not late:
            return
        with contextlib.suppress(RunError, FileError):
            run = self.store.get(trial.run)
            if trial.run not in self._stopped or queue.stop_overdue(run):
                queue.stop(run)
                self._stopped.add(trial.run)

    def _start_next(self, trials: Sequence[Trial]) -> bool:
        tried = {trial.values[_PARAMETER]: trial for trial in trials}
        if ENSEMBLE_OF_BEST in tried or _hopeless(trials):
            return False
        for key in CANDIDATES:
            if key in tried or not self._differs(key, tried):
                continue
            config = candidate_config(self.config.base, key)
            # The first one is started whatever it takes: it is the baseline.
            epochs = self._epochs_that_fit(config) if tried else config.epochs
            if epochs < _FEWEST_EPOCHS * config.epochs:
                continue
            config = replace(config, epochs=epochs)
            self._add(key, queue.submit(self._named(config, key), self.store))
            return True
        return self._start_ensemble(trials)

    def _epochs_that_fit(self, config: TrainConfig) -> int:
        """How many of its epochs end in time, with all that follows; 0 if none.

        Of a last layer on features all or none: most of its time are the features.
        """
        left = self.seconds_left - self._seconds(self._ensemble)
        whole = self._seconds(config)
        if whole <= left or config.training == "frozen":
            return config.epochs if whole <= left else 0
        one = self._seconds(replace(config, epochs=1))
        each = (whole - one) / max(config.epochs - 1, 1)
        return max(1 + int((left - one) // each), 0) if each > 0 else 0

    def _differs(self, key: str, tried: Mapping[str, Trial]) -> bool:
        """Whether Instant at a size of its own is another than the one chosen."""
        wanted = CANDIDATES[key].changes.get("size")
        if CANDIDATES[key].recipe != "instant" or wanted is None:
            return True
        with contextlib.suppress(MedModelError, KeyError):
            run = self.store.get(tried["instant"].run)
            return run.model_facts.preprocessing.size < int(wanted)
        return False

    def _start_ensemble(self, trials: Sequence[Trial]) -> bool:
        """Makes the ensemble that does best on validation, or notes why not."""
        if self._seconds(self._ensemble) > self.seconds_left:
            return self._without_ensemble(
                _("No ensemble was made: the time that was left was too short.")
            )
        runs = {}
        for trial in comparable(trials):
            if trial.val_loss is not None:
                with contextlib.suppress(RunError):
                    runs[trial.run] = self.store.get(trial.run)
        scores = {key: validation_scores(run) for key, run in runs.items()}
        known = {key: value for key, value in scores.items() if value is not None}
        chosen = best_members(known)
        if len(chosen) < members.FEWEST:
            return self._without_ensemble(
                _(
                    "No ensemble was made: no other model lowers the validation loss "
                    "of the best one by more than {margin:g} when averaged with it.",
                    margin=_WORTH_ADDING,
                )
            )
        with speaking(SOURCE):
            name = f"{self.sweep.title}, {ENSEMBLE_OF_BEST}"
        try:
            made = members.submit([runs[key] for key in chosen], self.store, name)
        except (RunError, DataError) as error:
            return self._without_ensemble(
                _("No ensemble was made: {reason}", reason=error)
            )
        self._add(ENSEMBLE_OF_BEST, made)
        return True

    def _without_ensemble(self, reason: str) -> bool:
        """Notes why there is none; False: all is done."""
        self._no_ensemble = reason
        self._write()
        return False

    def _add(self, key: str, run: Run) -> None:
        number = len(self._trials)
        trial = Trial(number, {_PARAMETER: key}, run.id, RunStatus.QUEUED.value)
        self._trials.append(trial)
        self._write()

    def _named(self, config: TrainConfig, key: str) -> TrainConfig:
        with speaking(SOURCE):
            return replace(config, name=f"{self.sweep.title}, {CANDIDATES[key].title}")

    def _seconds(self, config: TrainConfig) -> float:
        if config.training == "frozen" and not config.size:
            # What validation chose for the first candidate is chosen for others, too.
            config = replace(config, size=self._size)
        return time_plan(config, self._images, self.store.root).whole


def members_config(
    base: TrainConfig, size: int = 224, held_out: float | None = None
) -> TrainConfig:
    """Settings of an ensemble that is not made yet, to guess its time.

    Args:
        base: Of the sweep.
        size: Of its largest member, as far as that is known.
        held_out: Share of the images that it will be asked about; None for what the
            settings hold out, though folders may have splits of their own.
    """
    config = replace(base, recipe=ENSEMBLE, training="fine_tune", size=size)
    if held_out is None:
        return config
    return replace(config, val_fraction=held_out, test_fraction=0.0)


def _hopeless(trials: Sequence[Trial]) -> bool:
    """Whether the baseline has failed: what is wrong with the data is for all."""
    return bool(trials) and trials[0].val_loss is None


def validation_scores(run: Run) -> Predictions | None:
    """What a run says of its validation images, calibrated on them; None if nothing."""
    try:
        data = split_predictions(read_predictions(run), "val")
        fitted = fit_temperature(data)
    except (RunError, DataError):
        return None
    temperature = 1.0 if fitted.bounded else fitted.value
    scores = apply_temperature(data.scores, temperature)
    return replace(data, scores=scores)


def log_loss(data: Predictions) -> float:
    """Mean log loss of the true class."""
    return _log_loss(data.scores, data.truth)


def gain_in_errors(scores: Predictions, baseline: Predictions) -> float:
    """By how many standard errors the log loss of some scores is lower.

    The error is that of the mean difference, image by image, patients kept together:
    what makes an image hard for both models does not blur which is better (Vehtari,
    Gelman and Gabry 2017, Statistics and Computing 27, 1413, section 5).

    Args:
        scores: Of a model.
        baseline: Of another one.

    Returns:
        Above 0 where `scores` are better; 0 where the images differ, or are of one
        patient.
    """
    if not np.array_equal(scores.truth, baseline.truth):
        return 0.0
    truth = scores.truth
    gains = _losses(baseline.scores, truth) - _losses(scores.scores, truth)
    mean = float(gains.mean())
    spread = (gains - mean) / len(gains)
    variance, _freedom = variance_and_freedom(spread, scores.patients)
    # Of models that differ by the same on every image nothing is chance.
    return mean / max(math.sqrt(variance), _SMALLEST)


def _log_loss(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    return float(_losses(scores, truth).mean())


def _losses(
    scores: NDArray[np.float64], truth: NDArray[np.intp]
) -> NDArray[np.float64]:
    of_truth = scores[np.arange(len(truth)), truth]
    losses: NDArray[np.float64] = -np.log(np.maximum(of_truth, _SMALLEST))
    return losses


def best_members(scores: Mapping[str, Predictions]) -> list[str]:
    """Models whose geometric mean has the lowest validation log loss.

    Forward selection: starts with the best one and adds whichever helps most, while any
    helps (Caruana et al. 2004, "Ensemble Selection from Libraries of Models", ICML).

    Args:
        scores: Model -> what it says of the same validation images, in the same order.
    """
    if not scores:
        return []
    best = min(scores, key=lambda key: log_loss(scores[key]))
    logs = {key: np.log(data.scores + _SMALLEST) for key, data in scores.items()}
    chosen, total = [best], logs[best].copy()
    truth, lowest = scores[best].truth, log_loss(scores[best])
    while len(chosen) < members.MOST:
        losses = {
            key: _log_loss(softmax((total + logs[key]) / (len(chosen) + 1), 1), truth)
            for key, data in scores.items()
            if key not in chosen and np.array_equal(data.truth, truth)
        }
        key = min(losses, key=losses.__getitem__, default=None)
        if key is None or losses[key] > lowest - _WORTH_ADDING:
            break
        chosen.append(key)
        total += logs[key]
        lowest = losses[key]
    return chosen
