from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medmodel.core.errors import Cancelled, MedModelError
from medmodel.core.processes import pool, sandbox
from medmodel.core.processes.messages import Message, send
from medmodel.language import SOURCE, present_language, speaking


def double(numbers: list[int], times: int) -> list[int]:
    return [n * times for n in numbers]


def language(numbers: list[int]) -> str:
    return present_language()


def fail(numbers: list[int]) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def complain(numbers: list[int]) -> None:
    raise MedModelError("That will not do.")


def die_on_seven(numbers: list[int]) -> list[int]:
    if 7 in numbers:
        os._exit(11)
    return numbers


def hang_on_seven(numbers: list[int]) -> list[int]:
    for number in numbers:
        signal.alarm(1)  # As the sandbox sets it for every file.
        while number == 7:
            time.sleep(1)
        signal.alarm(0)
    return numbers


def hoard_on_seven(numbers: list[int]) -> list[int]:
    for number in numbers:
        if number == 7:
            raise MemoryError
    return numbers


def starve_on_seven(numbers: list[int], folder: str) -> list[int]:
    """As on a machine with no time for this file: its wall time runs out twice."""
    if 7 in numbers:
        place = Path(folder)
        (place / str(len(list(place.iterdir())))).touch()
        if len(list(place.iterdir())) <= 2:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            time.sleep(60)
    return numbers


def compute_on_seven(numbers: list[int]) -> list[int]:
    while 7 in numbers:
        pass
    return numbers


def wait_on_seven(numbers: list[int]) -> list[int]:
    while 7 in numbers:
        time.sleep(1)
    return numbers


def too_large_here(numbers: list[int], pid: int) -> list[int]:
    """As an image that is too large for the process that asked."""
    if os.getpid() == pid and 7 in numbers:
        raise sandbox.AnswerTooLargeError
    return [os.getpid()] * len(numbers)


def chatter(numbers: list[int]) -> list[int]:
    print("a library talks")  # noqa: T201
    return numbers


def loaded_modules(numbers: list[int]) -> list[str]:
    return sorted(sys.modules)


def sleep(numbers: list[int]) -> None:
    time.sleep(60)


@pytest.mark.parametrize("few", [0, 1000])
def test_every_item_once_in_processes_or_here(few: int) -> None:
    items = list(range(100))
    results = dict(
        pair
        for chunk, answer in pool.map_chunks(double, items, 3, few=few)
        for pair in zip(chunk, answer, strict=True)
    )
    assert results == {n: 3 * n for n in items}


def test_nothing_to_do() -> None:
    assert list(pool.map_chunks(double, [], 3, few=-1)) == []


def test_errors_of_the_disk_arrive_as_such() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        list(pool.map_chunks(fail, [1, 2], few=0))
    assert caught.value.errno == errno.ENOSPC


def test_our_errors_arrive_with_their_sentence() -> None:
    with pytest.raises(MedModelError, match="That will not do"):
        list(pool.map_chunks(complain, [1], few=0))


def test_mistakes_are_raised_here_with_their_traceback() -> None:
    with pytest.raises(RuntimeError, match="unsupported operand") as caught:
        list(pool.map_chunks(double, [{}], {}, few=0))
    assert "in double" in str(caught.value)


@pytest.mark.parametrize("task", [die_on_seven, hang_on_seven, hoard_on_seven])
def test_an_item_that_kills_its_process_spoils_no_other(
    task: Callable[[list[int]], list[int]],
) -> None:
    answers = list(pool.map_chunks(task, list(range(40)), few=0))
    assert [chunk for chunk, answer in answers if answer is None] == [[7]]
    assert sorted(n for _, answer in answers for n in answer or []) == [
        n for n in range(40) if n != 7
    ]


