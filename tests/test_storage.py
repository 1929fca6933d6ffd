"""Files are whole or not there; locks tell the truth about processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from medmodel.storage import Lock, locked, read_json, replacing, write_json

HOLDER = """
import sys, time
from pathlib import Path
from medmodel.storage import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(60)
"""
ROOT = Path(__file__).resolve().parents[1]


def test_replacing_makes_folders_and_shows_only_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with replacing(path) as file:
        file.write("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_failure_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_binary_and_line_ends_are_kept(tmp_path: Path) -> None:
    with replacing(tmp_path / "bytes", "wb") as file:
        file.write(b"\r\n\x00")
    assert (tmp_path / "bytes").read_bytes() == b"\r\n\x00"
    with replacing(tmp_path / "text") as file:
        file.write("a\r\nÄ\n")
    assert (tmp_path / "text").read_bytes() == "a\r\nÄ\n".encode()


def test_others_may_read_as_the_umask_says(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file:
        file.write("")
    (tmp_path / "b").touch()
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in "ab"]
    assert modes[0] == modes[1]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_json(path) is None
    write_json(path, {"name": "Übung <b>", "n": [1, None]})
    assert read_json(path) == {"name": "Übung <b>", "n": [1, None]}
    assert "Übung" in path.read_text(encoding="utf-8")


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"n": 0})
    done = threading.Event()
    wrong: list[Exception] = []

    def read() -> None:
        while not done.is_set():
            try:
                read_json(path)["n"]
            except (json.JSONDecodeError, TypeError) as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(100):
        write_json(path, {"n": n, "fill": "x" * 10_000})
    done.set()
    reader.join()
    assert not wrong


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
