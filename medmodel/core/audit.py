"""Audit log: who did what and when, one JSON line each; no patients, no file names."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import datetime, timezone

from medmodel.core.environment import workspace_root

LONGEST = 2000
"""Bytes of one line at most: the log stays small whatever is passed in."""
_LONGEST_TEXT = 200

Fact = str | int | float | bool | None


def record(action: str, **facts: Fact) -> None:
    """Appends one line to audit.jsonl in the workspace.

    Several processes may do so at once: a line is one write to a file opened for
    appending, so lines never mix.

    Args:
        action: A verb: train, predict, export, delete, ...
        **facts: Ids and counts. Never a patient's name or the name of an uploaded file,
            which often holds one.

    Raises:
        OSError: It cannot be noted: the disk is full or fails.
    """
    short = {
        name: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in facts.items()
    }
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    entry = {"time": now, "action": action, "facts": short}
    line = json.dumps(entry, ensure_ascii=False).encode()
    if len(line) >= LONGEST:
        entry["facts"] = {"left_out": f"{len(facts)} facts were too long"}
        line = json.dumps(entry, ensure_ascii=False).encode()
    path = workspace_root() / "audit.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        # Half of what another process is writing would look like a broken line.
        fcntl.flock(handle, fcntl.LOCK_EX)
        # A line that a full disk broke off must not spoil this one.
        end = os.lseek(handle, 0, os.SEEK_END)
        whole = not end or os.pread(handle, 1, end - 1) == b"\n"
        line = (b"" if whole else b"\n") + line + b"\n"
        # A disk writes what it has room for, and says only then what is wrong.
        while line:
            line = line[os.write(handle, line) :]
    finally:
        os.close(handle)
