"""Row chaos: whatever ends in the middle, nothing is half done and runs go on.

Workers are killed in every phase, first or resumed, alone or while a shell is killed;
predictors in the middle of an answer; disks are full or become read-only, files may
not grow; the clock jumps; two shells share a workspace.

MEDMODEL_CHAOS_KILLS says how many events, MEDMODEL_CHAOS_SEED which, MEDMODEL_CHAOS_LOG
which file gets a line for each: 200 events may be measured in several parts.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import resource
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
from PIL import Image

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.servers import serving, temporary_workspace
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.devices import tensorflow_environment
from medmodel.core.errors import MedModelError, PredictionError
from medmodel.core.storage import read_json
from medmodel.predictor import Predictor
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.curves import read_history
from medmodel.runs.tables.predictions import read_predictions
from medmodel.runs.tables.split import read_split

EVENTS = 200
PHASES = ("waiting", "checking", "preparing", "features", "training", "evaluating")
MOST_KILLS = 8
"""Kills of one run; then it is let go to its end."""
SECONDS = 400.0
"""Within which a small run ends, on a busy machine."""
MOMENT = 5.0
"""Seconds within which what was killed is seen to be."""


@dataclass
class Stage:
    """What the events of one chaos share.

    Args:
        store: The workspace.
        dataset: A small data set.
        chance: Decides what happens when.
        kills: How often each unfinished run was killed.
        where: In which phase workers were killed, with a backup or without.
    """

    store: RunStore
    dataset: Path
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    where: Counter[str] = field(default_factory=Counter)

    def config(self) -> TrainConfig:
        """A run of a few seconds, of any recipe."""
        recipe = self.chance.choice(("document", "document", "compact", "instant"))
        settings = {"size": 32, "epochs": 3, "device": "cpu"}
        small = config_for(recipe, str(self.dataset), **settings)
        return replace(small, batch_size=8, precision="float32")

    def killed(self, run: Run) -> None:
        """Notes that a run's worker was killed, and where; not if it had ended."""
        if run.status.state is RunStatus.DONE:
            return
        self.kills[run.id] += 1
        backed = " from a backup" if any(run.folder.glob("backup/epoch_*")) else ""
        status = run.status
        self.where[f"{status.phase}{backed if status.attempt else ''}"] += 1

    def next_run(self) -> Run:
        """One that was killed before, or a new one."""
        runs = self.store.list()
        open_runs = [run for run in runs if 0 < self.kills[run.id] < MOST_KILLS]
        unfinished = [r for r in open_runs if r.status.state is not RunStatus.DONE]
        if unfinished and self.chance.random() < 0.7:
            return self.chance.choice(unfinished)
        return self.store.create(self.config())


def chaos() -> list[Measurement]:
    """Kills and other falls: how many left something half done, lost or alone."""
    count = int(os.environ.get("MEDMODEL_CHAOS_KILLS", EVENTS))
    seed = int(os.environ.get("MEDMODEL_CHAOS_SEED", 0))
    began, problems, seen = time.monotonic(), list[str](), Counter[str]()
    environment = mock.patch.dict(os.environ, tensorflow_environment())
    with environment, temporary_workspace() as workspace:
        stage = Stage(RunStore(workspace), _dataset(workspace), random.Random(seed))
        for number in range(count):
            name = _event(number + count * seed)
            try:
                problem = FALLS[name](stage) or _half_done(stage) or _orphan(workspace)
                seen[name] += 1
            except _NotPossibleHereError as error:
                seen[f"{name} ({error})"] += 1
                continue
            if problem:
                problems.append(f"{number} {name}: {problem}")
            _log({"seed": seed, "event": number, "fall": name, "problem": problem})
        states = Counter(_finish(run) for run in stage.store.list())
        problems += [f"{n} runs ended {s}" for s, n in states.items() if s != "done"]
        problems += [text for run in stage.store.list() if (text := _left_over(run))]
    events = ", ".join(f"{n} {name}" for name, n in seen.items())
    where = ", ".join(f"{n} {phase}" for phase, n in sorted(stage.where.items()))
    note = f"{events}; workers killed while {where}; {states['done']} runs"
    note += f"; {time.monotonic() - began:.0f} s; {'; '.join(problems[:5])}"
    _log({"seed": seed, "note": note, "problems": problems})
    return [at_most("chaos", len(problems), 0, "problems", note)]


class _NotPossibleHereError(Exception):
    """This user may not mount disks."""


