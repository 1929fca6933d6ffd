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

from medmodel.core import sandbox
from medmodel.core.errors import ImageError

HERE = __name__
ROOT = Path(__file__).resolve().parents[2]


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


def hoard(data: bytes, name: str) -> dict[str, Any]:
    return {"values": np.ones(2 * sandbox.MEMORY, np.uint8)}


def chatter(data: bytes, name: str) -> dict[str, Any]:
    os.write(1, b"a decoder prints this\n")
    sys.stdout.write("and this\n")
    return {"said": "nothing"}


def refuse(data: bytes, name: str) -> dict[str, Any]:
    raise ImageError(f"{name} is no picture.")


def blunder(data: bytes, name: str) -> dict[str, Any]:
    raise KeyError("a mistake of ours")


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


def test_a_hang_ends() -> None:
    with pytest.raises(ImageError, match="x.dcm took longer than 1 s"):
        ask(hang, seconds=1)
    assert ask(echo)["name"] == "x.dcm"


def test_memory_is_bounded() -> None:
    with pytest.raises(ImageError, match="x.dcm needs too much memory"):
        ask(hoard)


def test_what_a_decoder_prints_is_no_answer() -> None:
    assert ask(chatter) == {"said": "nothing"}


def test_refusals_and_mistakes() -> None:
    with pytest.raises(ImageError, match=r"^x\.dcm is no picture\.$"):
        ask(refuse)
    with pytest.raises(RuntimeError, match="KeyError in .*blunder: 'a mistake"):
        ask(blunder)
    assert ask(echo)["name"] == "x.dcm"


def test_a_process_that_is_a_sandbox_needs_no_child() -> None:
    code = (
        "import os; from medmodel.core import sandbox; sandbox.enter()\n"
        f"ask = lambda t: sandbox.ask('{HERE}:' + t, b'ab', 'x', 1)\n"
        "assert ask('echo')['pid'] == os.getpid()\n"
        "try: ask('refuse')\n"
        "except Exception as error: assert str(error) == 'x is no picture.'\n"
        "ask('hang')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGALRM


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
