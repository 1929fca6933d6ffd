"""Locks tell the truth about processes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from medmodel.core.errors import FileError
from medmodel.core.locks import Lock, locked

HOLDER = """
import sys, time
from pathlib import Path
from medmodel.core.locks import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("place", ["folder", "link", "pipe"])
def test_what_is_no_lock_is_named(tmp_path: Path, place: str) -> None:
    path = tmp_path / "lock"
    if place == "folder":
        path.mkdir()
    elif place == "link":
        path.symlink_to(tmp_path / "made")
    else:
        os.mkfifo(path)
    for ask in (Lock(path).acquire, lambda: locked(path)):
        with pytest.raises(FileError, match="is no lock file: remove it"):
            ask()
    assert not (tmp_path / "made").exists()


def test_lock_is_exclusive_until_released(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    assert not locked(path)
    first, second = Lock(path), Lock(path)
    assert first.acquire()
    assert locked(path)
    assert not second.acquire()
    first.release()
    first.release()
    assert not locked(path)
    assert second.acquire()
    second.release()


def test_a_lock_on_a_file_that_was_removed_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock = tmp_path / "lock", fcntl.flock
    removals = iter([path.unlink])

    def remove_first(file: Any, kind: int) -> None:
        for remove in removals:
            remove()
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    lock = Lock(path)
    assert lock.acquire(wait=30)
    assert locked(path)
    lock.release()


def test_lock_waits(tmp_path: Path) -> None:
    first = Lock(tmp_path / "lock")
    assert first.acquire()
    timer = threading.Timer(0.1, first.release)
    timer.start()
    with Lock(tmp_path / "lock"):
        timer.join()
    assert not locked(tmp_path / "lock")


def test_shared_locks_live_together_but_not_with_an_exclusive_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    one, two = Lock(path, shared=True), Lock(path, shared=True)
    assert one.acquire() and two.acquire()
    assert not Lock(path).acquire()
    one.release()
    assert not Lock(path).acquire()
    two.release()
    exclusive = Lock(path)
    assert exclusive.acquire()
    assert not Lock(path, shared=True).acquire()
    exclusive.release()


def test_looking_does_not_take_the_lock_away(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            locked(path)

    onlookers = [threading.Thread(target=look) for _ in range(2)]
    for thread in onlookers:
        thread.start()
    taken = 0
    for _ in range(50):
        lock = Lock(path)
        taken += lock.acquire(wait=1.0)
        lock.release()
    done.set()
    for thread in onlookers:
        thread.join()
    assert taken == 50


def test_kill_frees_the_lock_while_the_process_is_still_a_zombie(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert locked(path)
        holder.kill()
        while locked(path):
            pass  # Not waited for yet: a zombie.