def _log(line: dict[str, object]) -> None:
    """Adds a line to the log, if there is to be one."""
    path = os.environ.get("MEDMODEL_CHAOS_LOG")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _event(number: int) -> str:
    """Workers two thirds of the time, each of the others once in 21 events."""
    rare = [name for name in FALLS if name != "worker"]
    return rare[number // 3 % len(rare)] if number % 3 == 2 else "worker"


def kill_worker(stage: Stage) -> str:
    """Kills the worker of a run in some phase."""
    run = stage.next_run()
    with _working(run) as worker:
        _await_phase(run, worker, stage.chance.choice(PHASES))
        time.sleep(stage.chance.random() * 0.3)
        worker.kill()
    stage.killed(run)
    # A program that it was about to start has its lock for a moment more.
    deadline = time.monotonic() + MOMENT
    while run.status.state is RunStatus.RUNNING:
        if time.monotonic() > deadline:
            return "a killed run counts as running"
        time.sleep(0.1)
    return ""


def kill_shell(stage: Stage) -> str:
    """Kills the shell while a run is trained, which goes on."""
    run = stage.store.create(stage.config())
    with _working(run) as worker:
        _await_phase(run, worker, "training")
        with serving(stage.store.root) as shell:
            psutil.Process(shell.pid).kill()
        with serving(stage.store.root):
            pass
        worker.join(SECONDS)
    return _unless(run, RunStatus.DONE)


def kill_predictor(stage: Stage) -> str:
    """Kills the predictor while it answers; the next question is answered."""
    run = next((r for r in stage.store.list() if _is_done(r)), None)
    if run is None:
        run = stage.store.create(stage.config())
        _finish(run)
    predictor = Predictor()
    image = np.zeros((1, *run.model_facts.preprocessing.shape), np.uint8)
    predictor.warm(run.id)
    time.sleep(stage.chance.random() * 8)
    try:
        child = predictor._child
        if child is not None:
            child.process.kill()
        with contextlib.suppress(PredictionError):
            predictor.ask(run.id, image)
        predictor.ask(run.id, image)
    except PredictionError as error:
        return f"after a kill the predictor says {error}"
    finally:
        predictor.close()
    return ""


def fill_disk(stage: Stage) -> str:
    """Trains on a disk with little space, then with enough."""
    space = stage.chance.randrange(100, 2500) * 1024
    with _other_disk(stage, space) as run:
        ended = _train(run)
        if ended.state is not RunStatus.DONE and ended.failure is None:
            return f"a full disk ended as {ended.state.value} without a reason"
        _mount("-o", "remount,size=1g", str(run.folder.parent.parent))
        return _unless(run, RunStatus.DONE) if _finish(run) != "done" else ""


def limit_files(stage: Stage) -> str:
    """Trains where no file may grow beyond some size, then without that limit."""
    run = stage.store.create(stage.config())
    most = stage.chance.choice((4, 20, 100, 300, 1000)) * 1024
    with _working(run) as worker:
        assert worker.pid is not None
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (most, most))
        worker.join(SECONDS)
    ended = run.status
    if ended.state is not RunStatus.DONE and ended.failure is None:
        return f"files of {most} bytes ended as {ended.state.value} without a reason"
    if ended.failure is not None and ended.failure.kind == "bug":
        return f"files of {most} bytes: {ended.failure.message}"
    return "" if _finish(run) == "done" else f"{run.status}"


def forbid_writing(stage: Stage) -> str:
    """The disk of a run becomes read-only while it is trained."""
    run = stage.store.create(stage.config())
    folder = str(run.folder)
    with _working(run) as worker:
        _await_phase(run, worker, stage.chance.choice(PHASES))
        if not _mount("--bind", folder, folder):
            raise _NotPossibleHereError("no disk may be mounted here")
        try:
            _mount("-o", "remount,bind,ro", folder)
            worker.join(SECONDS)
        finally:
            subprocess.run(["umount", "-l", folder], check=False)
    ended = run.status
    if ended.failure is not None and ended.failure.kind == "bug":
        return f"read-only: {ended.failure.message}"
    return "" if _finish(run) == "done" else f"read-only: {run.status}"


def move_clock(stage: Stage) -> str:
    """The clock jumps by days, between two attempts of a run or during one."""
    run = stage.next_run()
    shift = stage.chance.choice((-400, -1, 1, 400)) * 86400
    with _working(run, (shift, stage.chance.choice((0, 1, 3)))) as worker:
        _await_phase(run, worker, stage.chance.choice(PHASES))
        time.sleep(stage.chance.random() * 0.3)
        worker.kill()
    stage.killed(run)
    return "" if not run.status.state.active or run.status.attempt == 0 else "active"


def share_workspace(stage: Stage) -> str:
    """Two shells on one workspace: a run is trained once."""
    with serving(stage.store.root), serving(stage.store.root):
        run = stage.store.create(stage.config())
        (stage.store.root / "queue.changed").touch()
        deadline = time.monotonic() + SECONDS
        while run.status.state.active and time.monotonic() < deadline:
            time.sleep(0.2)
    if run.status.state is RunStatus.DONE and run.status.attempt != 1:
        return f"it was trained {run.status.attempt} times"
    return "" if run.status.state is RunStatus.DONE else f"two shells: {run.status}"


FALLS = {
    "worker": kill_worker,
    "shell": kill_shell,
    "predictor": kill_predictor,
    "disk_full": fill_disk,
    "file_size": limit_files,
    "read_only": forbid_writing,
    "clock": move_clock,
    "two_shells": share_workspace,
}


