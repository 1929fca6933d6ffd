"""`python -m medmodel.cluster WORKSPACE`: sends runs to the cluster, follows them.

One such process works for a workspace; it ends when no shell is left and nothing is to
be followed. Killed, it goes on where it was: what it knows is on disk and on the head.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import time
from pathlib import Path

from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.head import Head
from medmodel.cluster.notes import note_problem
from medmodel.core.errors import ClusterError
from medmodel.core.installation import program_stamps
from medmodel.language import SOURCE, speaking
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore

LOOK_SECONDS = 1.0
LOOKS_PER_CHECK = 5
"""Looks between two at the program's files."""
AWAY_SECONDS = 60.0
"""After which a head that does not answer is left to another process."""
NICENESS = 10
log = logging.getLogger("medmodel.cluster")


def main(arguments: list[str]) -> int:
    """Works until it is not needed any more; 1 where MEDMODEL_RAY names no head."""
    store = RunStore(Path(arguments[0]).resolve())
    lock = queue.dispatcher_lock(store)
    if not lock.acquire():
        return 0
    os.nice(max(0, NICENESS - os.nice(0)))
    try:
        with speaking(SOURCE):  # What is said stays with the runs.
            follow(store, Head.from_environment())
    except ClusterError as error:
        print(error, file=sys.stderr)  # noqa: T201
        note_problem(store, str(error))
        return 1
    finally:
        lock.release()
    return 0


def follow(store: RunStore, head: Head) -> None:
    """Looks every second, until nobody needs it or the program was updated.

    Also until the head was away for long while there is a shell: that starts another
    process, perhaps with the right address or token.
    """
    program = program_stamps()
    dispatcher, answered = Dispatcher(store, head), time.monotonic()
    for look in itertools.count():
        updated = look % LOOKS_PER_CHECK == 0 and program_stamps() != program
        if updated or not store.root.is_dir():
            return
        try:
            if dispatcher.look():
                answered = time.monotonic()
        except OSError as error:  # the disk may have room again at the next look
            log.warning("The cluster could not be followed: %s", type(error).__name__)
        away = time.monotonic() - answered > AWAY_SECONDS
        if away if queue.shell_present(store) else dispatcher.idle:
            return
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
