"""The sandbox outlives whatever its children do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.core.environment import workspace_root
from medmodel.core.errors import ConfigError, ImageError, MedModelError
from medmodel.core.processes import sandbox

HERE = __name__
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def no_children_left() -> Iterator[None]:
    yield
    sandbox.close()


# What the children run.
def echo(data: bytes, name: str, factor: int = 1) -> dict[str, Any]:
    values = np.frombuffer(data, np.uint8).astype(np.float32).reshape(-1, 2) * factor
    return {"values": values, "raw": data, "name": name, "pid": os.getpid()}


def crash(data: bytes, name: str) -> dict[str, Any]:
    os.abort()


def leave(data: bytes, name: str) -> dict[str, Any]:
    raise SystemExit(3)


def hang(data: bytes, name: str) -> dict[str, Any]:
    while True:
        time.sleep(1)


def compute(data: bytes, name: str) -> dict[str, Any]:
    while True:
        pass


def hoard(data: bytes, name: str) -> dict[str, Any]:
    return {"values": np.ones(2 * sandbox.MEMORY, np.uint8)}


def chatter(data: bytes, name: str) -> dict[str, Any]:
    os.write(1, b"a decoder prints this\n")
    sys.stdout.write("and this\n")
    return {"said": "nothing"}


def refuse(data: bytes, name: str) -> dict[str, Any]:
    raise ImageError(f"{name} is no image.")


def blunder(data: bytes, name: str) -> dict[str, Any]:
    raise KeyError("a mistake of ours")


def deaf(data: bytes, name: str) -> dict[str, Any]:
    """As a decoder that blocks signals."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    hang(data, name)
    raise AssertionError


def swell(data: bytes, name: str, count: int) -> dict[str, Any]:
    return {"values": np.zeros(count, np.uint8)}


def talk(data: bytes, name: str, count: int) -> dict[str, Any]:
    return {"text": "a" * count}


def object_to(data: bytes, name: str) -> dict[str, Any]:
    raise ConfigError("window", "There is no such window.")


def open_nothing(data: bytes, name: str) -> dict[str, Any]:
    return {"values": Path("/nowhere/at/all").read_bytes()}


def settings(data: bytes, name: str) -> dict[str, Any]:
    return {"data": os.environ["MEDMODEL_DATA"], "workspace": str(workspace_root())}


def wait_a_little(data: bytes, name: str) -> dict[str, Any]:
    began = time.monotonic()
    time.sleep(0.5)
    return {"began": began, "ended": time.monotonic()}


def ask(task: Any, data: bytes = b"ab", **arguments: Any) -> dict[str, Any]:
    return sandbox.ask(f"{HERE}:{task.__name__}", data, "x.dcm", **arguments)


def test_arrays_bytes_and_texts_come_back() -> None:
    answer = ask(echo, b"\1\2\3\4", factor=2)
    assert answer["values"].tolist() == [[2, 4], [6, 8]]
    assert answer["values"].dtype == np.float32
    answer["values"][0, 0] = 7  # may be written to
    assert answer["raw"] == b"\1\2\3\4" and answer["name"] == "x.dcm"


def test_empty_array() -> None:
    assert ask(echo, b"")["values"].shape == (0, 2)


def test_a_child_serves_many_files() -> None:
    assert ask(echo)["pid"] == ask(echo)["pid"] != os.getpid()


@pytest.mark.parametrize("task", [crash, leave])
def test_a_crash_is_one_sentence_and_the_next_file_is_read(task: Any) -> None:
    with pytest.raises(ImageError, match=r"^x\.dcm cannot be read: .*halt\.$"):
        ask(task)
    assert ask(echo)["name"] == "x.dcm"


@pytest.mark.parametrize("task", [hang, deaf])
def test_a_hang_ends(task: Any) -> None:
    with pytest.raises(sandbox.ImageTimeoutError, match="x.dcm "):
        ask(task, seconds=1)
    assert ask(echo)["name"] == "x.dcm"