def _half_done(stage: Stage) -> str:
    """The first file that is visible and not whole."""
    for run in stage.store.list():
        try:
            for path in run.folder.glob("*.json"):
                read_json(path)
            read_history(run)
            if run.split_path.exists():
                read_split(run)
            if run.predictions_path.exists():
                read_predictions(run)
            if _repeats(run):
                return f"{run.history_path} has an epoch twice"
            archives = (*run.folder.glob("*.npz"), *run.folder.glob("backup/epoch_*"))
            for path in (*run.folder.glob("*.keras"), *archives):
                with zipfile.ZipFile(path) as archive:
                    if archive.testzip():
                        return f"{path} is half a file"
        except (MedModelError, zipfile.BadZipFile) as error:
            return str(error)
    return ""


def _repeats(run: Run) -> bool:
    table = read_history(run)
    return "epoch" in table and bool(table["epoch"].duplicated().any())


def _left_over(run: Run) -> str:
    """The first hidden file that an ended run leaves behind."""
    hidden = [path for path in run.folder.rglob(".*") if path.is_file()]
    return f"{hidden[0]} is left over" if hidden else ""


def _orphan(workspace: Path) -> str:
    """A process that works on and that nobody waits for."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ours = [p for p in psutil.process_iter() if _is_of(p, workspace)]
        if not ours:
            return ""
        time.sleep(0.2)
    with contextlib.suppress(psutil.Error):
        return f"{' '.join(ours[0].cmdline())} still runs"
    return ""


def _is_of(process: psutil.Process, workspace: Path) -> bool:
    try:
        command = process.cmdline()
        place = process.environ().get("MEDMODEL_WORKSPACE", "")
    except (psutil.Error, OSError):  # it has ended, or is another user's
        return False
    # A worker that waits for the next run ends when it sees that no shell is there;
    # the server that workers are forked from ends with the row.
    waits = "--idle" in command or any("multiprocessing" in part for part in command)
    return not waits and Path(place).is_relative_to(workspace)


@contextlib.contextmanager
def _working(run: Run, shift: tuple[float, float] = (0, 0)) -> Iterator[BaseProcess]:
    """The worker of a run, killed at the end.

    It is forked from a process that has loaded TensorFlow, as an idle worker has.

    Args:
        run: The run.
        shift: Seconds by which the clock jumps, and after how many.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["medmodel.training.train", "medmodel.worker"])
    worker = context.Process(target=_work, args=(run.folder, run.config.dataset, shift))
    worker.start()
    try:
        yield worker
    finally:
        worker.kill()
        worker.join()


def _work(folder: Path, dataset: str, shift: tuple[float, float]) -> None:
    from medmodel import worker

    os.environ["MEDMODEL_WORKSPACE"] = str(folder.parent.parent)
    os.environ["MEDMODEL_DATA"] = str(Path(dataset).parent)
    now, jump = time.time, time.monotonic() + shift[1]
    time.time = lambda: now() + shift[0] * (time.monotonic() > jump)
    worker.NICENESS = os.nice(0)  # as this row, however busy the machine is
    os._exit(worker.main([str(folder)]))


def _await_phase(run: Run, worker: BaseProcess, phase: str) -> None:
    """Waits until a worker is in a phase or beyond it, or has ended."""
    attempt, wanted = run.status.attempt, PHASES[PHASES.index(phase) :]
    while worker.is_alive() and phase != "waiting":
        status = run.status
        if status.attempt > attempt and status.phase in wanted:
            return
        time.sleep(0.01)


def _train(run: Run) -> Status:
    with _working(run) as worker:
        worker.join(SECONDS)
    return run.status


def _finish(run: Run) -> str:
    """Lets a run go on to its end; the state in which that is."""
    return (run.status if _is_done(run) else _train(run)).state.value


def _is_done(run: Run) -> bool:
    return run.status.state is RunStatus.DONE


def _unless(run: Run, state: RunStatus) -> str:
    return "" if run.status.state is state else f"{run.status}"


@contextlib.contextmanager
def _other_disk(stage: Stage, space: int) -> Iterator[Run]:
    """A queued run on a disk of its own."""
    folder = stage.store.root / "disk"
    folder.mkdir(exist_ok=True)
    size = space + sum(p.stat().st_size for p in stage.dataset.rglob("*"))
    if not _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
        raise _NotPossibleHereError("no disk may be mounted here")
    try:
        yield RunStore(folder).create(stage.config())
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _mount(*arguments: str) -> bool:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True)
    return done.returncode == 0


def _dataset(workspace: Path) -> Path:
    """Some small drawn images of two classes."""
    folder, rng = workspace / "datasets" / "drawn", np.random.default_rng(0)
    for level, name in ((90, "dark"), (160, "light")):
        (folder / name).mkdir(parents=True)
        for number in range(18):
            pixels = rng.normal(level, 30, (40, 40)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
