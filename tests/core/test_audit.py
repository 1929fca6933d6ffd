"""The audit log: whole lines, small, appended by anybody."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medmodel.core import audit


def lines(workspace: Path) -> list[dict[str, object]]:
    text = (workspace / "audit.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_one_line_per_action(workspace: Path) -> None:
    audit.record("train", run="r1", epochs=3)
    audit.record("predict", run="r1", images=2, model="größer")
    first, second = lines(workspace)
    assert (first["action"], first["facts"]) == ("train", {"run": "r1", "epochs": 3})
    assert second["facts"] == {"run": "r1", "images": 2, "model": "größer"}
    assert str(second["time"]).endswith("+00:00")


def test_a_line_is_bounded(workspace: Path) -> None:
    audit.record("predict", note="é" * 10_000)
    audit.record("predict", **{f"fact_{i}": "é" * 200 for i in range(50)})
    assert lines(workspace)[0]["facts"] == {"note": "é" * 200}
    assert lines(workspace)[1]["facts"] == {"left_out": "50 facts were too long"}
    sizes = [len(x) for x in (workspace / "audit.jsonl").read_bytes().splitlines()]
    assert max(sizes) < audit.LONGEST


def test_line_breaks_cannot_forge_a_line(workspace: Path) -> None:
    audit.record("delete", run='x\n{"action": "train"}')
    assert len(lines(workspace)) == 1


def test_processes_never_mix_their_lines(workspace: Path) -> None:
    script = (
        "import sys; from medmodel.core import audit\n"
        "for i in range(200): audit.record('predict', who=sys.argv[1] * 150, i=i)"
    )
    root = Path(__file__).resolve().parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", script, name], cwd=root)
        for name in "abc"
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    facts = [entry["facts"] for entry in lines(workspace)]
    assert len(facts) == 600
    assert {len(str(fact["who"])) for fact in facts if isinstance(fact, dict)} == {150}


def test_a_line_that_a_full_disk_broke_off_spoils_no_other(workspace: Path) -> None:
    audit.record("train", run="r1")
    with (workspace / "audit.jsonl").open("a") as file:
        file.write('{"time": "20')
    audit.record("stop", run="r1")
    first, broken, last = (workspace / "audit.jsonl").read_text().splitlines()
    assert json.loads(first)["action"] == "train"
    assert json.loads(last)["action"] == "stop"


def test_what_cannot_be_noted_is_told(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [10]

    def write(handle: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return room.pop()

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        audit.record("train", run="r1")