def test_a_machine_without_time_for_an_item_leaves_none_out(tmp_path: Path) -> None:
    answers = list(pool.map_chunks(starve_on_seven, range(40), str(tmp_path), few=0))
    assert sorted(n for _, answer in answers for n in answer or []) == [*range(40)]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("task", "ended_by"),
    [("compute_on_seven", signal.SIGPROF), ("wait_on_seven", signal.SIGALRM)],
)
def test_an_item_has_a_limit_of_time(task: str, ended_by: signal.Signals) -> None:
    question = Message({"task": f"{__name__}:{task}", "arguments": [[7]]})
    code = (
        "from medmodel.core.processes import pool, sandbox\n"
        "from medmodel.core.processes.messages import Message\n"
        f"sandbox.PATIENCE = {1 if task == 'wait_on_seven' else 50}\n"
        f"pool.SECONDS = 1\npool._answer(Message({question.facts!r}))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60)
    assert done.returncode == -ended_by


def test_what_is_too_large_for_this_process_is_done_in_another() -> None:
    here = os.getpid()
    answers = list(pool.map_chunks(too_large_here, list(range(40)), here))
    elsewhere = [n for chunk, (pid, *_) in answers for n in chunk if pid != here]
    assert 7 in elsewhere and len(elsewhere) < 10
    assert sorted(n for chunk, _ in answers for n in chunk) == list(range(40))


def test_what_a_library_prints_is_no_answer() -> None:
    assert list(pool.map_chunks(chatter, [1], few=0)) == [([1], [1])]


def test_children_import_little() -> None:
    ((_, modules),) = pool.map_chunks(loaded_modules, [1], few=0)
    heavy = {"streamlit", "tensorflow", "keras", "pandas", "scipy"}
    # pytest is there because this very file imports it.
    assert not heavy & set(modules)


def test_cancelling_ends_the_children() -> None:
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        list(
            pool.map_chunks(
                sleep, [1, 2], cancelled=lambda: time.monotonic() > begun + 0.5, few=0
            )
        )
    assert time.monotonic() - begun < 30


def own_process(numbers: list[int]) -> int:
    return os.getpid()


def settings(numbers: list[int]) -> str:
    return os.environ["MEDMODEL_DATA"]


def pids() -> set[int]:
    answers = pool.map_chunks(own_process, list(range(40)), few=0)
    return {pid for _, pid in answers}


def test_children_serve_the_next_work_too() -> None:
    first = pids()
    waiting = {child.process.pid for child in pool._idle.children}
    assert first <= waiting and len(waiting) <= pool.cores()
    assert pids() <= waiting
    pool.close()
    assert not pool._idle.children and not pids() & waiting


def test_children_know_the_settings_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("/a", "/b"):
        monkeypatch.setenv("MEDMODEL_DATA", place)
        answers = pool.map_chunks(settings, [1, 2], few=0)
        assert {told for _, told in answers} == {place}


def test_a_child_with_an_unread_answer_ends() -> None:
    child = pool._start_child()
    facts = {"task": f"{__name__}:double", "arguments": [list(range(200_000)), 1]}
    send(child.connection, Message(facts))
    ending = threading.Thread(target=child.end, daemon=True)
    time.sleep(0.5)  # Also right without: it then ends in the middle of its work.
    ending.start()
    ending.join(20)
    child.process.kill()
    assert not ending.is_alive()


def test_children_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "KEPT", 0)
    ((_, pid),) = pool.map_chunks(own_process, [1], few=0)
    begun = time.monotonic()
    while Path(f"/proc/{pid}").exists() and time.monotonic() - begun < 30:
        time.sleep(0.01)
    assert not pool._idle.children and not Path(f"/proc/{pid}").exists()


def test_works_below_any_main_module(tmp_path: Path) -> None:
    # A pool of Python's own would run this script again in every child.
    script = tmp_path / "main.py"
    script.write_text(
        "from medmodel.core.processes import pool\n"
        "from tests.core.processes.test_pool import double\n"
        "print(sum(sum(a) for _, a in pool.map_chunks(double, [1, 2], 2, few=0)))\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": root},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "6\n", done.stderr


@pytest.mark.parametrize("few", [0, 5])
def test_what_a_task_says_is_kept_in_english(few: int) -> None:
    with speaking("zh_Hans"):
        answers = list(pool.map_chunks(language, [1], few=few))
        assert present_language() == "zh_Hans"
    assert answers == [([1], SOURCE)]
