"""Sends waiting runs to the cluster and follows them on its head.

What a run is, its own folder says: a worker on a node writes its status as any other.
What is done here is what no worker can do: hand it in, say why it waits, and say what
became of it when the cluster lost it. Nothing waits for the cluster but the process
that calls this.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from medmodel.cluster.head import Head, Job, JobState, Node, RefusedError
from medmodel.cluster.jobs import entrypoint, environment
from medmodel.cluster.notes import note_cluster, note_problem, note_solved
from medmodel.cluster.records import (
    SentRun,
    ahead,
    places,
    sent_run,
    share_of,
    write_sent_run,
)
from medmodel.core.errors import ClusterError, FileError, RunError
from medmodel.core.storage import open_log
from medmodel.language import N_
from medmodel.runs import queue, webhook
from medmodel.runs.run import BATCHES, RATE_TESTS, RUNS, Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus, Status

LOST_SECONDS = 3.0
"""For which a run must be interrupted before the cluster is said to have lost it."""
ENDING_SECONDS = 5.0
"""For which the job of a run that has ended may take to end by itself."""
MOST_LOST = 3
"""Times that a run is sent again which the cluster has forgotten."""
MOST_UNFIT = 1
"""Runs that are handed in although no node has what they need: the demand is seen by a
cluster that grows, and all others wait here, where nothing waits behind them."""
LIST_SECONDS = 5.0
"""After which the queue is listed although nobody said that it changed."""
LATER_SECONDS = 10.0
"""After which a run is handed in again that the head did not take."""
MOST_REFUSED = 3
"""Runs that the head may refuse in one look: it may refuse all, and there are many."""
SENT = N_("Sent to the cluster: waits for a free node.")
TOO_LARGE = N_("Sent to the cluster: no node has what it needs.")
PASSED = N_("No node of the cluster has what it needs: runs behind it go first.")
LOST = N_("The cluster lost its node: waits for another one, and goes on there.")
FORGOTTEN = N_("The cluster has forgotten it: it is sent again, and goes on.")
STOPPED = N_("Stopped on the cluster.")
FORCED = N_("Stopped by force.")
_GIVEN_UP = N_("The cluster lost it several times.")
_REFUSED = N_("The cluster could not start it.")
_LOOK_THERE = N_(
    "See what Ray's dashboard says of the job, and whether workspace, data and program "
    "are under the same paths on all nodes. Then press Resume."
)


class Dispatcher:
    """Follows the runs of a workspace on a cluster.

    Args:
        store: The workspace.
        head: Of the cluster.
        clock: Seconds since 1970.
    """

    def __init__(
        self, store: RunStore, head: Head, clock: Callable[[], float] = time.time
    ) -> None:
        self.store, self.head, self._clock = store, head, clock
        # Thousands of old runs are looked at once.
        # In memory, too: the record of a run that is deleted goes with it.
        self._sent = {
            run.folder: sent for run in _all(store) if not (sent := sent_run(run)).over
        }
        self._interrupted: dict[str, float] = {}
        # Folder of a run that waits -> its device; those that were passed over. As
        # when last listed: there may be thousands, and a look is every second.
        self._waiting: dict[Path, str] = {}
        self._passed: set[Path] = set()
        self._stamp, self._listed = -1, 0.0
        self._ended: dict[str, float] = {}
        # Runs that the head did not take: when, and why.
        self._refused: dict[Path, tuple[float, RefusedError]] = {}

    @property
    def idle(self) -> bool:
        """Whether there was nothing to follow and nothing to send at the last look."""
        return not self._sent and not self._waiting

    def look(self) -> bool:
        """Looks once: follows what was sent, sends what waits and has room.

        Returns:
            Whether the head answered.

        Raises:
            OSError: The disk is full or fails.
        """
        try:
            nodes = self.head.nodes()
            followed = [
                self._follow_or_end(Run(folder), sent, nodes)
                for folder, sent in list(self._sent.items())
            ]
            self._list_waiting()
            taken = self._send_waiting(nodes)
            if self._refused and not (any(followed) or taken):
                raise list(self._refused.values())[-1][1]
        except ClusterError as error:
            note_problem(self.store, str(error))
            self._list_waiting()
            return False
        note_solved(self.store)
        note_cluster(self.store, nodes, looked=self._clock())
        return True

    # --- following ---------------------------------------------------------------

    def _follow_or_end(self, run: Run, sent: SentRun, nodes: list[Node]) -> bool:
        """Whether the head answered: what it refuses of one run holds up no other."""
        try:
            job = self.head.job(sent.job)
            try:
                self._follow(run, sent, job, nodes)
            except (RunError, FileError):  # deleted, or damaged: nothing comes of it
                self._end(run, sent, job)
        except RefusedError as error:
            self._refuse(run, error)
            return False
        self._refused.pop(run.folder, None)
        return True

    def _refuse(self, run: Run, error: RefusedError) -> None:
        self._refused[run.folder] = (self._clock(), error)
        with contextlib.suppress(RunError, FileError):  # deleted a moment ago
            if run.status.message not in (LOST, FORGOTTEN):
                self._say(run, str(error))

    def _follow(
        self, run: Run, sent: SentRun, job: Job | None, nodes: list[Node]
    ) -> None:
        status = run.status
        if status.state is RunStatus.QUEUED:
            self._follow_waiting(run, sent, job, nodes)
        elif status.state is RunStatus.RUNNING:
            self._interrupted.pop(run.id, None)
            if run.kill_requested:
                self._stop(sent, job)
        elif status.state is RunStatus.INTERRUPTED:
            self._follow_interrupted(run, sent, job)
        elif status.attempt == sent.attempt or not _active(job):  # no worker has it
            self._end(run, sent, job)
        else:
            # By this machine's clock alone: the node's may be another.
            since = self._ended.setdefault(run.id, self._clock())
            if self._clock() - since > ENDING_SECONDS:
                self._end(run, sent, job)

    def _follow_waiting(
        self, run: Run, sent: SentRun, job: Job | None, nodes: list[Node]
    ) -> None:
        """Of a run that no worker has taken yet, or that the cluster lost."""
        status = run.status
        if _active(job):
            if status.message not in (LOST, FORGOTTEN):
                self._say(run, _waits(run, nodes))
            return
        if job is None:
            self._lose(run, sent)
        elif status.attempt > sent.attempt and (
            not sent.lost or job.state is JobState.SUCCEEDED
        ):
            self._forget(run, sent)  # resumed since: it is sent anew
        elif job.state is JobState.STOPPED:
            self._close(run, RunStatus.STOPPED, STOPPED)
            self._forget(run, sent)
        else:
            reason = _GIVEN_UP if sent.lost else _REFUSED
            self._close(run, RunStatus.FAILED, reason, job.message)
            self._forget(run, sent)

    def _follow_interrupted(self, run: Run, sent: SentRun, job: Job | None) -> None:
        """Of a run whose worker is gone without a word."""
        if run.kill_requested or (job and job.state is JobState.STOPPED):
            self._stop(sent, job)
            message = FORCED if run.kill_requested else STOPPED
            self._close(run, RunStatus.STOPPED, message)
            return
        since = self._interrupted.setdefault(run.id, self._clock())
        # A worker that has just died: what Ray says of it comes a moment later.
        if self._clock() - since < LOST_SECONDS:
            return
        del self._interrupted[run.id]
        if job is None:
            self._lose(run, sent)
        elif job.state.active:
            self._say(run, LOST, RunStatus.INTERRUPTED)
            self._remember(run, replace(sent, lost=sent.lost + 1))
        else:  # the worker was killed while its node lives: Resume is for a person
            self._forget(run, sent)

    def _lose(self, run: Run, sent: SentRun) -> None:
        """The head knows nothing of its job: to be sent again, so often."""
        if sent.lost >= MOST_LOST:
            self._close(run, RunStatus.FAILED, _GIVEN_UP)
            self._forget(run, sent)
            return
        self._say(run, FORGOTTEN, run.status.state)
        self._forget(run, sent, sent.lost + 1)

    def _end(self, run: Run, sent: SentRun, job: Job | None) -> None:
        self._stop(sent, job)
        self._forget(run, sent)

    def _stop(self, sent: SentRun, job: Job | None) -> None:
        if _active(job):
            self.head.stop(sent.job)

    def _forget(self, run: Run, sent: SentRun, lost: int = 0) -> None:
        self._sent.pop(run.folder, None)
        self._ended.pop(run.id, None)
        self._stamp = -1  # it may wait again
        if run.folder.is_dir():
            write_sent_run(run, replace(sent, lost=lost, over=True))

    def _remember(self, run: Run, sent: SentRun) -> None:
        write_sent_run(run, sent)
        self._sent[run.folder] = sent

    # --- sending -----------------------------------------------------------------

    def _list_waiting(self) -> None:
        """Lists the queue where it may have changed: there may be thousands of runs.

        One whose settings cannot be read is left out: its page says so.
        """
        stamp, now = queue.queue_stamp(self.store), self._clock()
        if stamp == self._stamp and abs(now - self._listed) < LIST_SECONDS:
            return
        self._stamp, self._listed = stamp, now
        before, self._waiting, self._passed = self._waiting, {}, set()
        for run, status in list(queue.waiting(self.store)):
            with contextlib.suppress(RunError, FileError):  # damaged, or just deleted
                device = before.get(run.folder) or run.config.device
                self._waiting[run.folder] = device
                if status.message == PASSED:
                    self._passed.add(run.folder)
        there = self._waiting.keys() | self._sent.keys()
        self._refused = {f: why for f, why in self._refused.items() if f in there}

    def _send_waiting(self, nodes: list[Node]) -> int:
        """Hands in what there is room for, and the next ones: others can be moved.

        A run that no node is large enough for takes no place: others go before it. Nor
        does one that the head refuses.

        Returns:
            How many it took.
        """
        self._say_that_it_fits(nodes)
        unfit = sum(_unfit(Run(folder), nodes) for folder in self._sent)
        room = places(nodes)
        free = room + ahead(room) - (len(self._sent) - unfit)
        taken = refused = 0
        for folder in self._in_turn():
            if taken >= free or refused >= MOST_REFUSED:
                break
            device = self._waiting[folder]
            fits = not nodes or _fits(device, nodes)
            told = not fits and unfit >= MOST_UNFIT and folder in self._passed
            run = Run(folder)
            if told or folder in self._sent or not _queued(run):
                continue
            with contextlib.suppress(RunError, FileError):  # deleted a moment ago
                if not fits and unfit >= MOST_UNFIT:
                    self._say(run, PASSED)
                    self._passed.add(folder)
                    continue
                try:
                    self._send(run, nodes)
                except RefusedError as error:
                    self._refuse(run, error)
                    refused += 1
                else:
                    taken, unfit = taken + fits, unfit + (not fits)
        return taken

    def _in_turn(self) -> list[Path]:
        """The queue, in the order in which it is tried.

        One that the head has refused comes first, that which waits longest since: it
        may be taken by now. The others come last, so that they hold up nothing however
        many they are.
        """
        refused = [f for f in self._refused if f in self._waiting]
        due = sorted(
            (folder for folder in refused if not self._later(folder)),
            key=lambda folder: self._refused[folder][0],
        )
        fresh = [folder for folder in self._waiting if folder not in self._refused]
        return [*due[:1], *fresh, *due[1:]]

    def _later(self, folder: Path) -> bool:
        """Whether the head refused it a moment ago."""
        when, _why = self._refused.get(folder, (-LATER_SECONDS, None))
        return abs(self._clock() - when) < LATER_SECONDS

    def _say_that_it_fits(self, nodes: list[Node]) -> None:
        """Lets no run say that it fits no node once there is one."""
        for folder in self._passed - self._sent.keys():
            if not nodes or _fits(self._waiting[folder], nodes):
                self._passed.discard(folder)
                with contextlib.suppress(RunError, FileError):  # deleted a moment ago
                    self._say(Run(folder), Status.message)

    def _send(self, run: Run, nodes: list[Node]) -> None:
        before, status = sent_run(run), run.status
        number = before.number + 1
        sent = SentRun(
            f"medmodel-{run.id}-{number}",
            number,
            status.attempt,
            before.lost,
            over=False,
        )
        # First: should this process die, its successor looks for the job.
        self._remember(run, sent)
        share = share_of(run.config.device, nodes)
        try:
            self.head.submit(sent.job, entrypoint(run, share), environment(self.store))
        except ClusterError:
            # Under the same id the next time: it may have come through.
            self._forget(run, replace(sent, number=number - 1), sent.lost)
            raise
        self._refused.pop(run.folder, None)
        self._say(run, _waits(run, nodes))

    def _say(
        self, run: Run, message: str, expected: RunStatus = RunStatus.QUEUED
    ) -> None:
        """Lets a run wait with these words, unless its state is another by now."""
        changes = {"state": RunStatus.QUEUED, "phase": "waiting", "message": message}
        queue.change_waiting(run, expected, **changes)

    def _close(
        self, run: Run, state: RunStatus, message: str, detail: str = ""
    ) -> None:
        """Ends a run that no worker holds, unless one has taken it by now."""
        failure = None
        if state is RunStatus.FAILED:
            failure = Failure("cluster", message, _LOOK_THERE)
            if detail:
                _write_log(run, detail)
        closed = queue.change_waiting(
            run,
            run.status.state,
            state=state,
            phase="finished",
            message=message,
            failure=failure,
            seconds_left=None,
            ended=self._clock(),
        )
        if closed and failure:
            # No worker could. The head is asked meanwhile, however slow the address is.
            told = (run, state, failure)
            threading.Thread(target=webhook.tell_ended, args=told).start()


def _waits(run: Run, nodes: list[Node]) -> str:
    return SENT if _fits(run.config.device, nodes) else TOO_LARGE


def _fits(device: str, nodes: list[Node]) -> bool:
    share = share_of(device, nodes)
    return any(n.cpus >= share.cpus and n.gpus >= share.gpus for n in nodes)


def _unfit(run: Run, nodes: list[Node]) -> bool:
    """Whether it waits for a node larger than all; where there is none, each may do."""
    with contextlib.suppress(RunError, FileError):  # deleted a moment ago
        return bool(nodes) and _queued(run) and not _fits(run.config.device, nodes)
    return False


def _queued(run: Run) -> bool:
    """Whether it still waits, and its settings can be read: the page says if not."""
    try:
        return bool(run.config) and run.status.state is RunStatus.QUEUED
    except (RunError, FileError):
        return False


def _active(job: Job | None) -> bool:
    return job is not None and job.state.active


def _all(store: RunStore) -> Iterator[Run]:
    for place in (RUNS, BATCHES, RATE_TESTS):
        yield from RunStore(store.root, place).list()


def _write_log(run: Run, detail: str) -> None:
    """Ray's own words, for the log of the run."""
    root = run.folder.parent.parent
    with open_log(root, str(run.folder.relative_to(root) / "log.txt"), True) as log:
        log.write(f"{detail.strip()}\n".encode())
