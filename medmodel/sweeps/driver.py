"""Drives one sweep: `python -m medmodel.sweeps.driver FOLDER`.

Optuna proposes settings; each trial is put into the queue as an ordinary run, watched
by its history, and ended early where it lies behind the median of the others at the
same epoch. Everything is on disk: started again it goes on with the trials that are
there.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medmodel.cluster.records import ahead, places_of_cluster
from medmodel.core import devices
from medmodel.core.errors import ConfigError, FileError, RunError
from medmodel.core.storage import write_json
from medmodel.language import SOURCE, speaking
from medmodel.runs import queue, run_table
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.sweeps import study as studies
from medmodel.sweeps.best import BestDriver
from medmodel.sweeps.results import comparable
from medmodel.sweeps.search_space import trial_config
from medmodel.sweeps.study import HOPELESS, REFUSED, RUN
from medmodel.sweeps.sweep import Sweep, Trial, Trials, split_of, stop_trials

if TYPE_CHECKING:
    import optuna

LOOK_SECONDS = 0.5
FEWEST_FOR_IMPORTANCE = 4
PRUNED = "pruned"


class Driver:
    """Proposes, watches and ends the trials of a sweep.

    Args:
        sweep: The sweep; this process holds its lock.
        store: Where trials become runs.
    """

    def __init__(self, sweep: Sweep, store: RunStore) -> None:
        self.sweep, self.store = sweep, store
        self.config = sweep.config
        self.study = studies.open_study(sweep, self.config)
        self._ended: dict[int, Trial] = {}
        self._propose_again()

    def step(self) -> bool:
        """Looks at all trials once and proposes new ones; False when all is done."""
        trials = self.look()
        active = [trial for trial in trials if not trial.finished]
        if not self.sweep.end_requested:
            free = trials_at_once(self.store) - len(active)
            left = self.sweep.planned - self._asked()
            for _number in range(min(free, left)):
                self._propose()
            if min(free, left) > 0:
                self.look()
                return True
        else:  # also what was put into the queue while somebody ended it
            stop_trials(active, self.store)
        return bool(active)

    def _asked(self) -> int:
        """Combinations that became runs, or could not."""
        return sum(map(studies.asked, self.study.get_trials(deepcopy=False)))

    def _propose_again(self) -> None:
        """Combinations of which a killed process made no run."""
        states = studies.states()
        for frozen in self.study.get_trials(states=(states.RUNNING,)):
            if RUN not in frozen.user_attrs:
                self.study.tell(frozen.number, state=states.FAIL)
                self.study.enqueue_trial(frozen.params)

    def _propose(self) -> None:
        """Puts the next combination into the queue."""
        proposed = studies.ask(self.study, self.config)
        try:
            config = trial_config(self.config, proposed.params)
            run = queue.submit(replace(config, name=self._name()), self.store)
        except ConfigError as error:
            # A corner that could not be foreseen, such as a network that frozen
            # training does not know.
            print(error, file=sys.stderr)  # noqa: T201
            proposed.set_user_attr(REFUSED, True)
            self.study.tell(proposed, state=studies.states().FAIL)
            return
        proposed.set_user_attr(RUN, run.id)

    def _name(self) -> str:
        with speaking(SOURCE):
            title = self.sweep.title
        every = self.study.get_trials(deepcopy=False)
        return f"{title}, trial {sum(RUN in t.user_attrs for t in every) + 1}"

    def look(self) -> list[Trial]:
        """Reads all runs, tells Optuna of what is new, writes trials.json."""
        trials: list[Trial] = []
        for frozen in self.study.get_trials(deepcopy=False):
            run_id = frozen.user_attrs.get(RUN)
            if run_id is None:
                continue
            trial = self._ended.get(frozen.number)
            if trial is None:
                trial = self._read(len(trials), frozen, run_id)
                if trial.finished:
                    self._ended[frozen.number] = trial
            if not frozen.state.is_finished():
                self._tell(frozen, trial)
            trials.append(trial)
        before = self._results
        results = Trials(trials, self._importance(trials, before))
        if results != before:
            write_json(self.sweep.folder / "trials.json", results)
        return trials

    @property
    def _results(self) -> Trials:
        """What was written before; none where that is damaged: it is written anew."""
        try:
            return self.sweep.results
        except FileError:
            return Trials()

    def _read(
        self, number: int, frozen: optuna.trial.FrozenTrial, run_id: str
    ) -> Trial:
        values = dict(frozen.params)
        try:
            run = self.store.get(run_id)
            status = run.status
            history = _history(run)
            split = split_of(run)
        except (RunError, FileError):
            return Trial(number, values, run_id, "deleted")
        best = min(history, key=lambda row: row[1], default=None)
        end = status.ended or time.time()
        state = status.state.value
        pruned = frozen.state is studies.states().PRUNED
        if (pruned or HOPELESS in frozen.user_attrs) and state == RunStatus.STOPPED:
            state = PRUNED
        return Trial(
            number,
            values,
            run_id,
            state,
            best[1] if best else None,
            best[2] if best else None,
            round(max(end - status.started, 0.0), 1) if status.started else 0.0,
            split=split,
        )

    def _tell(self, frozen: optuna.trial.FrozenTrial, trial: Trial) -> None:
        """Reports new epochs, ends a hopeless trial, closes one that has ended."""
        if trial.finished:
            self._close(frozen.number, trial)
            return
        if not self.config.prune or trial.state != RunStatus.RUNNING.value:
            return
        live = studies.live(self.study, frozen)
        with contextlib.suppress(RunError, FileError):
            run = self.store.get(trial.run)
            for epoch, loss, _accuracy in _history(run):
                if epoch not in frozen.intermediate_values:
                    live.report(loss, epoch)
            if HOPELESS not in frozen.user_attrs and self._hopeless(frozen, trial):
                queue.stop(run)
                live.set_user_attr(HOPELESS, True)

    def _hopeless(self, frozen: optuna.trial.FrozenTrial, trial: Trial) -> bool:
        """Whether it lies behind the others that were trained on the same images."""
        same = {t.run for t in self._ended.values() if t.split == trial.split}
        others = studies.among(self.study, same)
        now = self.study.get_trials(deepcopy=False)[frozen.number]
        return others.pruner.prune(others, now)

    def _close(self, number: int, trial: Trial) -> None:
        states = studies.states()
        if trial.val_loss is None or not math.isfinite(trial.val_loss):
            self.study.tell(number, state=states.FAIL)
        elif trial.state == PRUNED:
            self.study.tell(number, state=states.PRUNED)
        else:
            self.study.tell(number, trial.val_loss)

    def _importance(self, trials: list[Trial], before: Trials) -> dict[str, float]:
        """How much each setting explains; empty where that cannot be said."""
        import optuna

        done = _judged(trials)
        if len(done) < FEWEST_FOR_IMPORTANCE or len(self.config.space) < 2:
            return {}
        if done == _judged(before.trials) and before.importance:
            return dict(before.importance)
        # Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter
        # Importance", ICML.
        judge = optuna.importance.FanovaImportanceEvaluator(seed=0)
        try:
            values = optuna.importance.get_param_importances(
                studies.among(self.study, done), evaluator=judge
            )
        except (ValueError, RuntimeError):  # all losses are the same
            return {}
        return {name: round(float(share), 4) for name, share in values.items()}


def _judged(trials: list[Trial]) -> set[str]:
    """Runs that have ended with a loss, all on the same images."""
    done = [t for t in trials if t.finished and t.val_loss is not None]
    return {trial.run for trial in comparable(done)}


def _history(run: Run) -> list[tuple[int, float, float | None]]:
    """(epoch, validation loss, validation accuracy) of every finished epoch.

    A run on several findings has no accuracy.
    """
    table = run_table.epochs(run)
    accuracies: list[float | None] = [None] * len(table)
    if "val_accuracy" in table:
        accuracies = [float(accuracy) for accuracy in table["val_accuracy"]]
    rows = zip(table["epoch"], table["val_loss"], accuracies, strict=True)
    return [(int(epoch), float(loss), accuracy) for epoch, loss, accuracy in rows]


def trials_at_once(store: RunStore) -> int:
    """How many runs with the device `auto` are asked for at the same time."""
    of_cluster = places_of_cluster(store)
    return of_cluster + ahead(of_cluster) or len(devices.gpus()) or 1


def drive(sweep: Sweep, store: RunStore) -> None:
    """Drives a sweep to its end.

    Raises:
        RunError: sweep.json is lost.
        OSError: The disk is full or fails.
    """
    driver = BestDriver(sweep, store) if sweep.config.minutes else Driver(sweep, store)
    for look in itertools.count():
        if not driver.step():
            return
        if look % 20 == 0:
            queue.ensure_worker(store)
        time.sleep(LOOK_SECONDS)


def main() -> None:
    """Drives the sweep of the command line."""
    sweep = Sweep(Path(sys.argv[1]).resolve())
    task = sweep.task

    def work() -> None:
        task.write("running")
        with speaking(SOURCE), studies.storage_errors():
            drive(sweep, RunStore())
        task.write("finished")

    task.run(work)


if __name__ == "__main__":
    main()