@pytest.mark.parametrize("used", [0.0, 3.9, 4.0, 8.0])
def test_a_file_that_got_no_processor_time_is_not_called_damaged(
    monkeypatch: pytest.MonkeyPatch, used: float
) -> None:
    ask(echo)
    times = iter([10.0, 10.0 + used])
    monkeypatch.setattr(sandbox, "_processor_seconds", lambda child: next(times))

    def late(*args: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(sandbox, "receive", late)
    with pytest.raises(sandbox.ImageTimeoutError) as caught:
        ask(echo, seconds=8)
    if used < 4:
        assert str(caught.value) == (
            "x.dcm was not read within 8 s, as the machine is busy: of these it had "
            f"{used:.1f} s of processor time. Try again."
        )
    else:
        assert str(caught.value) == (
            "x.dcm took longer than 8 s to read: it is damaged or too big."
        )


def test_where_nobody_waits_a_busy_machine_is_given_more_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    answered = sandbox.receive

    def late_once(connection: Any, seconds: float, most: int) -> Any:
        waits.append(seconds)
        if len(waits) == 1:
            raise TimeoutError
        return answered(connection, seconds, most)

    monkeypatch.setattr(sandbox, "receive", late_once)
    assert ask(echo)["name"] == "x.dcm"
    assert len(waits) == 2 and waits[1] > 3 * waits[0]


def test_processor_time_is_that_of_the_child() -> None:
    ask(echo)
    child = sandbox._idle.take()
    assert child is not None
    used = sandbox._processor_seconds(child)
    assert 0 < used < 60
    child.process.kill()
    # Until it is reaped it can be asked, after that no more.
    assert sandbox._processor_seconds(child) >= used
    child.end()
    assert sandbox._processor_seconds(child) == 0


def test_memory_is_bounded() -> None:
    with pytest.raises(ImageError, match="x.dcm needs too much memory"):
        ask(hoard)


def test_what_a_decoder_prints_is_no_answer() -> None:
    assert ask(chatter) == {"said": "nothing"}


def test_refusals_and_mistakes() -> None:
    with pytest.raises(ImageError, match=r"^x\.dcm is no image\.$"):
        ask(refuse)
    with pytest.raises(RuntimeError, match="KeyError in .*blunder: 'a mistake"):
        ask(blunder)
    assert ask(echo)["name"] == "x.dcm"


def test_a_process_that_is_a_sandbox_needs_no_child() -> None:
    code = (
        "import os; from medmodel.core.processes import sandbox; sandbox.enter()\n"
        f"ask = lambda t: sandbox.ask('{HERE}:' + t, b'ab', 'x', 1)\n"
        "assert ask('echo')['pid'] == os.getpid()\n"
        "try: ask('refuse')\n"
        "except Exception as error: assert str(error) == 'x is no image.'\n"
    )
    # By the processor time that it needs; a machine that is busy, or a disk that does
    # not answer, has longer.
    for last, ended_by in (
        ("sandbox.PATIENCE = 100; ask('compute')", signal.SIGPROF),
        ("sandbox.PATIENCE = 1; ask('hang')", signal.SIGALRM),
    ):
        command = [sys.executable, "-c", code + last]
        done = subprocess.run(command, cwd=ROOT, timeout=120)
        assert done.returncode == -ended_by


def test_many_threads_at_once() -> None:
    def one(number: int) -> bool:
        data = bytes([number, number])
        return ask(echo, data)["raw"] == data

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(40)))


def test_a_child_that_died_while_idle_is_replaced() -> None:
    pid = ask(echo)["pid"]
    os.kill(pid, 9)
    time.sleep(0.1)
    assert ask(echo)["pid"] != pid


def test_an_answer_is_no_larger_than_whoever_asks_allows() -> None:
    assert ask(swell, count=1000, largest=1000)["values"].shape == (1000,)
    with pytest.raises(sandbox.AnswerTooLargeError, match=r"^x\.dcm is too large"):
        ask(swell, count=1001, largest=1000)
    assert len(ask(talk, count=1000, largest=10)["text"]) == 1000
    with pytest.raises(sandbox.AnswerTooLargeError):
        ask(talk, count=sandbox.LARGEST_FACTS)
    assert not issubclass(sandbox.AnswerTooLargeError, ImageError)


def test_errors_arrive_as_what_they_are() -> None:
    with pytest.raises(MedModelError, match="^There is no such window") as caught:
        ask(object_to)
    assert not isinstance(caught.value, ImageError)
    with pytest.raises(FileNotFoundError, match="No such file"):
        ask(open_nothing)


def test_children_know_the_settings_of_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place in (tmp_path / "a", tmp_path / "b"):
        monkeypatch.setenv("MEDMODEL_DATA", str(place))
        monkeypatch.setenv("MEDMODEL_WORKSPACE", str(place))
        assert ask(settings) == {"data": str(place), "workspace": str(place)}


def test_few_are_at_work_at_once() -> None:
    with ThreadPoolExecutor(3 * sandbox.AT_ONCE) as pool:
        answers = list(pool.map(lambda _: ask(wait_a_little), range(12)))
    for answer in answers:
        beside = [a for a in answers if a["began"] <= answer["began"] < a["ended"]]
        assert len(beside) <= sandbox.AT_ONCE


def _left() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0]


def test_of_two_limits_the_earlier_holds() -> None:
    with sandbox.time_limit(100):
        with sandbox.time_limit(50):
            assert 40 < _left() <= 50
        assert 90 < _left() <= 100
        with sandbox.time_limit(200):
            assert 90 < _left() <= 100
        assert 90 < _left() <= 100
    assert _left() == 0
